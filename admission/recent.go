package admission

import (
	"crypto/sha256"
	"encoding/json"
	"sync"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/rules"
)

// recentVerdicts bounds how many verdicts wait for the reconciler. It is as far behind as this in a burst; of what was refused or
// only tried, nobody asks.
const recentVerdicts = 1024

// Recent judges AlertRules and remembers for a while what it found, because each is judged twice within milliseconds: when it
// is applied, and when the reconciler hears of it. A verdict depends on namespace, name and spec alone, and is found by just
// these. The zero value is ready to use.
type Recent struct {
	mu       sync.Mutex
	verdicts map[judged]rules.Verdict
	// order has the keys, the oldest at next; those that were taken are among them until it is their turn.
	order [recentVerdicts]judged
	next  int
}

// judged is a hash of all that a verdict depends on.
type judged [sha256.Size]byte

// Judge is the verdict on an AlertRule, which Take has next.
func (r *Recent) Judge(ar *v1alpha1.AlertRule) rules.Verdict {
	verdict := rules.Judge(ar)
	if key, ok := keyOf(ar); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.verdicts == nil {
			r.verdicts = map[judged]rules.Verdict{}
		}
		delete(r.verdicts, r.order[r.next])
		r.order[r.next] = key
		r.next = (r.next + 1) % len(r.order)
		r.verdicts[key] = verdict
	}
	return verdict
}

// Take is the verdict on an AlertRule, the remembered one if there is one. Nobody keeps it here afterwards.
func (r *Recent) Take(ar *v1alpha1.AlertRule) rules.Verdict {
	if key, ok := keyOf(ar); ok {
		r.mu.Lock()
		verdict, known := r.verdicts[key]
		delete(r.verdicts, key)
		r.mu.Unlock()
		if known {
			return verdict
		}
	}
	return rules.Judge(ar)
}

func keyOf(ar *v1alpha1.AlertRule) (judged, bool) {
	hash := sha256.New()
	err := json.NewEncoder(hash).Encode([]any{ar.Namespace, ar.Name, ar.Spec})
	var key judged
	hash.Sum(key[:0])
	return key, err == nil
}
