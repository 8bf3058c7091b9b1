package controllers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// TestAPIServerRefuses applies every file of testdata/refused. Its lines that begin with `# want:` say what the API
// server must answer. Of several documents, the last one is an update of those before it, which are taken.
func TestAPIServerRefuses(t *testing.T) {
	c := newCluster(t)
	files, err := filepath.Glob(filepath.Join("testdata", "refused", "*.yaml"))
	must(t, err)
	if len(files) == 0 {
		t.Fatal("no cases")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) { c.refuses(t, string(text)) })
	}
}

func (c *cluster) refuses(t *testing.T, text string) {
	t.Helper()
	documents := strings.Split(text, "\n---\n")
	for _, first := range documents[:len(documents)-1] {
		must(t, c.api.Create(t.Context(), c.parse(t, first)))
	}
	last := documents[len(documents)-1]
	obj := c.parse(t, last)
	err := c.api.Create(t.Context(), obj)
	if len(documents) > 1 {
		existing := obj.DeepCopy()
		c.get(t, obj.GetName(), existing)
		obj.SetResourceVersion(existing.GetResourceVersion())
		err = c.api.Update(t.Context(), obj)
	}
	if err == nil {
		t.Fatal("it was taken")
	}
	wanted := 0
	for line := range strings.Lines(text) {
		want, ok := strings.CutPrefix(strings.TrimSpace(line), "# want: ")
		if !ok {
			continue
		}
		wanted++
		if !strings.Contains(err.Error(), want) {
			t.Errorf("want: %s\ngot:  %v", want, err)
		}
	}
	if wanted == 0 {
		t.Errorf("the case wants nothing; got: %v", err)
	}
}

func (c *cluster) parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	must(t, yaml.Unmarshal([]byte(text), &obj.Object))
	obj.SetNamespace(c.namespace)
	return obj
}
