package monitors

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStrays: each testdata/stray/*.yaml is taken as it is, and by a server that lets tenants have only what is discovered in their
// namespaces refused with exactly the errors that its "# want:" lines begin. Without such lines it is taken there too.
func TestStrays(t *testing.T) {
	files, err := filepath.Glob("testdata/stray/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no monitors: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			made, errs := compiled(t, text)
			if made == nil {
				t.Fatal(errs.ToAggregate())
			}
			var want []string
			for line := range strings.Lines(string(text)) {
				if text, ok := strings.CutPrefix(strings.TrimSpace(line), "# want: "); ok {
					want = append(want, text)
				}
			}
			terms := Terms{Discovered: true}
			if refused := terms.Refusal(made) != ""; refused != (len(want) > 0) || len(want) != len(made.Strays) {
				t.Errorf("got %d errors, want %d: %v", len(made.Strays), len(want), made.Strays.ToAggregate())
			}
			for i := range min(len(want), len(made.Strays)) {
				if !strings.HasPrefix(made.Strays[i].Error(), want[i]) {
					t.Errorf("got  %s\nwant %s", made.Strays[i], want[i])
				}
			}
			if (Terms{}).Refusal(made) != "" {
				t.Error("it is refused where anything may be named")
			}
			// What is refused by its fields, the walker refuses by the text.
			jobs := terms.Applied("shop", Placed(made.Jobs, func(*Discovery) []string { return []string{"shop"} }))
			rendered, err := Text(jobs)
			if err != nil {
				t.Fatal(err)
			}
			if err := Audit(rendered, func(string) Terms { return terms }, nil); (err != nil) != (len(want) > 0) {
				t.Errorf("the walker says %v of\n%s", err, rendered)
			}
		})
	}
	t.Logf("%d monitors", len(files))
}
