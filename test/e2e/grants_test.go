package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// A tenant's receiver has a credential in a Secret of the tenant's namespace. The condition has the commands that grant it,
// they do, and when the grant is taken back the credential is gone from the pod.
func TestGrantsOfAnotherNamespace(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	needRoot(t)
	hook := newHook(t)
	tenant := g.servers + "-team"
	g.namespace(tenant, "restricted")
	const credential = "the-tenants-own-word"
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "token"}, StringData: map[string]string{"word": credential}}
	rule := g.rule("own", alert("Own", "vector(1)"))
	rule.Namespace = tenant
	rule.Spec.Receivers = []v1alpha1.Receiver{{Name: "own", Webhook: []v1alpha1.WebhookReceiver{{URL: v1alpha1.URL(hook.url + "/own"), HTTPConfig: &v1alpha1.HTTPConfig{
		Authorization: &v1alpha1.Authorization{Credentials: v1alpha1.SecretKey{Name: "token", Key: "word"}},
	}}}}}
	rule.Spec.Notify = []v1alpha1.Notify{{Receiver: "own"}}
	g.create(secret, rule)
	ps := g.alertingWith(hook, 1, func(ps *v1alpha1.PrometheusServer) {
		ps.Spec.Rules.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: tenant}}
	})

	commands := g.grantCommands(rule)
	hook.await(t, "/default", "Own")
	for _, command := range commands {
		kubectl(t, strings.Fields(command)[1:]...)
	}
	start := time.Now()
	eventually(t, time.Minute, func() error {
		_, err := g.routed(rule, metav1.ConditionTrue)
		return err
	})
	hook.await(t, "/own", "Own")
	t.Logf("told with the credential %s after the commands", time.Since(start).Round(100*time.Millisecond))
	for _, n := range hook.at("/own", "Own") {
		if n.authorization != "Bearer "+credential {
			t.Errorf("it came with %q, want the tenant's credential", n.authorization)
		}
	}
	g.unfit(ps, tenant)
	// The revision before this one goes a moment after this one is loaded.
	eventually(t, 30*time.Second, func() error { return g.holds(ps, credential, 1) })

	kubectl(t, "delete", "rolebinding", "-n", tenant, "alertmanager-main-token")
	start = time.Now()
	g.grantCommands(rule)
	eventually(t, time.Minute, func() error { return g.holds(ps, credential, 0) })
	t.Logf("gone from the status and the pod %s after the grant", time.Since(start).Round(100*time.Millisecond))
	other := g.rule("other", alert("Other", "vector(1)"))
	other.Namespace, other.Spec.Notify = tenant, rule.Spec.Notify
	g.create(other)
	hook.await(t, "/default", "Other")
	if hook.got("/own", "Other") {
		t.Error("the receiver is told without its credential")
	}
}

// unfit has the tenant name as a certificate what is none: that is the tenant's own trouble, and does not keep the Alertmanager
// from loading what others declare.
func (g *ground) unfit(ps *v1alpha1.PrometheusServer, tenant string) {
	g.t.Helper()
	rule := g.rule("unfit", alert("Unfit", "vector(1)"))
	rule.Namespace = tenant
	rule.Spec.Receivers = []v1alpha1.Receiver{{Name: "unfit", Webhook: []v1alpha1.WebhookReceiver{{URL: "https://127.0.0.1:9/", HTTPConfig: &v1alpha1.HTTPConfig{
		TLS: &v1alpha1.ClientTLS{CA: &v1alpha1.SecretKey{Name: "ca", Key: "ca.crt"}},
	}}}}}
	g.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "ca"}, StringData: map[string]string{"ca.crt": "not a certificate"}}, rule)
	for _, command := range g.grantCommands(rule) {
		kubectl(g.t, strings.Fields(command)[1:]...)
	}
	message, took := g.awaitMessage(time.Minute, rule, v1alpha1.ConditionRouted, "its key ca.crt is no certificate in PEM")
	g.t.Logf("after %s: %s", took, message)
	g.await(time.Minute, ps, v1alpha1.ConditionAlertmanagerReady, metav1.ConditionTrue, "")
}

// grantCommands waits until the condition says that a Secret is not granted, and returns what it says to do.
func (g *ground) grantCommands(rule *v1alpha1.AlertRule) []string {
	g.t.Helper()
	var commands []string
	took := eventually(g.t, 2*time.Minute, func() error {
		message, err := g.routed(rule, metav1.ConditionFalse)
		commands = regexp.MustCompile(`(?m)^kubectl create .*$`).FindAllString(message, -1)
		if err == nil && len(commands) != 2 {
			err = fmt.Errorf("want two commands: %s", message)
		}
		return err
	})
	g.t.Logf("after %s the condition says:\n%s", took, strings.Join(commands, "\n"))
	return commands
}

// kubectl does what somebody does who follows a condition's advice.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	binary, err := exec.LookPath("kubectl")
	if err != nil {
		binary = "../../bin/kube/kubectl" // the local cluster's
	}
	command := exec.CommandContext(t.Context(), binary, append([]string{"--kubeconfig", os.Getenv(kubeconfigVariable)}, args...)...) //nolint:gosec // what a condition says is what is tested
	out, err := command.CombinedOutput()
	t.Logf("kubectl %s: %d bytes\n%.500s", strings.Join(args, " "), len(out), out)
	must(t, err)
	return string(out)
}

// holds is nil if that many of the files that the Alertmanager can read have a text.
func (g *ground) holds(ps *v1alpha1.PrometheusServer, content string, want int) error {
	g.t.Helper()
	root := filepath.Join("/proc", strconv.Itoa(g.process(ps.Namespace, "alertmanager-"+ps.Name+"-0", "alertmanager")), "root/etc/alertmanager")
	var found []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // in a pod of this test's own
		if bytes.Contains(text, []byte(content)) {
			found = append(found, path)
		}
		return err
	})
	if err == nil && len(found) != want {
		err = fmt.Errorf("%d files have the content, want %d: %v", len(found), want, found)
	}
	return err
}
