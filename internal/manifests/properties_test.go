package manifests_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/internal/manifests"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack/stacktest"
)

// fingerprint is everything that is rendered, to the byte.
func fingerprint(t *testing.T, d stacktest.Declared) []string {
	t.Helper()
	var out []string
	for _, owner := range render(t, d) {
		out = append(out, "# "+owner.String())
		for _, o := range owner.objects {
			text, err := yaml.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(text))
		}
	}
	return out
}

func TestRenderingIsDeterministic(t *testing.T) {
	forEachCase(t, func(t *testing.T, c testCase) {
		first := fingerprint(t, c.declared)
		for range 5 {
			if diff := cmp.Diff(first, fingerprint(t, c.declared)); diff != "" {
				t.Fatalf("the same declarations rendered twice differ:\n%s", diff)
			}
		}
		slices.Reverse(c.declared.Servers)
		slices.Reverse(c.declared.NodeExporters)
		slices.Reverse(c.declared.AlertRules)
		if diff := cmp.Diff(first, fingerprint(t, c.declared)); diff != "" {
			t.Errorf("the order in which declarations come makes a difference:\n%s", diff)
		}
	})
}

// TestDeclarationsStayAsTheyAre: they come from a cache that others read.
func TestDeclarationsStayAsTheyAre(t *testing.T) {
	forEachCase(t, func(t *testing.T, c testCase) {
		before := read(t, filepath.Join(c.dir, "in.yaml"))
		render(t, c.declared)
		if diff := cmp.Diff(before, c.declared); diff != "" {
			t.Errorf("rendering changes what was declared:\n%s", diff)
		}
	})
}

func TestObjectsAreNamedAndLabelled(t *testing.T) {
	forEachCase(t, func(t *testing.T, c testCase) {
		seen := map[string]owned{}
		for _, owner := range render(t, c.declared) {
			for _, o := range owner.objects {
				id := kindOf(o) + " " + o.GetNamespace() + "/" + o.GetName()
				if other, ok := seen[id]; ok {
					t.Errorf("%s is made by %s and by %s", id, other, owner)
				}
				seen[id] = owner
				if o.GetNamespace() != owner.namespace {
					t.Errorf("%s is not in the namespace of %s, so it can't be owned by it", id, owner)
				}
				if o.GetLabels()["app.kubernetes.io/managed-by"] != "hearth" {
					t.Errorf("%s has no managed-by label, so the operator's caches would not see it", id)
				}
				for _, problem := range problems(o) {
					t.Errorf("%s: %s", id, problem)
				}
			}
		}
	})
}

// problems are what the API server would refuse about an object's metadata.
func problems(o manifests.Object) []string {
	name := validation.NameIsDNSSubdomain
	if _, ok := o.(*corev1.Service); ok {
		name = validation.NameIsDNS1035Label
	}
	switch o.(type) {
	case *rbacv1.RoleBinding, *rbacv1.ClusterRoleBinding:
		name = func(name string, _ bool) []string {
			if name == "." || name == ".." || strings.ContainsAny(name, "/%") {
				return []string{name + " is no segment of a path"}
			}
			return nil
		}
	}
	out := name(o.GetName(), false)
	errs := metav1validation.ValidateLabels(o.GetLabels(), field.NewPath("metadata", "labels"))
	errs = append(errs, validation.ValidateAnnotations(o.GetAnnotations(), field.NewPath("metadata", "annotations"))...)
	for _, err := range errs {
		out = append(out, err.Error())
	}
	return out
}

func kindOf(o manifests.Object) string { return o.GetObjectKind().GroupVersionKind().Kind }

// secretKeys are the keys of Prometheus' configuration that hold a secret itself, and not the name of a file.
var secretKeys = regexp.MustCompile(`(?m)^[\s-]*(password|credentials|bearer_token|secret_key|client_secret|token|secret|key|api_key):`)

func TestNoSecretIsReadOrWritten(t *testing.T) {
	forEachCase(t, func(t *testing.T, c testCase) {
		for _, owner := range render(t, c.declared) {
			for _, o := range owner.objects {
				if kindOf(o) == "Secret" {
					t.Errorf("%s makes the Secret %s", owner, o.GetName())
				}
				if pod := podOf(o); pod != nil {
					checkNoSecretInEnvironment(t, pod)
				}
			}
			if key := secretKeys.FindString(owner.tree[promconfig.FileName]); key != "" {
				t.Errorf("%s: %s has %q, whose value is a secret: name a file", owner, promconfig.FileName, strings.TrimSpace(key))
			}
		}
	})
}

// checkNoSecretInEnvironment: what is in the environment is printed, inherited and dumped. Files are not. What Grafana needs
// to ask the server is the one exception: what it reads from a file it expands, so that a $ in a password would be lost.
func checkNoSecretInEnvironment(t *testing.T, pod *corev1.PodSpec) {
	t.Helper()
	for _, c := range containers(pod) {
		if len(c.EnvFrom) > 0 {
			t.Errorf("container %s takes its environment from another object", c.Name)
		}
		for _, e := range c.Env {
			if c.Name == "grafana" && strings.HasPrefix(e.Name, "HEARTH_DATASOURCE_") {
				continue
			}
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				t.Errorf("container %s has a secret in its environment: %s", c.Name, e.Name)
			}
		}
	}
}

// TestPrometheusTakesTheConfiguration asks Prometheus' own loader, and promtool where it has been built.
func TestPrometheusTakesTheConfiguration(t *testing.T) {
	promtool, err := filepath.Abs("../../bin/promtool")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(promtool); err != nil {
		t.Logf("NOT CHECKED with promtool, which is not there: %v", err)
		promtool = ""
	}
	forEachCase(t, func(t *testing.T, c testCase) {
		for _, owner := range render(t, c.declared) {
			text, ok := owner.tree[promconfig.FileName]
			if !ok {
				continue
			}
			file := filepath.Join(t.TempDir(), promconfig.FileName)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := config.LoadFile(file, owner.agent, promslog.NewNopLogger()); err != nil {
				t.Errorf("%s: %v", owner, err)
			}
			if promtool != "" {
				checkConfig(t, promtool, owner)
			}
		}
	})
}

// missingFile is what promtool says of a Secret's file, which only the pod has.
var missingFile = regexp.MustCompile(`file ".*/secrets/.*" does not exist|error checking .*/secrets/`)

func checkConfig(t *testing.T, promtool string, owner owned) {
	t.Helper()
	dir := t.TempDir()
	rules := 0
	for name, text := range owner.tree {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		rules += strings.Count(name, "rules/")
	}
	args := []string{"check", "config", filepath.Join(dir, promconfig.FileName)}
	if owner.agent {
		args = append(args, "--agent")
	}
	out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput()
	if err != nil && !missingFile.Match(out) {
		t.Errorf("%s: promtool: %v\n%s", owner, err, out)
	}
	if err == nil && rules > 0 && bytes.Count(out, []byte("Checking "+dir+"/rules/")) != rules {
		t.Errorf("%s: promtool does not find the %d rule files that the configuration should name:\n%s", owner, rules, out)
	}
}
