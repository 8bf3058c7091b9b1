package stack

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/amconfig"
	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// Routing is what becomes of a server's receivers and routes and of those of the AlertRules it selects.
type Routing struct {
	// Config is what alertmanager.yml is made of.
	Config amconfig.Routing
	// Mounted are the Secrets of the server's namespace that its own receivers name, with the keys, which the kubelet
	// mounts below amconfig.SecretsDir.
	Mounted map[string][]string
	// Verdicts has an entry for every selected AlertRule that has receivers or notify, sorted by namespace and name.
	Verdicts []RouteVerdict
	// Pending is true while nobody has looked at one of the selected AlertRules yet, as after a start of the operator. What
	// is published must stay until then, if there is something: its routes may be in it.
	Pending bool
}

// RouteVerdict says what of an AlertRule's receivers and notify can't be had. What of it can is routed.
type RouteVerdict struct {
	Namespace, Name string
	// Notifies is true if it has entries in notify.
	Notifies bool
	// Problems, each with its field; none if all is as declared.
	Problems []string
}

// Grants is what the Alertmanager's pods say about the Secrets that AlertRules name.
type Grants struct {
	// Secrets that a pod has tried to read, by namespace/name.
	Secrets map[string]Grant
	// Routed are the receivers in the published alertmanager.yml. As long as no pod has said anything about their Secrets,
	// as after a start of the operator, they stay.
	Routed map[string]bool
}

// Grant says what became of reading one Secret.
type Grant struct {
	// Problem is why it could not be read, empty if it could.
	Problem string
	// Forbidden is true if the namespace has not granted it.
	Forbidden bool
	// MissingKeys are wanted and not in it.
	MissingKeys []string
}

// routed is an AlertRule that has something to say about routing.
type routed struct {
	namespace, name string
	created         metav1.Time
	*amconfig.Contribution
}

func (r routed) String() string { return r.namespace + "/" + r.name }

// resolveRouting resolves every name. What is wrong in the server's own part is an error of the server; what is wrong in an
// AlertRule is said in the verdict on it and concerns nobody else.
func resolveRouting(in Inputs, rules Rules, path *field.Path) (*Routing, field.ErrorList) {
	alerting := in.Server.Spec.Alerting
	if alerting == nil || alerting.Alertmanager == nil {
		return nil, nil
	}
	r := &resolver{in: in, alerting: alerting, known: map[string]string{}, wanted: map[string]bundle.WantedSecret{},
		out: &Routing{Mounted: map[string][]string{}, Pending: rules.pending}}
	errs := r.server(path)
	if len(errs) > 0 {
		return nil, errs
	}
	r.tenants(rules.routed)
	return r.out, nil
}

// resolver holds what resolveRouting has found out so far.
type resolver struct {
	in       Inputs
	alerting *v1alpha1.Alerting
	out      *Routing
	// known are the receivers, by their name in the file, with what is in the way of using them, "" for nothing.
	known  map[string]string
	wanted map[string]bundle.WantedSecret
	// owners are the AlertRules that define a receiver.
	owners map[string]routed
}

// tenants adds the receivers of every AlertRule and then the routes, because a route may name a receiver of another
// AlertRule of its namespace.
func (r *resolver) tenants(rules []routed) {
	r.owners = owners(rules)
	problems := make([][]string, len(rules))
	for i, rule := range rules {
		problems[i] = r.receivers(rule)
	}
	for i, rule := range rules {
		more := r.notify(rule)
		r.out.Verdicts = append(r.out.Verdicts, RouteVerdict{
			Namespace: rule.namespace, Name: rule.name, Notifies: len(rule.Entries) > 0, Problems: append(problems[i], more...),
		})
	}
	for _, name := range slices.Sorted(maps.Keys(r.wanted)) {
		w := r.wanted[name]
		slices.Sort(w.Keys)
		w.Keys = slices.Compact(w.Keys)
		w.TLS = bundle.SortedTLS(w.TLS)
		r.out.Config.Granted = append(r.out.Config.Granted, w)
	}
}

// owners decides who defines a receiver that several AlertRules of a namespace define: the oldest.
func owners(rules []routed) map[string]routed {
	out := map[string]routed{}
	for _, rule := range rules {
		for _, c := range rule.Receivers {
			name := amconfig.TenantName(rule.namespace, c.Name)
			if first, taken := out[name]; !taken || older(rule, first) {
				out[name] = rule
			}
		}
	}
	return out
}

func older(a, b routed) bool {
	if !a.created.Time.Equal(b.created.Time) {
		return a.created.Time.Before(b.created.Time)
	}
	return a.name < b.name
}

// receivers takes up those of an AlertRule and returns what is wrong with them.
func (r *resolver) receivers(rule routed) []string {
	var problems []string
	for _, c := range rule.Receivers {
		name := amconfig.TenantName(rule.namespace, c.Name)
		at := fmt.Sprintf("spec.receivers[%s]: ", c.Name)
		if owner := r.owners[name]; owner.name != rule.name {
			problems = append(problems, fmt.Sprintf("%sAlertRule %s defines a receiver of this name already, and a name counts for the whole namespace: rename or remove one of them", at, owner))
			continue
		}
		if c.Problem != "" {
			problems = append(problems, c.Problem)
			r.known[name] = "is not valid"
			continue
		}
		if why := r.secrets(rule.namespace, c.Receiver); len(why) > 0 {
			problems = append(problems, at+strings.Join(why, "\n"))
			r.known[name] = "does not have its Secret"
			continue
		}
		r.known[name] = ""
		r.out.Config.Receivers = append(r.out.Config.Receivers, c.Receiver)
	}
	return problems
}

// secrets wants those of a receiver, and says why those are not to be had that are not.
func (r *resolver) secrets(namespace string, receiver amconfig.Receiver) []string {
	var why []string
	for _, secret := range slices.Sorted(maps.Keys(receiver.Secrets)) {
		keys := receiver.Secrets[secret]
		id := namespace + "/" + secret
		w := r.wanted[id]
		r.wanted[id] = bundle.WantedSecret{Namespace: namespace, Name: secret, Keys: append(w.Keys, keys...), TLS: append(w.TLS, receiver.TLS[secret]...)}
		if problem := r.grant(namespace, secret, keys, receiver.Name); problem != "" {
			why = append(why, problem)
		}
	}
	return why
}

func (r *resolver) grant(namespace, secret string, keys []string, receiver string) string {
	grant, said := r.in.Grants.Secrets[namespace+"/"+secret]
	switch {
	case !said && r.in.Grants.Routed[receiver]:
		return ""
	case !said:
		return fmt.Sprintf("Secret %s/%s: waiting for the Alertmanager to read it", namespace, secret)
	case grant.Forbidden:
		return fmt.Sprintf("Alertmanager %s of namespace %s may not read Secret %s of namespace %s. Grant it with\n%s",
			r.in.Server.Name, r.in.Server.Namespace, secret, namespace, r.commands(namespace, secret))
	case grant.Problem != "":
		return fmt.Sprintf("Secret %s/%s: %s", namespace, secret, grant.Problem)
	}
	for _, key := range keys {
		if slices.Contains(grant.MissingKeys, key) {
			return fmt.Sprintf("Secret %s/%s has no key %s: add it, or name another one", namespace, secret, key)
		}
	}
	return ""
}

// commands grant the Alertmanager one Secret, by name.
func (r *resolver) commands(namespace, secret string) string {
	return GrantCommands(bundle.WantedSecret{Namespace: namespace, Name: secret}, r.in.Server.Namespace, AlertmanagerName(r.in.Server.Name))
}

// GrantCommands let a ServiceAccount of one namespace read a Secret or ConfigMap of another, by name.
func GrantCommands(s bundle.WantedSecret, home, account string) string {
	name := account + "-" + s.Name
	if s.ConfigMap {
		name = account + "-configmap-" + s.Name
	}
	return fmt.Sprintf("kubectl create role %s -n %s --verb=get --resource=%s --resource-name=%s\n"+
		"kubectl create rolebinding %s -n %s --role=%s --serviceaccount=%s:%s",
		name, s.Namespace, s.Resource(), s.Name, name, s.Namespace, name, home, account)
}

// notify takes up the routes of an AlertRule. What an entry names and can't be had is replaced by the server's own route,
// and an entry that says nothing that can be understood is left out.
func (r *resolver) notify(rule routed) []string {
	var problems []string
	route := amconfig.RuleRoute{Namespace: rule.namespace, Name: rule.name}
	for i, c := range rule.Entries {
		if c.Problem != "" {
			problems = append(problems, c.Problem)
			continue
		}
		entry, problem := r.entry(rule.namespace, c.Entry)
		if problem != "" {
			problems = append(problems, fmt.Sprintf("spec.notify[%d]: %s", i, problem))
		}
		route.Entries = append(route.Entries, entry)
	}
	if len(route.Entries) > 0 {
		r.out.Config.Rules = append(r.out.Config.Rules, route)
	}
	return problems
}

// entry resolves what an entry of a namespace names: a receiver of the namespace, or else one of the server.
func (r *resolver) entry(namespace string, e amconfig.Entry) (amconfig.Entry, string) {
	if problem := r.intervals(e); problem != "" {
		return e.Fallback(), problem
	}
	tenant := amconfig.TenantName(namespace, e.Notify.Receiver)
	if problem, ok := r.known[tenant]; ok {
		if problem != "" {
			return e.Fallback(), fmt.Sprintf("receiver %s, defined by AlertRule %s, %s: until that is put right, the server's route is taken",
				e.Notify.Receiver, r.owners[tenant], problem)
		}
		e.Receiver = tenant
		return e, ""
	}
	if _, ok := r.known[e.Notify.Receiver]; ok {
		return e, ""
	}
	return e.Fallback(), fmt.Sprintf("receiver %s is unknown: PrometheusServer %s/%s has none of this name, nor has an AlertRule of namespace %s that it selects",
		e.Notify.Receiver, r.in.Server.Namespace, r.in.Server.Name, namespace)
}

func (r *resolver) intervals(e amconfig.Entry) string {
	for _, name := range slices.Concat(e.Notify.MuteTimeIntervals, e.Notify.ActiveTimeIntervals) {
		if !slices.ContainsFunc(r.alerting.TimeIntervals, func(t v1alpha1.TimeInterval) bool { return t.Name == name }) {
			return fmt.Sprintf("time interval %s is unknown: PrometheusServer %s/%s has none of this name in alerting.timeIntervals",
				name, r.in.Server.Namespace, r.in.Server.Name)
		}
	}
	return ""
}
