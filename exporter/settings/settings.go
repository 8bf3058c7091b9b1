// Package settings reads the configuration file: the collectors' flags as YAML. What there is to set is taken from the
// flags themselves, so a collector that gets a flag gets the setting with it:
//
//	--collector.timeout=2s                    collectors: {timeout: 2s}
//	--no-collector.cpu                        collectors: {cpu: {enabled: false}}
//	--collector.netdev.device-exclude=^veth   collectors: {netdev: {device-exclude: ^veth}}
//
// It is strict: what is not known, said twice or of the wrong type is an error that names the line.
package settings

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	top     = "collectors"
	prefix  = "collector."
	enabled = "enabled"
)

// Apply sets the flags that the text sets. Those that the command line has set already can't be set again. names are the
// collectors, each of which has a flag of its own that switches it.
func Apply(flags *flag.FlagSet, names []string, text []byte) error {
	root, err := parse(text)
	if err != nil || root == nil {
		return err
	}
	a := &applier{flags: flags, known: known(flags, names), given: given(flags)}
	return a.group("", root)
}

// parse returns the one document of the text, nil where there is none.
func parse(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is a second document: one is wanted")
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" { // comments only
		return nil, nil
	}
	return root, nil
}

// known maps each path of the file to its flag, and each group of settings to nil.
func known(flags *flag.FlagSet, names []string) map[string]*flag.Flag {
	out := map[string]*flag.Flag{top: nil}
	flags.VisitAll(func(f *flag.Flag) {
		name, ok := strings.CutPrefix(f.Name, prefix)
		if !ok {
			return
		}
		group, setting, ok := strings.Cut(name, ".")
		switch {
		case ok:
			out[top+"."+group] = nil
			out[top+"."+group+"."+setting] = f
		case slices.Contains(names, name):
			out[top+"."+name] = nil
			out[top+"."+name+"."+enabled] = f
		default:
			out[top+"."+name] = f
		}
	})
	return out
}

// given are the flags that the command line has.
func given(flags *flag.FlagSet) map[string]bool {
	out := map[string]bool{}
	flags.Visit(func(f *flag.Flag) {
		out[f.Name] = true
		out[strings.TrimPrefix(f.Name, "no-")] = true
	})
	return out
}

type applier struct {
	flags *flag.FlagSet
	known map[string]*flag.Flag
	given map[string]bool
}

// group reads the settings below a path.
func (a *applier) group(at string, node *yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		return fault(node, at, "settings are wanted here, NAME: VALUE")
	}
	seen := map[string]bool{}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		path := strings.TrimPrefix(at+"."+key.Value, ".")
		if seen[path] {
			return fault(key, path, "is there twice")
		}
		seen[path] = true
		f, ok := a.known[path]
		var err error
		switch {
		case !ok:
			return fault(key, path, "is not known; the nearest that is: "+a.nearest(path))
		case f == nil:
			err = a.group(path, value)
		default:
			err = a.set(path, f, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) set(path string, f *flag.Flag, value *yaml.Node) error {
	if a.given[f.Name] {
		return fault(value, path, "is set by --"+f.Name+" already: take one of them away")
	}
	values := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode && repeatable(f) {
		values = value.Content
	}
	for _, v := range values {
		if err := a.setOne(path, f, v); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) setOne(path string, f *flag.Flag, value *yaml.Node) error {
	switch {
	case value.Kind != yaml.ScalarNode || value.Tag == "!!null":
		return fault(value, path, "a value is wanted")
	case isSwitch(f) && value.Tag != "!!bool":
		return fault(value, path, fmt.Sprintf("true or false is wanted, not %q", value.Value))
	}
	if err := a.flags.Set(f.Name, value.Value); err != nil {
		return fault(value, path, fmt.Sprintf("%q: %v", value.Value, err))
	}
	return nil
}

func fault(node *yaml.Node, path, text string) error {
	if path != "" {
		text = path + ": " + text
	}
	return fmt.Errorf("line %d: %s", node.Line, text)
}

func isSwitch(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// repeatable flags take a list.
func repeatable(f *flag.Flag) bool {
	r, ok := f.Value.(interface{ Repeatable() bool })
	return ok && r.Repeatable()
}

// nearest is the known path that takes the fewest changed letters.
func (a *applier) nearest(path string) string {
	best, least := "", -1
	for known := range a.known {
		d := distance(path, known)
		if least < 0 || d < least || d == least && known < best {
			best, least = known, d
		}
	}
	return best
}

// distance is how many letters must be added, removed or replaced to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
