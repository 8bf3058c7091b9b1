// Package upstream finds the CustomResourceDefinitions of monitoring.coreos.com, where they are somebody else's: in the
// module of prometheus-operator, at the version that tools/prometheus-operator pins.
package upstream

import (
	"context"
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
	out, err := Read(t.Context(), root, kinds...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Read is Definitions where there is no test.
func Read(ctx context.Context, root string, kinds ...string) ([]*unstructured.Unstructured, error) {
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	command.Dir = filepath.Join(root, "tools", "prometheus-operator")
	text, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", module, err)
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(text, &downloaded); err != nil {
		return nil, err
	}
	var out []*unstructured.Unstructured
	for _, kind := range kinds {
		file := filepath.Join(downloaded.Dir, "example", "prometheus-operator-crd", fmt.Sprintf("monitoring.coreos.com_%s.yaml", kind))
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &object.Object); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, object)
	}
	return out, nil
}
