package controllers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/controllers/grafana"
	"github.com/hearth-monitoring/hearth/controllers/grafana/grafanatest"
	model "github.com/hearth-monitoring/hearth/internal/grafana"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

const grafanaToken = "glsa_a-token-that-nobody-may-see"

// shown is an ExistingGrafanas in a cluster, a stand-in for a Grafana, and a PrometheusServer that wants something there.
type shown struct {
	*cluster
	grafanas *ExistingGrafanas
	grafana  *grafanatest.Server
	ps       *v1alpha1.PrometheusServer
}

func newGrafana(t *testing.T) *grafanatest.Server {
	t.Helper()
	s := grafanatest.New()
	t.Cleanup(s.Close)
	s.AddToken(grafanaToken, 1)
	return s
}

// quick are ExistingGrafanas that do not wait for minutes.
func quick() *ExistingGrafanas {
	g := NewExistingGrafanas()
	g.local, g.look, g.retry = true, 300*time.Millisecond, 100*time.Millisecond
	return g
}

func newShown(t *testing.T) *shown {
	t.Helper()
	out := &shown{grafanas: quick(), grafana: newGrafana(t)}
	out.cluster = newCluster(t, func(mgr manager.Manager) error { return out.grafanas.SetupWithManager(mgr) })
	out.secret(t, "grafana", map[string]string{"token": grafanaToken + "\n"})
	out.secret(t, "web", map[string]string{"username": "grafana", "password": "a password"})
	out.serve(t)
	return out
}

func (c *shown) serve(t *testing.T) {
	t.Helper()
	c.ps = &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: "main"}}
	c.create(t, c.ps)
	eventually(t, func() error { return c.manager.GetClient().Get(t.Context(), c.key(), &v1alpha1.PrometheusServer{}) })
}

func (c *shown) secret(t *testing.T, name string, data map[string]string) {
	t.Helper()
	c.create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data})
}

func (c *shown) key() types.NamespacedName {
	return types.NamespacedName{Namespace: c.namespace, Name: "main"}
}

// wanted is what the server wants of the Grafana at a URL.
func wanted(url string) *stack.GrafanaExisting {
	dashboards := []model.Dashboard{{UID: "hearth-nodes", Title: "Nodes", Folder: "Hearth", JSON: []byte(`{"uid": "hearth-nodes", "title": "Nodes", "tags": ["hearth"]}`)}}
	return &stack.GrafanaExisting{
		URL: url, Token: model.SecretKey{Secret: "grafana", Key: "token"},
		Contents: model.Contents{
			Datasources: []model.Datasource{{
				UID: "prometheus", Name: "Prometheus", Type: "prometheus", URL: "http://prometheus-main:9090", JSON: model.JSONData{TimeInterval: "30s"},
				BasicAuthUser: &model.SecretKey{Secret: "web", Key: "username"}, Secure: map[string]model.SecretKey{model.SecurePassword: {Secret: "web", Key: "password"}},
			}},
			Dashboards: dashboards, Folders: model.FoldersOf(dashboards),
		},
	}
}

func (c *shown) want(t *testing.T, w *stack.GrafanaExisting) {
	t.Helper()
	c.grafanas.Want(t.Context(), c.key(), w)
}

// says waits for an outcome, and checks that it has no secret.
func (c *shown) says(t *testing.T, reason string, texts ...string) string {
	t.Helper()
	var message string
	eventually(t, func() error {
		o := c.grafanas.Outcome(c.key())
		if o == nil || o.Reason != reason {
			return fmt.Errorf("outcome %+v, wanted %s", o, reason)
		}
		message = o.Message
		for _, text := range texts {
			if !strings.Contains(message, text) {
				return fmt.Errorf("wanted %q in: %s", text, message)
			}
		}
		return nil
	})
	if strings.Contains(message, grafanaToken) || strings.Contains(message, "a password") {
		t.Errorf("a secret is told: %s", message)
	}
	return message
}

func names(s *grafanatest.Server) []string {
	var out []string
	s.Edit(1, func(o *grafanatest.Org) { out = o.Names() })
	return out
}

// has waits until a Grafana has this much.
func has(t *testing.T, s *grafanatest.Server, n int) {
	t.Helper()
	eventually(t, func() error {
		if got := names(s); len(got) != n {
			return fmt.Errorf("it has %v, wanted %d", got, n)
		}
		return nil
	})
}

// recorded waits until there is a record, or none.
func (c *shown) recorded(t *testing.T, is bool) {
	t.Helper()
	eventually(t, func() error {
		if got := c.get(t, recordName("main"), &corev1.ConfigMap{}); got != is {
			return fmt.Errorf("there is a record: %t", got)
		}
		return nil
	})
}

func TestExistingGrafanaIsKept(t *testing.T) {
	c := newShown(t)
	c.want(t, wanted(c.grafana.URL))
	c.says(t, v1alpha1.ReasonReady, "Grafana 12.1.0 at "+c.grafana.URL+" has 1 datasource and 1 dashboard")
	has(t, c.grafana, 3)
	c.recorded(t, true)
	c.grafana.Edit(1, func(o *grafanatest.Org) {
		if ds := o.DataSource("prometheus"); ds.BasicAuthUser != "grafana" || ds.Secrets["basicAuthPassword"] != "a password" {
			t.Errorf("datasource: %+v", ds)
		}
	})

	// Idle, it only looks, in Grafana and in the cluster.
	c.writes.take()
	c.grafana.TakeRequests()
	c.looked(t)
	if got := grafanatest.Writes(c.grafana.TakeRequests()); len(got) > 0 {
		t.Errorf("idle, it writes %v", got)
	}
	if got := c.writes.take(); len(got) > 0 {
		t.Errorf("idle, it writes %v", got)
	}

	c.grafana.Edit(1, func(o *grafanatest.Org) { o.Delete("hearth-nodes") })
	has(t, c.grafana, 3)

	// Another token in the Secret is noticed, and another place means leaving the first.
	c.grafana.AddToken("glsa_new", 1)
	c.grafana.RevokeToken(grafanaToken)
	c.says(t, v1alpha1.ReasonUnauthorized, "does not take the token in key token of Secret grafana: Invalid API key", "kubectl -n "+c.namespace+" create secret generic grafana")
	must(t, c.api.Update(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: "grafana"}, StringData: map[string]string{"token": "glsa_new"}}))
	c.says(t, v1alpha1.ReasonReady)
	second := newGrafana(t)
	second.AddToken("glsa_new", 1)
	c.want(t, wanted(second.URL))
	has(t, second, 3)
	has(t, c.grafana, 0)

	c.want(t, nil)
	has(t, second, 0)
	c.recorded(t, false)
	if o := c.grafanas.Outcome(c.key()); o != nil {
		t.Errorf("outcome: %+v", o)
	}
}

// looked waits until the Grafana has been looked at twice more.
func (c *shown) looked(t *testing.T) {
	t.Helper()
	looks := 0
	c.grafana.SetMode(grafanatest.Mode{Fail: func(_, path string) (int, string) {
		if path == "/api/health" {
			looks++
		}
		return 0, ""
	}})
	eventually(t, func() error {
		seen := 0
		c.grafana.Edit(1, func(*grafanatest.Org) { seen = looks })
		if seen < 3 {
			return fmt.Errorf("looked %d times", seen)
		}
		return nil
	})
}

func TestExistingGrafanaConflictsAndAdoption(t *testing.T) {
	c := newShown(t)
	c.want(t, wanted(c.grafana.URL))
	c.says(t, v1alpha1.ReasonReady)
	other := newShown(t) // of another cluster, so to say
	other.grafana = c.grafana
	other.want(t, wanted(c.grafana.URL))
	message := other.says(t, v1alpha1.ReasonConflict, "belongs to PrometheusServer "+c.namespace+"/main", "kubectl -n "+other.namespace+" annotate --overwrite prometheusserver main")
	_, id, _ := strings.Cut(message, grafana.AnnotationAdopt+"=")
	id, _, _ = strings.Cut(id, ";")
	if id != string(c.ps.UID) {
		t.Fatalf("to adopt: %q of %s", id, message)
	}
	change(t, other.cluster, "main", other.ps, func(ps *v1alpha1.PrometheusServer) { ps.Annotations = map[string]string{grafana.AnnotationAdopt: id} })
	other.says(t, v1alpha1.ReasonReady, "has 1 datasource and 1 dashboard")
	has(t, c.grafana, 3)
	change(t, other.cluster, "main", other.ps, func(ps *v1alpha1.PrometheusServer) { ps.Annotations = nil })
	c.want(t, nil)
	c.recorded(t, false)
	has(t, c.grafana, 3) // the datasource is other's now, and so are the dashboard and its folder
	other.says(t, v1alpha1.ReasonReady)
}

// The Secrets can be read once the printed commands have run, and not before; with the operator's own rights.
func TestExistingGrafanaTakesAGrant(t *testing.T) {
	c := newShown(t)
	config := rest.CopyConfig(apiServer.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:hearth-system:hearth", Groups: []string{"system:serviceaccounts", "system:authenticated"}}
	operator, err := client.New(config, client.Options{Scheme: c.manager.GetScheme()})
	must(t, err)
	c.operatorsRights(t)
	c.grafanas.client, c.grafanas.reader = operator, operator
	c.want(t, wanted(c.grafana.URL))
	message := c.says(t, v1alpha1.ReasonNotGranted, "Hearth may not read Secret grafana, web of namespace "+c.namespace)
	want := fmt.Sprintf(`kubectl create role hearth-grafana-main -n %[1]s --verb=get --resource=secrets --resource-name=grafana --resource-name=web
kubectl create rolebinding hearth-grafana-main -n %[1]s --role=hearth-grafana-main --serviceaccount=hearth-system:hearth`, c.namespace)
	if !strings.HasSuffix(message, want) {
		t.Errorf("message: %s", message)
	}
	if got := c.grafana.TakeRequests(); len(got) > 0 {
		t.Errorf("without a token it was asked %v", got)
	}
	// What these two commands make.
	c.create(t, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "hearth-grafana-main"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}, ResourceNames: []string{"grafana", "web"}}}})
	c.create(t, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "hearth-grafana-main"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "hearth-grafana-main"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "hearth-system", Name: "hearth"}}})
	c.says(t, v1alpha1.ReasonReady)
	must(t, c.api.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: "web"}}))
	c.says(t, v1alpha1.ReasonSecretsMissing, "Secret web of namespace "+c.namespace+" does not exist")
	has(t, c.grafana, 3)
	c.secret(t, "web", map[string]string{"username": "grafana"})
	c.says(t, v1alpha1.ReasonSecretsMissing, "has no key password, only [username]")
}

// operatorsRights are those of config/rbac, and no more.
func (c *shown) operatorsRights(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "config", "rbac", "role.yaml"))
	must(t, err)
	role := &rbacv1.ClusterRole{}
	must(t, yaml.Unmarshal([]byte(strings.TrimPrefix(string(text), "---")), role))
	role.Name = "test-" + c.namespace
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "hearth-system", Name: "hearth"}}}
	for _, o := range []client.Object{role, binding} {
		must(t, c.api.Create(t.Context(), o))
		t.Cleanup(func() { _ = c.api.Delete(context.WithoutCancel(t.Context()), o) })
	}
	for _, r := range role.Rules {
		// It makes the first password of a Grafana. With any other verb it could read: what is patched comes back as well.
		if slices.Contains(r.Resources, "secrets") && !slices.Equal(r.Verbs, []string{"create"}) {
			t.Errorf("the operator may %v Secrets everywhere", r.Verbs)
		}
	}
}

// A permission that is missing is told in Grafana's words, and what is allowed is done.
func TestExistingGrafanaDenies(t *testing.T) {
	c := newShown(t)
	c.grafana.SetMode(grafanatest.Mode{Fail: func(method, path string) (int, string) {
		if method == http.MethodPost && path == "/api/datasources" {
			return http.StatusForbidden, "You'll need additional permissions to perform this action. Permissions needed: datasources:create"
		}
		return 0, ""
	}})
	c.want(t, wanted(c.grafana.URL))
	c.says(t, v1alpha1.ReasonUnauthorized, "Permissions needed: datasources:create", "Give it the role Admin")
	has(t, c.grafana, 2)
}
