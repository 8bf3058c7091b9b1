package amconfig

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"

	amtemplate "github.com/prometheus/alertmanager/template"
	"go.yaml.in/yaml/v3"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// Receiver is a declared receiver as it is written: a checked one has neither missing credentials nor what Alertmanager
// would refuse.
type Receiver struct {
	// Name in the file: the server's receivers have their own, those of a namespace are <namespace>/<name>.
	Name string
	// Secrets are the keys that it names, by the name of the Secret, sorted.
	Secrets map[string][]string
	// TLS are those of the keys that are used for TLS, by the name of the Secret.
	TLS map[string][]bundle.TLSKeys

	config receiver
}

// ServerReceiver is a receiver of a PrometheusServer.
func ServerReceiver(of *v1alpha1.Receiver) (Receiver, error) {
	return newReceiver(of, of.Name, &writer{dir: SecretsDir})
}

// TenantReceiver is a receiver that an AlertRule of the namespace defines.
func TenantReceiver(namespace string, of *v1alpha1.Receiver) (Receiver, error) {
	return newReceiver(of, TenantName(namespace, of.Name), &writer{dir: GrantedDir + "/" + namespace, tenant: true})
}

// TenantName is the name in the file of a receiver that an AlertRule of the namespace defines. A server's has no slash.
func TenantName(namespace, name string) string { return namespace + "/" + name }

// newReceiver writes a receiver and has Alertmanager's own loader check it alone, so that whoever wrote it is told, and
// nobody else.
func newReceiver(of *v1alpha1.Receiver, name string, w *writer) (Receiver, error) {
	w.secrets, w.tlsKeys = map[string]map[string]bool{}, map[string][]bundle.TLSKeys{}
	out := Receiver{Name: name, config: receiver{Name: name}}
	out.chat(of, w)
	out.page(of, w)
	if len(w.errs) > 0 {
		return Receiver{}, errors.Join(w.errs...)
	}
	if err := out.templates(); err != nil {
		return Receiver{}, err
	}
	alone := configuration{Route: route{Receiver: name}, Receivers: []receiver{out.config}}
	if _, err := alone.text(); err != nil {
		return Receiver{}, err
	}
	out.Secrets = make(map[string][]string, len(w.secrets))
	for secret, keys := range w.secrets {
		out.Secrets[secret] = slices.Sorted(maps.Keys(keys))
	}
	out.TLS = w.tlsKeys
	return out, nil
}

func (r *Receiver) chat(of *v1alpha1.Receiver, w *writer) {
	r.config.Slack = located(w, "slack", of.Slack, w.slack)
	r.config.Discord = located(w, "discord", of.Discord, w.discord)
	r.config.MSTeams = located(w, "msTeams", of.MSTeams, w.msTeams)
	r.config.Telegram = located(w, "telegram", of.Telegram, w.telegram)
	r.config.Webex = located(w, "webex", of.Webex, w.webex)
	r.config.RocketChat = located(w, "rocketChat", of.RocketChat, w.rocketChat)
}

func (r *Receiver) page(of *v1alpha1.Receiver, w *writer) {
	r.config.Webhook = located(w, "webhook", of.Webhook, w.webhook)
	r.config.PagerDuty = located(w, "pagerDuty", of.PagerDuty, w.pagerDuty)
	r.config.Email = located(w, "email", of.Email, w.email)
	r.config.Opsgenie = located(w, "opsgenie", of.Opsgenie, w.opsgenie)
	r.config.Pushover = located(w, "pushover", of.Pushover, w.pushover)
	r.config.VictorOps = located(w, "victorOps", of.VictorOps, w.victorOps)
	r.config.SNS = located(w, "sns", of.SNS, w.sns)
	r.config.Jira = located(w, "jira", of.Jira, w.jira)
}

// located converts the items of a list and says of each error in which item it is.
func located[A, B any](w *writer, name string, of []A, convert func(A) B) []B {
	i := 0
	return each(of, func(a A) B {
		before := len(w.errs)
		out := convert(a)
		for e := range w.errs[before:] {
			w.errs[before+e] = fmt.Errorf("%s[%d]: %w", name, i, w.errs[before+e])
		}
		i++
		return out
	})
}

// templates parses every text that has a template in it. Alertmanager does so when it notifies, which is too late.
func (r *Receiver) templates() error {
	var node yaml.Node
	if err := node.Encode(r.config); err != nil {
		return err
	}
	var errs []error
	scalars(&node, "", func(at, text string) {
		if !strings.Contains(text, "{{") {
			return
		}
		if _, err := template.New("").Funcs(template.FuncMap(amtemplate.DefaultFuncs)).Parse(text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", at, err))
		}
	})
	return errors.Join(errs...)
}

// scalars visits every text below a node with where it is.
func scalars(n *yaml.Node, at string, visit func(at, text string)) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			scalars(n.Content[i+1], strings.TrimPrefix(at+"."+n.Content[i].Value, "."), visit)
		}
	case yaml.ScalarNode:
		visit(at, n.Value)
	default:
		for i, item := range n.Content {
			next := at
			if n.Kind == yaml.SequenceNode {
				next = fmt.Sprintf("%s[%d]", at, i)
			}
			scalars(item, next, visit)
		}
	}
}
