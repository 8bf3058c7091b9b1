// Package crd tests what the generated CustomResourceDefinitions promise: that plain kubectl apply takes them, that
// kubectl explain has something to say, and that kubectl get shows what matters.
package crd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// sizeLimit is far below the 256 KiB that kubectl apply can keep of an object in its annotation.
const sizeLimit = 200 << 10

// kinds are all kinds there are, with the columns that answer "is it working?".
var kinds = map[string]struct{ shortNames, columns []string }{
	"AlertRule":        {[]string{"ar"}, []string{"Rules", "Valid", "Tests", "Loaded", "Firing", "Age"}},
	"NodeExporter":     {[]string{"ne"}, []string{"Nodes", "Ready", "Up", "Unassigned", "Age"}},
	"PrometheusServer": {[]string{"ps", "prom"}, []string{"Ready", "Loaded", "Targets", "Firing", "Alertmanager", "Age"}},
}

// foreign are fields whose schema is Kubernetes' own: it is described at their top, and below it Kubernetes leaves some
// fields without a description.
var foreign = []string{"affinity", "tolerations", "resources", "updateStrategy", "conditions"}

func TestCRDs(t *testing.T) {
	files, err := filepath.Glob("../../config/crd/monitoring.hearth.dev_*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(kinds) {
		t.Errorf("config/crd has %d kinds, want %d: %v", len(files), len(kinds), files)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { check(t, file) })
	}
}

func check(t *testing.T, file string) {
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := yaml.YAMLToJSON(content)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes as compact JSON, %d %% of the limit", len(compact), 100*len(compact)/sizeLimit)
	if len(compact) >= sizeLimit {
		t.Errorf("%d bytes as compact JSON, want less than %d", len(compact), sizeLimit)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(content, &crd); err != nil {
		t.Fatal(err)
	}
	names(t, crd.Spec.Names)
	for _, v := range crd.Spec.Versions {
		version(t, crd.Spec.Names.Kind, v)
	}
}

func names(t *testing.T, n apiextensionsv1.CustomResourceDefinitionNames) {
	want, known := kinds[n.Kind]
	if !known {
		t.Fatalf("%s is a new kind: add its columns to this test", n.Kind)
	}
	if !slices.Equal(n.ShortNames, want.shortNames) {
		t.Errorf("short names are %q, want %q", n.ShortNames, want.shortNames)
	}
	if !slices.Contains(n.Categories, "monitoring") {
		t.Errorf("categories are %q: kubectl get monitoring would not show it", n.Categories)
	}
}

func version(t *testing.T, kind string, v apiextensionsv1.CustomResourceDefinitionVersion) {
	if v.Subresources == nil || v.Subresources.Status == nil {
		t.Errorf("%s has no status subresource", v.Name)
	}
	var columns []string
	for _, c := range v.AdditionalPrinterColumns {
		if c.Priority == 0 {
			columns = append(columns, c.Name)
		}
	}
	if want := kinds[kind].columns; !slices.Equal(columns, want) {
		t.Errorf("%s prints the columns %q, want %q", v.Name, columns, want)
	}
	schema := v.Schema.OpenAPIV3Schema
	for _, missing := range undescribed("", *schema) {
		t.Errorf("%s%s has no description", v.Name, missing)
	}
}

// undescribed returns the paths of our own fields that kubectl explain could say nothing about.
func undescribed(path string, s apiextensionsv1.JSONSchemaProps) []string {
	var missing []string
	for name, p := range s.Properties {
		at := path + "." + name
		if p.Description == "" && at != ".metadata" {
			missing = append(missing, at)
		}
		if !slices.Contains(foreign, name) {
			missing = append(missing, undescribed(at, p)...)
		}
	}
	if s.Items != nil && s.Items.Schema != nil {
		missing = append(missing, undescribed(path+"[]", *s.Items.Schema)...)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		missing = append(missing, undescribed(path+"{}", *s.AdditionalProperties.Schema)...)
	}
	slices.Sort(missing)
	return missing
}

// TestExplained shows that the test above would see a field that lost its description.
func TestExplained(t *testing.T) {
	var s apiextensionsv1.JSONSchemaProps
	text := `{"properties":{"spec":{"description":"d","properties":{"a":{},"affinity":{"description":"d","properties":{"b":{}}}}}}}`
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(undescribed("", s)); strings.TrimSpace(got) != "[.spec.a]" {
		t.Errorf("got %s, want [.spec.a]", got)
	}
}
