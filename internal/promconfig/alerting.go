package promconfig

import (
	"fmt"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// AlertmanagerSecretsDir has <secret>/<key> of what external Alertmanagers ask for.
const AlertmanagerSecretsDir = "/etc/prometheus/secrets/alertmanagers"

type alerting struct {
	AlertRelabelConfigs []alertRelabelConfig `yaml:"alert_relabel_configs,omitempty"`
	Alertmanagers       []alertmanager       `yaml:"alertmanagers"`
}

// alertRelabelConfig always has its replacement: none is not the same as an empty one.
type alertRelabelConfig struct {
	SourceLabels []string `yaml:"source_labels"`
	Regex        string   `yaml:"regex"`
	TargetLabel  string   `yaml:"target_label"`
	Replacement  string   `yaml:"replacement"`
}

type alertmanager struct {
	Scheme        string         `yaml:"scheme,omitempty"`
	PathPrefix    string         `yaml:"path_prefix,omitempty"`
	APIVersion    string         `yaml:"api_version"`
	TLSConfig     *clientTLS     `yaml:"tls_config,omitempty"`
	BasicAuth     *basicAuth     `yaml:"basic_auth,omitempty"`
	StaticConfigs []staticConfig `yaml:"static_configs"`
}

type clientTLS struct {
	CAFile             string `yaml:"ca_file,omitempty"`
	CertFile           string `yaml:"cert_file,omitempty"`
	KeyFile            string `yaml:"key_file,omitempty"`
	ServerName         string `yaml:"server_name,omitempty"`
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify,omitempty"`
}

// alertingOf is nil for a server that sends its alerts nowhere.
func alertingOf(s *stack.Stack) *alerting {
	if len(s.Alertmanagers.Targets) == 0 {
		return nil
	}
	out := &alerting{AlertRelabelConfigs: []alertRelabelConfig{withoutReplica(s)}}
	for _, target := range s.Alertmanagers.Targets {
		one := alertmanager{
			Scheme: target.Scheme, PathPrefix: target.Path, APIVersion: "v2", TLSConfig: tlsOf(target.TLS, AlertmanagerSecretsDir),
			StaticConfigs: []staticConfig{{Targets: target.Hosts}},
		}
		if target.BasicAuthSecret != "" {
			dir := AlertmanagerSecretsDir + "/" + target.BasicAuthSecret
			one.BasicAuth = &basicAuth{UsernameFile: dir + "/username", PasswordFile: dir + "/password"}
		}
		out.Alertmanagers = append(out.Alertmanagers, one)
	}
	return out
}

// ownAlertmanager are the jobs by which a server pulls from its own Alertmanager, at the names to which it sends, and from the
// reloaders beside it: where alerts went is asked of Prometheus like everything else. No discovery, and so no grant, is needed for that.
func ownAlertmanager(s *stack.Stack) []scrapeConfig {
	pods, reloaders := scrapeConfig{JobName: stack.JobAlertmanager}, scrapeConfig{JobName: stack.JobReloaderAlertmanager}
	for i, host := range s.Alertmanager.Hosts(s.Namespace) {
		pod := fmt.Sprintf("%s-%d", s.Alertmanager.Names.Base, i)
		pods.StaticConfigs = append(pods.StaticConfigs, staticConfig{
			Targets: []string{fmt.Sprintf("%s:%d", host, stack.AlertmanagerPort)},
			Labels:  map[string]string{"instance": s.Namespace + "/" + pod, "namespace": s.Namespace, "pod": pod},
		})
		reloaders.StaticConfigs = append(reloaders.StaticConfigs, staticConfig{
			Targets: []string{fmt.Sprintf("%s:%d", host, replica.Port)},
			Labels:  map[string]string{"job": stack.JobReloader, "instance": s.Namespace + "/" + pod, "namespace": s.Namespace, "pod": pod},
		})
	}
	return []scrapeConfig{pods, reloaders}
}

// withoutReplica takes the label away by which replicas of a server differ, and only that: an alert that both of them raise
// is one alert. A label of that name which the alert itself brings has another value and stays.
//
// The label of the shard stays: what shards raise with the same labels else is not the same alert. Each has seen other targets,
// and if it were one, the shard whose part of it is over would tell that all of it is.
func withoutReplica(s *stack.Stack) alertRelabelConfig {
	pods := s.Names.Base + "-[0-9]+"
	if sharded(s) {
		pods = s.Names.Base + "(-shard-[0-9]+)?-[0-9]+"
	}
	return alertRelabelConfig{SourceLabels: []string{"replica"}, Regex: pods, TargetLabel: "replica"}
}

// tlsOf names the files of Secrets below dir.
func tlsOf(tls *v1alpha1.ClientTLS, dir string) *clientTLS {
	if tls == nil {
		return nil
	}
	return &clientTLS{
		CAFile: fileOf(tls.CA, dir), CertFile: fileOf(tls.Cert, dir), KeyFile: fileOf(tls.Key, dir),
		ServerName: tls.ServerName, InsecureSkipVerify: tls.InsecureSkipVerify,
	}
}

// fileOf is the file that has a key of a Secret, empty for none.
func fileOf(key *v1alpha1.SecretKey, dir string) string {
	if key == nil {
		return ""
	}
	return dir + "/" + key.Name + "/" + key.Key
}
