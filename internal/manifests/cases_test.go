package manifests_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/manifests"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/stack/stacktest"
)

// testCase is a folder of testdata.
type testCase struct {
	dir      string
	declared stacktest.Declared
}

// owned is what one declaration becomes.
type owned struct {
	kind, namespace, name string
	objects               []manifests.Object
	// beyond are bindings that no owner reference reaches.
	beyond []manifests.Object
	// tree has the files that the server's pods unpack, by path; nil for an exporter.
	tree map[string]string
	// hostNetwork was declared, and only then may it be in a pod.
	hostNetwork bool
	// agent is true for a server whose configuration is an agent's.
	agent bool
}

func forEachCase(t *testing.T, test func(t *testing.T, c testCase)) {
	t.Helper()
	inputs, err := filepath.Glob("testdata/*/in.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, in := range inputs {
		dir := filepath.Dir(in)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			test(t, testCase{dir: dir, declared: read(t, in)})
		})
	}
}

func read(t *testing.T, file string) stacktest.Declared {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	declared, err := stacktest.Read(os.DirFS("../../config/crd"), text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return declared
}

// render goes the straight line for every declaration.
func render(t *testing.T, d stacktest.Declared) []owned {
	t.Helper()
	var out []owned
	for i := range d.NodeExporters {
		ne := &d.NodeExporters[i]
		e, errs := stack.ResolveExporter(d.ExporterInputs(ne))
		if len(errs) > 0 {
			t.Fatal(errs.ToAggregate())
		}
		objects, err := manifests.Exporter(e)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, owned{kind: "NodeExporter", namespace: ne.Namespace, name: ne.Name, objects: objects, hostNetwork: ne.Spec.HostNetwork})
	}
	for i := range d.Servers {
		out = append(out, renderServer(t, d.Inputs(&d.Servers[i])))
	}
	slices.SortFunc(out, func(a, b owned) int { return strings.Compare(a.String(), b.String()) })
	return out
}

func renderServer(t *testing.T, in stack.Inputs) owned {
	t.Helper()
	s, errs := stack.Resolve(in)
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	files, err := promconfig.Render(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Manifest.Verify(files.Parts); err != nil {
		t.Error(err)
	}
	var alertmanager *promconfig.Files
	if s.Alertmanager != nil {
		if alertmanager, err = new(promconfig.AlertmanagerRenderer).Render(s); err != nil {
			t.Fatal(err)
		}
		if err := alertmanager.Manifest.Verify(alertmanager.Parts); err != nil {
			t.Error(err)
		}
	}
	objects, err := manifests.Server(s, files, alertmanager)
	if err != nil {
		t.Fatal(err)
	}
	more, err := manifests.Grafana(s)
	if err != nil {
		t.Fatal(err)
	}
	out := owned{kind: "PrometheusServer", namespace: s.Namespace, name: s.Name, objects: append(objects, more...), tree: map[string]string{}, agent: s.Agent}
	out.beyond = append(manifests.Bindings(s), notPruned(t, s)...)
	for _, o := range objects {
		for name, text := range unpacked(t, o) {
			out.tree[name] = string(text)
		}
	}
	return out
}

// notPruned are what a server's Grafana has beside its children: its claim, and objects for grafana-operator.
func notPruned(t *testing.T, s *stack.Stack) []manifests.Object {
	t.Helper()
	var out []manifests.Object
	if s.Grafana != nil && s.Grafana.Deployment != nil {
		out = append(out, manifests.GrafanaClaim(s))
	}
	objects, err := manifests.GrafanaOperator(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		out = append(out, o)
	}
	return out
}

func (o owned) String() string { return o.kind + " " + o.namespace + "/" + o.name }

// unpacked are the files in a ConfigMap, none in another object.
func unpacked(t *testing.T, o manifests.Object) map[string][]byte {
	t.Helper()
	object, ok := o.(*corev1.ConfigMap)
	if !ok || object.BinaryData[bundle.PartKey] == nil {
		return nil
	}
	files, err := bundle.Unpack(object.BinaryData[bundle.PartKey])
	if err != nil {
		t.Fatalf("%s: %v", object.Name, err)
	}
	return files
}

// files are those that a case is compared with: objects.yaml and what the servers' pods unpack, which lies in a folder
// for each server where there are several.
func (c testCase) files(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	var objects strings.Builder
	for _, owner := range render(t, c.declared) {
		fmt.Fprintf(&objects, "# %s\n", owner)
		for _, o := range slices.Concat(owner.objects, owner.beyond) {
			objects.WriteString("---\n" + text(t, o))
		}
		dir := ""
		if len(c.declared.Servers) > 1 {
			dir = owner.namespace + "_" + owner.name + "/"
		}
		for name, text := range owner.tree {
			out[dir+name] = text
		}
	}
	out["objects.yaml"] = objects.String()
	return out
}

// text is an object as YAML. What is packed or hashed is left to the files beside it: another version of Go may pack the
// same files differently.
func text(t *testing.T, o manifests.Object) string {
	t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		t.Fatal(err)
	}
	delete(fields, "status")
	note := ""
	if object, ok := o.(*corev1.ConfigMap); ok && (object.BinaryData != nil || object.Data[bundle.ManifestKey] != "") {
		delete(fields, "data")
		delete(fields, "binaryData")
		note = payload(t, object)
	}
	out, err := yaml.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(out) + note
}

func payload(t *testing.T, object *corev1.ConfigMap) string {
	t.Helper()
	if manifest, ok := object.Data[bundle.ManifestKey]; ok {
		m, err := bundle.ParseManifest([]byte(manifest))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("# %s: revision %d, %d rules, in %s\n", bundle.ManifestKey, m.Revision, m.Rules, strings.Join(m.Names(), ", "))
	}
	files := slices.Sorted(maps.Keys(unpacked(t, object)))
	if len(files) == 0 {
		files = []string{"no files"}
	}
	return fmt.Sprintf("# %s: %s\n", bundle.PartKey, strings.Join(files, ", "))
}
