package stack_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/amconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/stack/stacktest"
)

var update = flag.Bool("update", false, "rewrite the files beside each testdata/routing/*/in.yaml")

// TestRouting compares what each testdata/routing/<case>/in.yaml becomes with the files beside it. What the Alertmanager's
// pods say about Secrets is in comments of in.yaml.
func TestRouting(t *testing.T) {
	inputs, err := filepath.Glob("testdata/routing/*/in.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, in := range inputs {
		dir := filepath.Dir(in)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			got := routingFiles(t, in)
			if *update {
				for name, text := range got {
					if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			want := map[string]string{}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Name() != "in.yaml" {
					text, err := os.ReadFile(filepath.Join(dir, e.Name()))
					if err != nil {
						t.Fatal(err)
					}
					want[e.Name()] = string(text)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("what is rendered differs from what is stored (-stored +rendered); if that is meant, run with -update:\n%s", diff)
			}
			for range 5 {
				if again := routingFiles(t, in); !cmp.Equal(got, again) {
					t.Fatal("the same input gives different files")
				}
			}
		})
	}
}

// routingFiles are the rendered files of the one server of a case, its verdicts and its mounts.
func routingFiles(t *testing.T, in string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	declared, err := stacktest.Read(os.DirFS("../../config/crd"), text)
	if err != nil {
		t.Fatal(err)
	}
	inputs := declared.Inputs(&declared.Servers[0])
	inputs.Grants = grants(string(text))
	s, errs := stack.Resolve(inputs)
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	files, err := amconfig.Render(&s.Routing.Config)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{"verdicts.txt": verdicts(s.Routing)}
	for name, text := range files {
		out[name] = string(text)
	}
	return out
}

func verdicts(r *stack.Routing) string {
	var out strings.Builder
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range r.Mounted {
			if !yield(name) {
				return
			}
		}
	}) {
		fmt.Fprintf(&out, "mounted: %s %v\n", name, r.Mounted[name])
	}
	for _, v := range r.Verdicts {
		fmt.Fprintf(&out, "%s/%s notifies=%t\n", v.Namespace, v.Name, v.Notifies)
		for _, p := range v.Problems {
			fmt.Fprintf(&out, "  %s\n", strings.ReplaceAll(p, "\n", "\n    "))
		}
	}
	return out.String()
}

func grants(text string) stack.Grants {
	out := stack.Grants{Secrets: map[string]stack.Grant{}, Routed: map[string]bool{}}
	for line := range strings.Lines(text) {
		kind, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "# "), ": ")
		if !ok || !strings.HasPrefix(line, "# ") {
			continue
		}
		id, more, _ := strings.Cut(rest, " ")
		switch kind {
		case "granted":
			out.Secrets[id] = stack.Grant{}
		case "forbidden":
			out.Secrets[id] = stack.Grant{Problem: "forbidden", Forbidden: true}
		case "missing":
			out.Secrets[id] = stack.Grant{MissingKeys: strings.Fields(more)}
		case "problem":
			out.Secrets[id] = stack.Grant{Problem: more}
		case "routed":
			out.Routed[id] = true
		}
	}
	return out
}
