// Shorten writes what a label selector is in fewer words into CustomResourceDefinitions: Kubernetes' own text is repeated at
// each of them, and there are some twenty in a PrometheusServer, whose definition has a limit.
//
//	go run ./hack/shorten FILE...
package main

import (
	"fmt"
	"os"
	"strings"
)

// shorter is a description in place of Kubernetes' own, which begins so; empty where it is none of these.
func shorter(said string) string {
	for _, s := range []struct{ begins, instead string }{
		{"matchExpressions is a list of label selector requirements", "matchExpressions must all be met."},
		{"matchLabels is a map of {key,value} pairs", "matchLabels must all be there."},
		{"A label selector requirement is a selector that contains values", "A requirement on one label."},
		{"key is the label key that the selector applies to", "key of the label."},
		{"operator represents a key's relationship to a set of values", "operator is In, NotIn, Exists or DoesNotExist."},
		{"values is an array of string values. If the operator is In or NotIn", "values for In and NotIn; none for the others."},
	} {
		if strings.HasPrefix(said, s.begins) {
			return s.instead
		}
	}
	return ""
}

func main() {
	for _, file := range os.Args[1:] {
		if err := shorten(file); err != nil {
			fmt.Fprintln(os.Stderr, "shorten:", err)
			os.Exit(1)
		}
	}
}

func shorten(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	var out []string
	for i := 0; i < len(lines); {
		begin, end := lines[i], i+1
		indent := len(begin) - len(strings.TrimLeft(begin, " "))
		if strings.HasPrefix(begin[indent:], "description:") {
			// What is indented further belongs to it.
			for end < len(lines) && strings.HasPrefix(lines[end], begin[:indent]+" ") {
				end++
			}
			out = append(out, description(lines[i:end], begin[:indent])...)
		} else {
			out = append(out, begin)
		}
		i = end
	}
	return os.WriteFile(file, []byte(strings.Join(out, "\n")), 0o600)
}

// description is one in fewer words if it is one of Kubernetes' own, and otherwise as it is.
func description(lines []string, indent string) []string {
	said := strings.TrimSpace(strings.TrimPrefix(strings.Join(strings.Fields(strings.Join(lines, " ")), " "), "description:"))
	said = strings.TrimSpace(strings.TrimPrefix(said, "|-"))
	if instead := shorter(said); instead != "" {
		return []string{indent + "description: " + instead}
	}
	return lines
}
