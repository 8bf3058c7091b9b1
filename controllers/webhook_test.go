package controllers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/admission"
	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// hooked is a namespace of an API server that asks the webhook, which is served on loopback.
type hooked struct {
	*cluster
	keeper *admission.Keeper
	server *http.Server
	config *admissionregistrationv1.ValidatingWebhookConfiguration

	mu       sync.Mutex
	later    time.Duration
	warnings []string
}

// HandleWarningHeader notes what kubectl would print.
func (h *hooked) HandleWarningHeader(_ int, _, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.warnings = append(h.warnings, text)
}

func (h *hooked) taken() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.warnings
	h.warnings = nil
	return out
}

func (h *hooked) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Add(h.later)
}

func (h *hooked) advance(by time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.later += by
}

// newHooked makes these objects before there is a webhook.
func newHooked(t *testing.T, before ...client.Object) *hooked {
	t.Helper()
	return newHookedAt(t, 0, before...)
}

// newHookedAt is one whose operator's clock is off by so much.
func newHookedAt(t *testing.T, later time.Duration, before ...client.Object) *hooked {
	t.Helper()
	h := &hooked{cluster: newCluster(t), keeper: &admission.Keeper{}, later: later}
	for _, o := range before {
		h.create(t, o)
	}
	config := rest.CopyConfig(apiServer.config)
	config.WarningHandler = h
	api, err := client.New(config, client.Options{Scheme: h.manager.GetScheme()})
	must(t, err)
	h.api = api
	mux := http.NewServeMux()
	for path, handler := range admission.Handlers(stack.Images{Hearth: "hearth:test", PrometheusVersion: "3.15.0"}, &admission.Recent{}) {
		mux.Handle(path, handler)
	}
	var listening net.ListenConfig
	listener, err := listening.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		_ = h.server.Serve(tls.NewListener(listener, &tls.Config{GetCertificate: h.keeper.Get, MinVersion: tls.VersionTLS12}))
	}()
	t.Cleanup(func() { _ = h.server.Close() })
	h.declare(t, "https://localhost:"+fmt.Sprint(listener.Addr().(*net.TCPAddr).Port))
	return h
}

// declare makes what config/webhook makes, but for the way to the webhook: this API server can reach no Service.
func (h *hooked) declare(t *testing.T, address string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "config", "webhook", "webhook.yaml"))
	must(t, err)
	h.config = &admissionregistrationv1.ValidatingWebhookConfiguration{}
	must(t, yaml.UnmarshalStrict(text, h.config))
	for i := range h.config.Webhooks {
		c := &h.config.Webhooks[i].ClientConfig
		url := address + *c.Service.Path
		*c = admissionregistrationv1.WebhookClientConfig{URL: &url}
	}
	must(t, h.api.Create(t.Context(), h.config))
	t.Cleanup(func() {
		if err := h.api.Delete(context.WithoutCancel(t.Context()), h.config); err != nil {
			t.Errorf("the webhook is left behind: %v", err)
		}
	})
	h.create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: WebhookName}})
	must(t, h.manager.Add(&WebhookCertificate{
		Client: h.api, Reader: h.api, Keeper: h.keeper, Namespace: h.namespace, ServerName: "localhost", Look: 50 * time.Millisecond, Now: h.now,
	}))
}

// ruleOf is an AlertRule with one expression.
func ruleOf(name, expr string) *v1alpha1.AlertRule {
	return &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.AlertRuleSpec{
		Groups: []v1alpha1.RuleGroup{{Name: "checkout", Rules: []v1alpha1.Rule{{Alert: "TooSlow", Expr: v1alpha1.Expression(expr), For: "5m"}}}},
	}}
}

// refusesRules waits until a bad rule is refused, and is what its author is told: the API server takes a moment to see a
// configuration. Only Invalid is the webhook's answer; any other error is something else that does not work.
func (h *hooked) refusesRules(t *testing.T) string {
	t.Helper()
	var refused error
	eventually(t, func() error {
		bad := ruleOf("bad", "sum(rate(x[5m])")
		bad.Namespace = h.namespace
		refused = h.api.Create(t.Context(), bad, client.DryRunAll)
		if refused == nil {
			return errors.New("a bad rule was taken")
		}
		return nil
	})
	if !apierrors.IsInvalid(refused) {
		t.Errorf("refused with another reason than Invalid: %v", refused)
	}
	return refused.Error()
}

// refusal waits until something is refused, and returns what its author is told, with this in it. The webhook fails open: the API
// server of a machine that is busy may give it up now and then, and so may the webhook a unit test. So only dry runs are tried.
func (h *hooked) refusal(t *testing.T, want string, try func() error) string {
	t.Helper()
	text := ""
	eventually(t, func() error {
		err := try()
		if err == nil {
			return errors.New("it was taken")
		}
		if text = err.Error(); !strings.Contains(text, want) {
			return fmt.Errorf("refused without %q: %w", want, err)
		}
		return nil
	})
	return text
}

func (h *hooked) leaf(t *testing.T) *x509.Certificate {
	t.Helper()
	cert, err := h.keeper.Get(nil)
	must(t, err)
	return cert.Leaf
}

func TestWebhookAnswersAtApply(t *testing.T) {
	h := newHooked(t)
	refused := h.refusesRules(t)
	for _, want := range []string{`AlertRule.monitoring.hearth.dev "bad" is invalid`, "spec.groups[checkout].rules[0] (TooSlow)", "1:16: parse error"} {
		if !strings.Contains(refused, want) {
			t.Errorf("want: %s\ngot:  %s", want, refused)
		}
	}
	good := ruleOf("good", "sum(rate(x[5m])) > 1")
	h.create(t, good)
	good.Spec.Groups[0].Rules[0].Expr = "sum("
	h.refusal(t, "", func() error { return h.api.Update(t.Context(), good.DeepCopy(), client.DryRunAll) })

	t.Run("doubts are shown and stop nothing", func(t *testing.T) {
		doubtful := ruleOf("doubtful", "up == 0")
		g := &doubtful.Spec.Groups[0]
		g.Rules = append(g.Rules, g.Rules[0])
		doubtful.Namespace = h.namespace
		eventually(t, func() error {
			h.taken()
			must(t, h.api.Create(t.Context(), doubtful.DeepCopy(), client.DryRunAll))
			if got := strings.Join(h.taken(), "\n"); !strings.Contains(got, "spec.groups[checkout].rules[1] (TooSlow): has the name and the labels of") {
				return fmt.Errorf("warned of: %s", got)
			}
			return nil
		})
	})
	t.Run("a unit test that fails", func(t *testing.T) {
		tested := ruleOf("tested", "up == 0")
		must(t, yaml.Unmarshal([]byte(`[{name: down, input_series: [{series: 'up{job="a"}', values: '0x60'}],
			alert_rule_test: [{eval_time: 1h, alertname: TooSlow}]}]`), &tested.Spec.Tests))
		tested.Namespace = h.namespace
		refused := h.refusal(t, "spec.tests[0] (down)", func() error { return h.api.Create(t.Context(), tested.DeepCopy(), client.DryRunAll) })
		if !strings.Contains(refused, `got:[`) {
			t.Errorf("want a refusal that says what was expected and what came, got: %s", refused)
		}
		tested.Spec.Tests[0].AlertRuleTest = nil
		must(t, h.api.Create(t.Context(), tested))
	})
	t.Run("a server that cannot work", func(t *testing.T) {
		ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: "main"}, Spec: v1alpha1.PrometheusServerSpec{
			ExternalLabels: map[string]string{"a-b": "c"},
		}}
		ps.Namespace = h.namespace
		h.refusal(t, "spec.externalLabels[a-b]", func() error { return h.api.Create(t.Context(), ps.DeepCopy(), client.DryRunAll) })
		ps.Spec.ExternalLabels = nil
		must(t, h.api.Create(t.Context(), ps))
	})
}

// Fewer shards are warned of, more are not.
func TestWebhookWarnsOfFewerShards(t *testing.T) {
	h := newHooked(t)
	ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: "sharded"}, Spec: v1alpha1.PrometheusServerSpec{Shards: new(int32(3))}}
	must(t, h.api.Create(t.Context(), ps))
	// Whether a webhook that was just registered is asked already is up to the API server, so what is to be warned of comes first.
	eventually(t, func() error {
		got, err := h.warnedOf(t, ps, 1)
		if want := "from 3 to 1: the samples of the shards from 1 on are kept in their claims, data-prometheus-sharded-shard-1-<replica>"; !strings.Contains(got, want) {
			return fmt.Errorf("warned of: %s, error %w", got, err)
		}
		return nil
	})
	eventually(t, func() error {
		got, err := h.warnedOf(t, ps, 4)
		if strings.Contains(got, "samples") {
			t.Errorf("of more shards: %s", got)
		}
		return err
	})
}

// warnedOf is what an update to so many shards would be answered with.
func (h *hooked) warnedOf(t *testing.T, ps *v1alpha1.PrometheusServer, shards int32) (string, error) {
	t.Helper()
	h.taken()
	must(t, h.api.Get(t.Context(), client.ObjectKeyFromObject(ps), ps))
	ps.Spec.Shards = &shards
	err := h.api.Update(t.Context(), ps, client.DryRunAll)
	return strings.Join(h.taken(), "\n"), err
}

// What was there before the webhook, and what is kept from it, is not stopped while other bad rules are.
func TestWebhookLeavesAlone(t *testing.T) {
	before := ruleOf("before", "sum(")
	h := newHooked(t, before)
	h.refusesRules(t)
	t.Run("what is in the cluster already can be labelled, and deleted", func(t *testing.T) {
		before.Labels = map[string]string{"team": "infra"}
		must(t, h.api.Update(t.Context(), before))
		before.Status.Loaded = "0/1"
		must(t, h.api.Status().Update(t.Context(), before))
		must(t, h.api.Delete(t.Context(), before))
	})
	t.Run("a namespace that is left out", func(t *testing.T) {
		var ns corev1.Namespace
		must(t, h.api.Get(t.Context(), client.ObjectKey{Name: h.namespace}, &ns))
		ns.Labels["monitoring.hearth.dev/validate"] = "false"
		must(t, h.api.Update(t.Context(), &ns))
		eventually(t, func() error {
			bad := ruleOf("bad", "sum(")
			bad.Namespace = h.namespace
			return h.api.Create(t.Context(), bad, client.DryRunAll)
		})
	})
}

func TestWebhookThatIsAwayStopsNobody(t *testing.T) {
	h := newHooked(t)
	h.refusesRules(t)
	must(t, h.server.Close())
	h.create(t, ruleOf("bad", "sum("))
}

func TestWebhookCertificate(t *testing.T) {
	// The first one was made two months ago.
	h := newHookedAt(t, -61*24*time.Hour)
	h.refusesRules(t)
	first := h.leaf(t)

	// Nothing changes while nothing has to.
	secret := &corev1.Secret{}
	h.get(t, WebhookName, secret)
	time.Sleep(300 * time.Millisecond)
	again := &corev1.Secret{}
	h.get(t, WebhookName, again)
	if secret.ResourceVersion != again.ResourceVersion {
		t.Error("the Secret is written for nothing")
	}

	// Somebody takes the authority out of the configuration.
	eventually(t, func() error {
		must(t, h.api.Get(t.Context(), client.ObjectKey{Name: WebhookName}, h.config))
		h.config.Webhooks[0].ClientConfig.CABundle = nil
		return h.api.Update(t.Context(), h.config)
	})
	h.refusesRules(t)

	// A month before it expires there is another, and the first one's authority is still trusted.
	h.advance(61 * 24 * time.Hour)
	eventually(t, func() error {
		if h.leaf(t).Equal(first) {
			return errors.New("the certificate was not renewed")
		}
		return nil
	})
	h.get(t, WebhookName, secret)
	if n := strings.Count(string(secret.Data["ca.crt"]), "BEGIN"); n != 2 {
		t.Errorf("%d authorities are trusted right after a renewal, want the old and the new one", n)
	}
	h.refusesRules(t)

	// Somebody empties the Secret.
	second := h.leaf(t)
	change(t, h.cluster, WebhookName, secret, func(s *corev1.Secret) { s.Data = nil })
	eventually(t, func() error {
		if h.leaf(t).Equal(second) {
			return errors.New("the certificate was not made again")
		}
		return nil
	})
	h.refusesRules(t)
}

// Two replicas of the operator share one Secret.
func TestWebhookOfTwoReplicas(t *testing.T) {
	h := newHooked(t)
	other := &admission.Keeper{}
	w := &WebhookCertificate{Client: h.api, Reader: h.api, Keeper: other, Namespace: h.namespace, ServerName: "localhost", Now: h.now}
	eventually(t, func() error { return w.sync(t.Context()) })
	h.refusesRules(t)
	mine, err := other.Get(nil)
	must(t, err)
	if !h.leaf(t).Equal(mine.Leaf) {
		t.Error("the replicas answer with two certificates")
	}
}
