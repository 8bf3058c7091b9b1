package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// idle is how long nothing may be written. A read that is held open ends and begins again in that time.
const idle = 65 * time.Second

// Once everything works nobody writes anything, and the operator's own metrics, which only who may can read, say the same.
// Not parallel: the other tests make the operator write.
func TestIdle(t *testing.T) {
	g := newGround(t)
	g.full()
	read := g.operatorMetrics()
	all := append(slices.Clone(childKinds), ownKinds...)
	settled := g.settled(all)
	requests, others := read(t), g.others()
	t.Logf("watching %d objects for %s: %v", len(settled), idle, kindsOf(t, settled))
	select {
	case <-time.After(idle):
	case <-t.Context().Done():
		return
	}
	after, err := g.list(all)
	must(t, err)
	for name, o := range after {
		switch was, ok := settled[name]; {
		case !ok:
			t.Errorf("%s is new: %s", name, text(o.Object))
		case was.GetResourceVersion() != o.GetResourceVersion():
			t.Errorf("%s was written, by %s\n%s", name, manager(o), cmp.Diff(was.Object, o.Object))
		}
	}
	for name := range settled {
		if after[name] == nil {
			t.Errorf("%s is gone", name)
		}
	}
	g.wrote(requests, read(t), cmp.Diff(others, g.others()))
}

// others are the versions of what somebody else declared on this cluster, such as the samples.
func (g *ground) others() map[string]string {
	g.t.Helper()
	out := map[string]string{}
	for _, k := range ownKinds {
		var list unstructured.UnstructuredList
		list.SetGroupVersionKind(k)
		must(g.t, kube.api.List(g.t.Context(), &list))
		for _, o := range list.Items {
			if o.GetNamespace() != g.servers && o.GetNamespace() != g.nodes {
				out[k.Kind+" "+o.GetNamespace()+"/"+o.GetName()] = o.GetResourceVersion()
			}
		}
	}
	return out
}

// settled waits until nothing of these kinds changed for a while.
func (g *ground) settled(kinds []kind) objects {
	g.t.Helper()
	const quiet = 5 * time.Second
	var last objects
	since := time.Now()
	took := eventually(g.t, 3*time.Minute, func() error {
		now, err := g.list(kinds)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(versions(last), versions(now)); diff != "" {
			last, since = now, time.Now()
			return fmt.Errorf("still changing:\n%s", diff)
		}
		if time.Since(since) < quiet {
			return errors.New("it has only just settled")
		}
		return nil
	})
	g.t.Logf("settled after %s", took-quiet)
	return last
}

// wrote compares the counts of the operator's requests. What it may do is to renew its lease (PUT), and to ask who it is
// that reads its metrics (POST, two for each reading). If something changed that isn't this test's, nothing can be said.
func (g *ground) wrote(before, after map[string]float64, others string) {
	g.t.Helper()
	g.t.Logf("the operator's requests by method: %v before, %v after", before, after)
	if others != "" {
		g.t.Logf("not compared, because other objects changed:\n%s", others)
		return
	}
	allowed := map[string]float64{http.MethodGet: 1000, http.MethodPut: idle.Seconds(), http.MethodPost: 2}
	for method, n := range after {
		if made := n - before[method]; made > allowed[method] {
			g.t.Errorf("the operator made %v %s requests while idle", made, method)
		}
	}
}

// operatorMetrics checks who may read the operator's metrics, and returns how to read the number of its requests to the
// API server, by method.
func (g *ground) operatorMetrics() func(*testing.T) map[string]float64 {
	g.t.Helper()
	address := net.JoinHostPort(operatorPod(g.t.Context()).Status.PodIP, "8443")
	if conn, err := net.DialTimeout("tcp", address, 5*time.Second); err != nil {
		g.t.Logf("pods can't be reached from here, so the operator's metrics are not looked at: %v", err)
		return func(*testing.T) map[string]float64 { return nil }
	} else if err := conn.Close(); err != nil {
		g.t.Log(err)
	}
	reader, stranger := g.account("reader"), g.account("stranger")
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: g.servers + "-metrics-reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "hearth-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: g.servers, Name: "reader"}},
	}
	g.create(binding)
	g.t.Cleanup(func() {
		if err := kube.api.Delete(context.WithoutCancel(g.t.Context()), binding); client.IgnoreNotFound(err) != nil {
			g.t.Error(err)
		}
	})
	for _, c := range []struct {
		who, token string
		want       int
	}{
		{"nobody", "", http.StatusUnauthorized},
		// To controller-runtime a token that the API server does not know is an error like any other.
		{"a liar", "made-up", http.StatusInternalServerError},
		{"a stranger", stranger, http.StatusForbidden},
		{"a reader", reader, http.StatusOK},
	} {
		// The API server's authorizer learns of the binding a moment after it was made.
		eventually(g.t, time.Minute, func() error {
			status, body, err := readMetrics(g.t.Context(), address, c.token)
			if err == nil && status != c.want {
				err = fmt.Errorf("%s gets %d, want %d", c.who, status, c.want)
			}
			if err == nil {
				g.t.Logf("https://%s/metrics for %s: %d, %d bytes", address, c.who, status, len(body))
			}
			return err
		})
	}
	return func(t *testing.T) map[string]float64 {
		t.Helper()
		_, body, err := readMetrics(t.Context(), address, reader)
		must(t, err)
		out := map[string]float64{}
		for _, e := range exposition(t, body)["rest_client_requests_total"] {
			out[e.labels["method"]] += e.value
		}
		return out
	}
}

// account makes a ServiceAccount and returns a token of it.
func (g *ground) account(name string) string {
	g.t.Helper()
	g.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: name}})
	token, err := kube.typed.CoreV1().ServiceAccounts(g.servers).CreateToken(g.t.Context(), name, &authv1.TokenRequest{}, metav1.CreateOptions{})
	must(g.t, err)
	return token.Status.Token
}

func readMetrics(ctx context.Context, address, token string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/metrics", nil)
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the certificate is made by the process itself
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}
