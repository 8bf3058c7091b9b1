package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// An alert goes from kubectl apply to the receiver of its own AlertRule, with a Secret that its namespace has granted, and
// until it is granted, and for every other alert, to the server's.
func TestNotify(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	hook := newHook(t)
	ps := g.server()
	ps.Spec.Alerting = &v1alpha1.Alerting{
		Alertmanager: &v1alpha1.Alertmanager{},
		Receivers:    []v1alpha1.Receiver{{Name: "default", Webhook: []v1alpha1.WebhookReceiver{{URL: v1alpha1.URL(hook.url + "/default")}}}},
		Route:        &v1alpha1.Route{Receiver: "default", Grouping: v1alpha1.Grouping{GroupWait: "1s", GroupInterval: "2s"}},
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: "hook"}, StringData: map[string]string{"url": hook.url + "/team"}}
	own := g.rule("own", alert("Own", "vector(1)"))
	own.Spec.Receivers = []v1alpha1.Receiver{{Name: "team", Webhook: []v1alpha1.WebhookReceiver{{URLSecret: &v1alpha1.SecretKey{Name: "hook", Key: "url"}}}}}
	own.Spec.Notify = []v1alpha1.Notify{{Receiver: "team", Grouping: v1alpha1.Grouping{GroupWait: "0s"}}}
	g.create(secret, ps, own, g.rule("other", alert("Other", "vector(1)")))
	g.await(3*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")

	// The condition has the commands that grant the Secret; here they are done by other means.
	var commands [][]string
	eventually(t, time.Minute, func() error {
		c, err := g.routed(own, metav1.ConditionFalse)
		commands = regexp.MustCompile(`kubectl create (role|rolebinding) (\S+) -n (\S+) (.*)`).FindAllStringSubmatch(c, -1)
		if err == nil && len(commands) != 2 {
			err = fmt.Errorf("no commands in: %s", c)
		}
		if err == nil {
			t.Log(c)
		}
		return err
	})
	hook.await(t, "/default", "Own")
	hook.await(t, "/default", "Other")

	start := time.Now()
	account := g.grant(commands)
	eventually(t, time.Minute, func() error {
		_, err := g.routed(own, metav1.ConditionTrue)
		return err
	})
	t.Logf("granted to %s; Routed after %s", account, time.Since(start).Round(100*time.Millisecond))
	hook.await(t, "/team", "Own")
	if hook.got("/team", "Other") {
		t.Error("an alert of another AlertRule came to this one's receiver")
	}
	want := []v1alpha1.AlertRoute{{Server: g.servers + "/main", Group: "own-group", Alert: "Own",
		Receivers: []v1alpha1.RoutedReceiver{{Receiver: g.servers + "/team"}}}}
	if got := own.Status.Routes; text(got) != text(want) {
		t.Errorf("status.routes is %s, want %s", text(got), text(want))
	}

	// With everything in place: from kubectl apply to the receiver.
	late := g.rule("late", alert("Late", "vector(1)"))
	late.Spec.Notify = own.Spec.Notify
	start = time.Now()
	g.create(late)
	hook.await(t, "/team", "Late")
	t.Logf("from apply to the receiver in %s", time.Since(start).Round(100*time.Millisecond))
}

// routed is the message of Routed, once it has this status for what is declared.
func (g *ground) routed(ar *v1alpha1.AlertRule, status metav1.ConditionStatus) (string, error) {
	if err := g.get(ar); err != nil {
		return "", err
	}
	for _, c := range ar.Status.Conditions {
		if c.Type == v1alpha1.ConditionRouted && c.Status == status && c.ObservedGeneration == ar.Generation {
			return c.Message, nil
		}
	}
	return "", fmt.Errorf("Routed is not %s: %s", status, text(ar.Status))
}

// grant does what the two commands do, and returns the account that may read the Secret now.
func (g *ground) grant(commands [][]string) string {
	g.t.Helper()
	flag := func(command, name string) string {
		for _, word := range strings.Fields(command) {
			if value, ok := strings.CutPrefix(word, "--"+name+"="); ok {
				return value
			}
		}
		g.t.Fatalf("%s has no --%s", command, name)
		return ""
	}
	role, binding := commands[0], commands[1]
	account := flag(binding[4], "serviceaccount")
	namespace, name, _ := strings.Cut(account, ":")
	g.create(&rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: role[2], Namespace: role[3]},
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{flag(role[4], "resource")},
			ResourceNames: []string{flag(role[4], "resource-name")}, Verbs: []string{flag(role[4], "verb")}}},
	}, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: binding[2], Namespace: binding[3]},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: flag(binding[4], "role")},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
	})
	return account
}
