// Package upstream finds the CustomResourceDefinitions of monitoring.coreos.com, where they are somebody else's: in the
// module of prometheus-operator, at the version that tools/prometheus-operator pins.
package upstream

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const module = "github.com/prometheus-operator/prometheus-operator"

// Definitions are the CustomResourceDefinitions of these kinds, such as servicemonitors. root is the repository's.
func Definitions(t *testing.T, root string, kinds ...string) []*unstructured.Unstructured {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module)
	command.Dir = filepath.Join(root, "tools", "prometheus-operator")
	text, err := command.Output()
	if err != nil {
		t.Fatalf("download %s: %v", module, err)
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(text, &downloaded); err != nil {
		t.Fatal(err)
	}
	var out []*unstructured.Unstructured
	for _, kind := range kinds {
		file := filepath.Join(downloaded.Dir, "example", "prometheus-operator-crd", fmt.Sprintf("monitoring.coreos.com_%s.yaml", kind))
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &object.Object); err != nil {
			t.Fatal(err)
		}
		out = append(out, object)
	}
	return out
}
