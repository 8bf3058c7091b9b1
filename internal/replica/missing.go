package replica

import (
	"slices"
	"strings"
)

// LacksText is an entry of AlertRule.Missing: a rule, and the metrics that it lacks.
func LacksText(rule string, metrics []string) string {
	return rule + lacksMark + strings.Join(metrics, lacksComma)
}

const (
	lacksMark  = ": "
	lacksComma = ", "
)

// MissingInBoth is what is missing on either of two replicas. They are shards of one server, or one of them has not seen what
// the other has: a metric that one has is not missing.
func MissingInBoth(a, b []string) []string {
	there := map[string][]string{}
	for _, text := range b {
		rule, metrics := splitLacks(text)
		there[rule] = metrics
	}
	var out []string
	for _, text := range a {
		rule, metrics := splitLacks(text)
		others, ok := there[rule]
		if !ok {
			continue
		}
		kept := slices.DeleteFunc(slices.Clone(metrics), func(m string) bool { return !slices.Contains(others, m) })
		switch {
		case len(kept) > 0:
			out = append(out, LacksText(rule, kept))
		case len(metrics) == 0: // a text that names no metrics, and both have it
			out = append(out, text)
		}
	}
	return out
}

// splitLacks is the reverse of LacksText. The name of a rule can have a colon and a space in it, that of a metric hardly ever.
func splitLacks(text string) (rule string, metrics []string) {
	i := strings.LastIndex(text, lacksMark)
	if i < 0 {
		return text, nil
	}
	return text[:i], strings.Split(text[i+len(lacksMark):], lacksComma)
}
