package amconfig

import (
	"fmt"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Contribution is what an AlertRule adds to the routing of the servers that select it, as far as it can be checked by
// itself.
type Contribution struct {
	// Receivers and what is wrong with those that can't be used, in the order of the spec.
	Receivers []ContributedReceiver
	// Entries of notify, in the order of the spec.
	Entries []ContributedEntry
}

// ContributedReceiver is one of spec.receivers.
type ContributedReceiver struct {
	// Name as declared.
	Name     string
	Receiver Receiver
	// Problem is empty if the receiver can be used.
	Problem string
}

// ContributedEntry is one of spec.notify.
type ContributedEntry struct {
	Entry Entry
	// Problem is empty if the entry can be used.
	Problem string
}

// Contribute checks the receivers and the notify of an AlertRule, one by one: a mistake in one takes no other away. It is
// nil if the AlertRule has neither.
func Contribute(ar *v1alpha1.AlertRule) *Contribution {
	if len(ar.Spec.Receivers) == 0 && len(ar.Spec.Notify) == 0 {
		return nil
	}
	out := &Contribution{}
	for i := range ar.Spec.Receivers {
		declared := &ar.Spec.Receivers[i]
		c := ContributedReceiver{Name: declared.Name}
		var err error
		if c.Receiver, err = TenantReceiver(ar.Namespace, declared); err != nil {
			c.Problem = fmt.Sprintf("spec.receivers[%s]: %v", declared.Name, err)
		}
		out.Receivers = append(out.Receivers, c)
	}
	for i, declared := range ar.Spec.Notify {
		var c ContributedEntry
		var err error
		if c.Entry, err = NewEntry(declared); err != nil {
			c.Problem = fmt.Sprintf("spec.notify[%d]: %v", i, err)
		}
		out.Entries = append(out.Entries, c)
	}
	return out
}
