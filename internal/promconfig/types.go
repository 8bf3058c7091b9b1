package promconfig

import (
	"github.com/prometheus/common/model"

	"github.com/hearth-monitoring/hearth/internal/monitors"
)

// The structs below are the parts of prometheus.yml that Hearth writes, with Prometheus' own field names
// (https://prometheus.io/docs/prometheus/latest/configuration/configuration/). Prometheus' own structs can't be used for
// writing: they print secrets as <secret> and fill in defaults.

type configuration struct {
	Global        global         `yaml:"global"`
	Storage       storage        `yaml:"storage,omitempty"`
	Alerting      *alerting      `yaml:"alerting,omitempty"`
	RuleFiles     []string       `yaml:"rule_files,omitempty"`
	ScrapeConfigs []scrapeConfig `yaml:"scrape_configs"`
	// ScrapeConfigFiles have more of them. One that is not there has none.
	ScrapeConfigFiles []string      `yaml:"scrape_config_files,omitempty"`
	RemoteWrite       []remoteWrite `yaml:"remote_write,omitempty"`
}

type global struct {
	ScrapeInterval     model.Duration    `yaml:"scrape_interval"`
	ScrapeTimeout      model.Duration    `yaml:"scrape_timeout"`
	EvaluationInterval model.Duration    `yaml:"evaluation_interval"`
	ExternalLabels     map[string]string `yaml:"external_labels,omitempty"`
}

type storage struct {
	TSDB tsdb `yaml:"tsdb"`
}

type tsdb struct {
	Retention retention `yaml:"retention"`
}

type retention struct {
	Time model.Duration `yaml:"time"`
	Size string         `yaml:"size,omitempty"`
}

type scrapeConfig struct {
	JobName         string `yaml:"job_name"`
	HonorLabels     bool   `yaml:"honor_labels,omitempty"`
	TrackStaleness  bool   `yaml:"track_timestamps_staleness,omitempty"`
	MetricsPath     string `yaml:"metrics_path,omitempty"`
	Scheme          string `yaml:"scheme,omitempty"`
	FollowRedirects *bool  `yaml:"follow_redirects,omitempty"`

	BasicAuth     *basicAuth     `yaml:"basic_auth,omitempty"`
	Authorization *authorization `yaml:"authorization,omitempty"`
	TLSConfig     *tlsConfig     `yaml:"tls_config,omitempty"`
	StaticConfigs []staticConfig `yaml:"static_configs,omitempty"`
	KubernetesSD  []kubernetesSD `yaml:"kubernetes_sd_configs,omitempty"`

	RelabelConfigs       []relabelConfig `yaml:"relabel_configs,omitempty"`
	MetricRelabelConfigs []relabelConfig `yaml:"metric_relabel_configs,omitempty"`
	// Limits bound each target, and how many of the discovered ones that are not scraped are remembered.
	Limits monitors.Limits `yaml:",inline"`
}

type basicAuth struct {
	UsernameFile string `yaml:"username_file"`
	PasswordFile string `yaml:"password_file"`
}

// authorization is by a bearer token.
type authorization struct {
	CredentialsFile string `yaml:"credentials_file"`
}

type tlsConfig struct {
	CAFile             string `yaml:"ca_file,omitempty"`
	ServerName         string `yaml:"server_name,omitempty"`
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify,omitempty"`
}

type staticConfig struct {
	Targets []string          `yaml:"targets"`
	Labels  map[string]string `yaml:"labels,omitempty"`
}

type kubernetesSD struct {
	Role       string       `yaml:"role"`
	Namespaces namespaces   `yaml:"namespaces,omitempty"`
	Selectors  []sdSelector `yaml:"selectors,omitempty"`
}

type namespaces struct {
	Names []string `yaml:"names"`
}

type sdSelector struct {
	Role  string `yaml:"role"`
	Label string `yaml:"label,omitempty"`
	Field string `yaml:"field,omitempty"`
}

type relabelConfig struct {
	SourceLabels []string `yaml:"source_labels,omitempty"`
	Regex        string   `yaml:"regex,omitempty"`
	Modulus      int32    `yaml:"modulus,omitempty"`
	Action       string   `yaml:"action,omitempty"`
	TargetLabel  string   `yaml:"target_label,omitempty"`
	Replacement  string   `yaml:"replacement,omitempty"`
}
