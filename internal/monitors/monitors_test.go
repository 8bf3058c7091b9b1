package monitors

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// TestBadMonitors has each testdata/bad/*.yaml refused with exactly the errors that its "# want:" lines begin.
func TestBadMonitors(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad monitors: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			made, errs := compiled(t, text)
			if made != nil {
				t.Error("it is refused and still becomes something")
			}
			var want []string
			for line := range strings.Lines(string(text)) {
				if text, ok := strings.CutPrefix(strings.TrimSpace(line), "# want: "); ok {
					want = append(want, text)
				}
			}
			if len(want) == 0 || len(want) != len(errs) {
				t.Errorf("got %d errors, want %d: %v", len(errs), len(want), errs.ToAggregate())
			}
			for i := range min(len(want), len(errs)) {
				if !strings.HasPrefix(errs[i].Error(), want[i]) {
					t.Errorf("got  %s\nwant %s", errs[i], want[i])
				}
			}
		})
	}
	t.Logf("%d monitors refused", len(files))
}

func compiled(t *testing.T, text []byte) (*Compiled, field.ErrorList) {
	t.Helper()
	var meta struct{ Kind Kind }
	if err := yaml.Unmarshal(text, &meta); err != nil {
		t.Fatal(err)
	}
	switch meta.Kind {
	case PodMonitorKind:
		return of(t, text, OfPodMonitor)
	case ProbeKind:
		return of(t, text, OfProbe)
	case ScrapeConfigKind:
		return of(t, text, OfScrapeConfig)
	}
	return of(t, text, OfServiceMonitor)
}

func of[T any](t *testing.T, text []byte, compile func(*T) (*Compiled, field.ErrorList)) (*Compiled, field.ErrorList) {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict(text, object); err != nil {
		t.Fatal(err)
	}
	return compile(object)
}

// TestSecrets: those of all endpoints are named once each, with what of them is used for TLS.
func TestSecrets(t *testing.T) {
	made, errs := compiled(t, []byte(`
kind: ServiceMonitor
metadata: {name: m, namespace: shop}
spec:
  selector: {}
  attachMetadata: {node: true}
  endpoints:
  - basicAuth: {username: {name: login, key: user}, password: {name: login, key: pass}}
    tlsConfig: {ca: {secret: {name: ca, key: ca.crt}}}
  - authorization: {credentials: {name: login, key: user}}
    tlsConfig: {ca: {configMap: {name: ca, key: ca.pem}}, cert: {secret: {name: ca, key: tls.crt}}, keySecret: {name: ca, key: tls.key}}
`))
	if made == nil {
		t.Fatal(errs.ToAggregate())
	}
	want := []bundle.WantedSecret{
		{Namespace: "shop", Name: "ca", Keys: []string{"ca.crt", "tls.crt", "tls.key"}, TLS: []bundle.TLSKeys{{Cert: "tls.crt", Key: "tls.key"}, {CA: "ca.crt"}}},
		{Namespace: "shop", Name: "ca", ConfigMap: true, Keys: []string{"ca.pem"}, TLS: []bundle.TLSKeys{{CA: "ca.pem"}}},
		{Namespace: "shop", Name: "login", Keys: []string{"pass", "user"}},
	}
	if diff := cmp.Diff(want, made.Secrets); diff != "" {
		t.Errorf("Secrets (-want +got):\n%s", diff)
	}
	if got := made.Jobs[1].TLSConfig.CAFile; got != "/etc/prometheus/granted/shop/configmap:ca/ca.pem" {
		t.Errorf("the CA is in %s", got)
	}
	if got := made.Jobs[0].BasicAuth.PasswordFile; got != "/etc/prometheus/granted/shop/login/pass" {
		t.Errorf("the password is in %s", got)
	}
	if !made.Jobs[0].KubernetesSD[0].AttachMetadata.Node {
		t.Error("it is not known that targets are told of their nodes")
	}
	if diff := cmp.Diff(Within{Field: "spec.namespaceSelector.matchNames", Names: []string{"shop"}}, made.Jobs[0].KubernetesSD[0].Within); diff != "" {
		t.Errorf("without a namespaceSelector (-want +got):\n%s", diff)
	}
	placed := Placed(made.Jobs, func(*Discovery) []string { return []string{"a"} })
	if made.Jobs[0].KubernetesSD[0].Namespaces != nil || placed[1].KubernetesSD[0].Namespaces.Names[0] != "a" {
		t.Error("placing jobs for one server changes those of others")
	}
}
