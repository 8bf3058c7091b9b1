package bundle

import (
	"bytes"
	"encoding/json"
	"time"
)

// NeedsWindow is how far back a metric's series count as being there.
const NeedsWindow = 24 * time.Hour

// needsPrefix begins the line of a rule file that holds its Needs. To Prometheus it is a comment.
const needsPrefix = "# needs "

// Needs is what a rule file says of itself to the reloader, which has no parser of expressions and sees what series there
// are.
type Needs struct {
	// Rules are those that return nothing while a metric has no series.
	Rules []RuleNeeds `json:"rules,omitempty"`
	// Records are the metrics that the file's rules write.
	Records []string `json:"records,omitempty"`
}

// RuleNeeds is what one rule needs to return anything.
type RuleNeeds struct {
	// Rule is where it is in its AlertRule, with its name.
	Rule string `json:"rule"`
	// Metrics: of each of these lists, one metric at least must have series within NeedsWindow.
	Metrics [][]string `json:"metrics"`
}

// Line is the first line of a rule file, nil if there is nothing to say.
func (n Needs) Line() []byte {
	if len(n.Rules) == 0 && len(n.Records) == 0 {
		return nil
	}
	text, err := json.Marshal(n)
	if err != nil {
		return nil // strings always encode
	}
	return append(append([]byte(needsPrefix), text...), '\n')
}

// NeedsOf is what the first line of a rule file says, nothing if that is not about needs.
func NeedsOf(line []byte) Needs {
	text, ok := bytes.CutPrefix(line, []byte(needsPrefix))
	var out Needs
	if !ok || json.Unmarshal(text, &out) != nil {
		return Needs{}
	}
	return out
}
