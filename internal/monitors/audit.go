package monitors

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/utils/ptr"
)

// Audit makes sure, over a final text and whoever wrote it, of what tenants may not do: each job is on the terms of the
// namespace that its name says. takes says in which other namespaces a job may discover targets; nil: that is not looked at
// where the terms leave it open.
func Audit(text []byte, terms func(namespace string) Terms, takes func(job, namespace string) bool) error {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return err
	}
	var found file
	if err := node.Decode(&found); err != nil {
		return err
	}
	a := auditor{terms: terms, takes: takes}
	raw := a.jobsOf(&node)
	for i := range min(len(raw), len(found.ScrapeConfigs)) {
		a.job(raw[i], &found.ScrapeConfigs[i])
	}
	if len(a.found) > 0 {
		return fmt.Errorf("what tenants may not do: %s", strings.Join(a.found, "; "))
	}
	return nil
}

// auditor collects what it finds.
type auditor struct {
	terms func(namespace string) Terms
	takes func(job, namespace string) bool
	found []string
}

// jobsOf are the scrape configurations of a text, in which there is to be nothing else.
func (a *auditor) jobsOf(n *yaml.Node) (jobs []*yaml.Node) {
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i].Value; key == "scrape_configs" {
			jobs = n.Content[i+1].Content
		} else {
			a.found = append(a.found, key+" is no scrape job")
		}
	}
	return jobs
}

func (a *auditor) job(raw *yaml.Node, job *Job) {
	kind, namespace := ownerOf(job.JobName)
	say := func(format string, args ...any) {
		a.found = append(a.found, job.JobName+": "+fmt.Sprintf(format, args...))
	}
	if namespace == "" {
		say("the name of the job does not say whose it is")
		return
	}
	credentials := keysOf(raw, namespace, say)
	terms := a.terms(namespace)
	if terms.Discovered && job.OAuth2 != nil {
		say("oauth2.token_url is any address")
	}
	redirects(kind, job, credentials, terms.Discovered, say)
	for _, d := range job.KubernetesSD {
		a.within(job, &d, namespace, terms, say)
	}
	for _, problem := range terms.Bounds.beyond(job.Limits) {
		say("%s", problem)
	}
	if terms.Discovered {
		discovered(raw, job, say)
	}
	if label := terms.Label; label != "" {
		own := fixed(label, namespace)
		if !endsWith(job.RelabelConfigs, own) {
			say("relabel_configs does not end with %s=%s", label, namespace)
		}
		if !endsWith(job.MetricRelabelConfigs, own) {
			say("metric_relabel_configs does not end with %s=%s", label, namespace)
		}
	}
}

// ownerOf is whose job it is, by its name.
func ownerOf(job string) (kind, namespace string) {
	parts := strings.Split(job, "/")
	if len(parts) < 3 || !slices.Contains([]string{"serviceMonitor", "podMonitor", "probe", "scrapeConfig"}, parts[0]) {
		return "", ""
	}
	return parts[0], parts[1]
}

// Keys that would have a password or a key itself in the text, and those by which a request goes elsewhere than to the target.
func inText() []string {
	return []string{"username", "password", "credentials", "bearer_token", "client_secret", "token", "secret", "access_key", "secret_key", "ca", "cert", "key"}
}

func detours() []string {
	return []string{"proxy_url", "proxy_from_environment", "proxy_connect_header", "no_proxy", "api_server", "own_namespace", "http_headers"}
}

// sources are those of which the addresses and the credentials are the tenant's own, and not the pod's.
func sources() []string {
	return []string{
		"kubernetes_sd_configs", "static_configs", "http_sd_configs", "dns_sd_configs", "consul_sd_configs", "eureka_sd_configs", "nomad_sd_configs",
		"puppetdb_sd_configs", "docker_sd_configs", "dockerswarm_sd_configs", "digitalocean_sd_configs", "hetzner_sd_configs", "linode_sd_configs",
	}
}

// keysOf looks at the keys of a job and of what it discovers with, and says whether the job itself has credentials.
func keysOf(raw *yaml.Node, namespace string, say func(string, ...any)) (credentials bool) {
	keys(raw, "", func(at, key string, value *yaml.Node) {
		switch {
		// The reloader takes the id of a client from the file that is named in its place.
		case strings.HasSuffix(key, "_file") || strings.HasSuffix(key, "_files") || key == "client_id":
			if mine := path.Join(GrantedDir, namespace) + "/"; !strings.HasPrefix(value.Value, mine) || path.Clean(value.Value) != value.Value {
				say("%s%s is %s, which is no granted Secret of namespace %s", at, key, value.Value, namespace)
			}
			// A CA is no secret, and nothing that is sent.
			credentials = credentials || key != "ca_file" && !strings.Contains(at, "_sd_configs.")
		case key == "host" && !remote(value.Value):
			say("%s%s is %s, which is a socket of the pod", at, key, value.Value)
		default:
			if why := forbidden(key); why != "" {
				say("%s%s %s", at, key, why)
			}
		}
	})
	return credentials
}

// forbidden is why a key is none for tenants, empty if it may be one.
func forbidden(key string) string {
	switch {
	case slices.Contains(detours(), key):
		return "is set"
	case slices.Contains(inText(), key):
		return "is in the text"
	case strings.HasSuffix(key, "_sd_configs") && !slices.Contains(sources(), key):
		return "is no source of targets for tenants"
	}
	return ""
}

// keys visits every key that Prometheus reads as its own: not those of labels and parameters, which anybody may choose.
func keys(n *yaml.Node, at string, visit func(at, key string, value *yaml.Node)) {
	switch n.Kind {
	case yaml.SequenceNode:
		for _, below := range n.Content {
			keys(below, at, visit)
		}
	case yaml.AliasNode:
		keys(n.Alias, at, visit)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i].Value, n.Content[i+1]
			visit(at, key, value)
			if !slices.Contains([]string{"params", "labels", "node_meta", "endpoint_params"}, key) {
				keys(value, at+key+".", visit)
			}
		}
	}
}

// remote says whether a host is one, and no socket of the Prometheus pod.
func remote(host string) bool {
	return strings.HasPrefix(host, "tcp://") || strings.HasPrefix(host, "http://") || strings.HasPrefix(host, "https://")
}

// redirects finds the steps by which a target that is sent credentials, or one that has to be where it was discovered, could
// be somewhere else.
func redirects(kind string, job *Job, credentials, discovered bool, say func(string, ...any)) {
	if !credentials && !discovered {
		return
	}
	steps := job.RelabelConfigs
	if kind == "probe" {
		// The prober's own address is written by such a step, and everything before it is Hearth's.
		i := slices.IndexFunc(steps, func(r Relabel) bool { return r.TargetLabel == "__address__" && len(r.SourceLabels) == 0 })
		steps = steps[i+1:]
	}
	for _, step := range steps {
		if leadsElsewhere(step, credentials) {
			say("a step of relabelling writes %q", step.TargetLabel+step.Regex)
		}
	}
	for _, static := range job.StaticConfigs {
		for _, name := range sortedKeys(static.Labels) {
			if credentials && sendsElsewhere(name) {
				say("a static label is %s", name)
			}
		}
	}
}

// leadsElsewhere says whether a step could have a request go somewhere else; with credentials, whether it goes to another
// path there is of concern too.
func leadsElsewhere(step Relabel, credentials bool) bool {
	switch step.Action {
	case "keepequal", "dropequal", "keep", "drop", "labeldrop", "labelkeep":
		return false
	case "labelmap":
		return !harmlessMap(step)
	}
	return !plainName(step.TargetLabel) || step.TargetLabel == "__address__" || credentials && sendsElsewhere(step.TargetLabel)
}

// within finds discovery where the tenant has nothing to look for.
func (a *auditor) within(job *Job, d *Discovery, namespace string, terms Terms, say func(string, ...any)) {
	if terms.Discovered {
		if d.Namespaces == nil || !slices.Equal(d.Namespaces.Names, []string{namespace}) {
			say("kubernetes_sd_configs looks beyond namespace %s", namespace)
		}
		return
	}
	if a.takes == nil || d.Role == RoleNode {
		return
	}
	var names []string
	if d.Namespaces != nil {
		names = d.Namespaces.Names
	}
	if len(names) == 0 {
		names = []string{""} // all
	}
	for _, name := range names {
		if name != namespace && !a.takes(job.JobName, name) {
			say("kubernetes_sd_configs looks into namespace %q", name)
		}
	}
}

// discovered finds targets that are not the pods of the namespace.
func discovered(raw *yaml.Node, job *Job, say func(string, ...any)) {
	for i := 0; i+1 < len(raw.Content); i += 2 {
		if key := raw.Content[i].Value; key == "static_configs" || strings.HasSuffix(key, "_sd_configs") && key != "kubernetes_sd_configs" {
			say("%s names targets that Kubernetes has not discovered", key)
		}
	}
	for _, d := range job.KubernetesSD {
		if d.Role != "pod" && d.Role != "endpointslice" {
			say("kubernetes_sd_configs has the role %s", d.Role)
		}
	}
	if first := atHome(job); len(job.RelabelConfigs) < len(first) || !slices.EqualFunc(job.RelabelConfigs[:len(first)], first, sameStep) {
		say("relabel_configs does not begin with what drops all but the namespace's own pods")
	}
	if !ptr.Equal(job.FollowRedirects, new(false)) {
		say("redirects are followed")
	}
}

func endsWith(steps []Relabel, last Relabel) bool {
	return len(steps) > 0 && sameStep(steps[len(steps)-1], last)
}

func sameStep(a, b Relabel) bool {
	return reflect.DeepEqual(a, b)
}
