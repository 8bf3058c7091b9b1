package monitors

// The structs below are a scrape configuration as Prometheus reads it, with the keys that a monitor can set
// (https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config). There is no key in them for
// a password or token itself: those are in files that the reloader writes.

// Job is one endpoint of a monitor.
type Job struct {
	JobName                  string              `yaml:"job_name"`
	HonorLabels              bool                `yaml:"honor_labels,omitempty"`
	HonorTimestamps          *bool               `yaml:"honor_timestamps,omitempty"`
	TrackTimestampsStaleness *bool               `yaml:"track_timestamps_staleness,omitempty"`
	ScrapeInterval           string              `yaml:"scrape_interval,omitempty"`
	ScrapeTimeout            string              `yaml:"scrape_timeout,omitempty"`
	ScrapeProtocols          []string            `yaml:"scrape_protocols,omitempty,flow"`
	FallbackScrapeProtocol   string              `yaml:"fallback_scrape_protocol,omitempty"`
	MetricsPath              string              `yaml:"metrics_path,omitempty"`
	Scheme                   string              `yaml:"scheme,omitempty"`
	Params                   map[string][]string `yaml:"params,omitempty"`
	FollowRedirects          *bool               `yaml:"follow_redirects,omitempty"`
	EnableHTTP2              *bool               `yaml:"enable_http2,omitempty"`
	BasicAuth                *BasicAuth          `yaml:"basic_auth,omitempty"`
	Authorization            *Authorization      `yaml:"authorization,omitempty"`
	TLSConfig                *TLS                `yaml:"tls_config,omitempty"`
	Limits                   `yaml:",inline"`
	KubernetesSD             []Discovery `yaml:"kubernetes_sd_configs"`
	RelabelConfigs           []Relabel   `yaml:"relabel_configs,omitempty"`
	MetricRelabelConfigs     []Relabel   `yaml:"metric_relabel_configs,omitempty"`
}

// Limits are what holds for all endpoints of a monitor.
type Limits struct {
	SampleLimit           *int64 `yaml:"sample_limit,omitempty"`
	TargetLimit           *int64 `yaml:"target_limit,omitempty"`
	LabelLimit            *int64 `yaml:"label_limit,omitempty"`
	LabelNameLengthLimit  *int64 `yaml:"label_name_length_limit,omitempty"`
	LabelValueLengthLimit *int64 `yaml:"label_value_length_limit,omitempty"`
	KeepDroppedTargets    *int64 `yaml:"keep_dropped_targets,omitempty"`
	BodySizeLimit         string `yaml:"body_size_limit,omitempty"`

	ScrapeNativeHistograms         *bool   `yaml:"scrape_native_histograms,omitempty"`
	AlwaysScrapeClassicHistograms  *bool   `yaml:"always_scrape_classic_histograms,omitempty"`
	ConvertClassicHistogramsToNHCB *bool   `yaml:"convert_classic_histograms_to_nhcb,omitempty"`
	NativeHistogramBucketLimit     *int64  `yaml:"native_histogram_bucket_limit,omitempty"`
	NativeHistogramMinBucketFactor float64 `yaml:"native_histogram_min_bucket_factor,omitempty"`
	ExtraScrapeMetrics             *bool   `yaml:"extra_scrape_metrics,omitempty"`
}

// BasicAuth is a user name and a password in files.
type BasicAuth struct {
	UsernameFile string `yaml:"username_file"`
	PasswordFile string `yaml:"password_file,omitempty"`
}

// Authorization is a header with what is in a file.
type Authorization struct {
	Type            string `yaml:"type"`
	CredentialsFile string `yaml:"credentials_file"`
}

// TLS says how a target proves who it is, and Prometheus to it.
type TLS struct {
	CAFile             string `yaml:"ca_file,omitempty"`
	CertFile           string `yaml:"cert_file,omitempty"`
	KeyFile            string `yaml:"key_file,omitempty"`
	ServerName         string `yaml:"server_name,omitempty"`
	InsecureSkipVerify *bool  `yaml:"insecure_skip_verify,omitempty"`
	MinVersion         string `yaml:"min_version,omitempty"`
	MaxVersion         string `yaml:"max_version,omitempty"`
}

// Discovery is where targets come from.
type Discovery struct {
	Role           string          `yaml:"role"`
	Namespaces     *Namespaces     `yaml:"namespaces,omitempty"`
	AttachMetadata *AttachMetadata `yaml:"attach_metadata,omitempty"`
	Selectors      []Selector      `yaml:"selectors,omitempty"`
}

// Namespaces in which targets are looked for.
type Namespaces struct {
	Names []string `yaml:"names,flow"`
}

// AttachMetadata says what a target is told of beside itself.
type AttachMetadata struct {
	Node bool `yaml:"node"`
}

// Selector narrows what is discovered.
type Selector struct {
	Role  string `yaml:"role"`
	Label string `yaml:"label"`
}

// Relabel is one step of relabelling.
type Relabel struct {
	SourceLabels []string `yaml:"source_labels,omitempty,flow"`
	Separator    *string  `yaml:"separator,omitempty"`
	Regex        string   `yaml:"regex,omitempty"`
	Modulus      int64    `yaml:"modulus,omitempty"`
	TargetLabel  string   `yaml:"target_label,omitempty"`
	Replacement  *string  `yaml:"replacement,omitempty"`
	Action       string   `yaml:"action,omitempty"`
}
