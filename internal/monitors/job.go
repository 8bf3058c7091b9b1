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
	EnableCompression        *bool               `yaml:"enable_compression,omitempty"`
	NameValidationScheme     string              `yaml:"metric_name_validation_scheme,omitempty"`
	NameEscapingScheme       string              `yaml:"metric_name_escaping_scheme,omitempty"`
	HTTPClient               `yaml:",inline"`
	Limits                   `yaml:",inline"`
	Sources                  `yaml:",inline"`
	RelabelConfigs           []Relabel `yaml:"relabel_configs,omitempty"`
	MetricRelabelConfigs     []Relabel `yaml:"metric_relabel_configs,omitempty"`
	// HashBy is the label by which targets are distributed over shards, if that is not their address.
	HashBy string `yaml:"-"`
}

// HTTPClient is how Prometheus asks a target, or who knows targets.
type HTTPClient struct {
	FollowRedirects *bool          `yaml:"follow_redirects,omitempty"`
	EnableHTTP2     *bool          `yaml:"enable_http2,omitempty"`
	BasicAuth       *BasicAuth     `yaml:"basic_auth,omitempty"`
	Authorization   *Authorization `yaml:"authorization,omitempty"`
	OAuth2          *OAuth2        `yaml:"oauth2,omitempty"`
	TLSConfig       *TLS           `yaml:"tls_config,omitempty"`
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

// OAuth2 gets a token from a server of its own, for which Prometheus is the client.
type OAuth2 struct {
	// ClientID is the file that has it. Prometheus takes it only as text, which the reloader puts here in the pod (Clients).
	ClientID         string            `yaml:"client_id"`
	ClientSecretFile string            `yaml:"client_secret_file"`
	TokenURL         string            `yaml:"token_url"`
	Scopes           []string          `yaml:"scopes,omitempty,flow"`
	EndpointParams   map[string]string `yaml:"endpoint_params,omitempty"`
	TLSConfig        *TLS              `yaml:"tls_config,omitempty"`
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

// Sources are where targets come from. Those of an object of Kubernetes' are discovered there.
type Sources struct {
	KubernetesSD   []Discovery `yaml:"kubernetes_sd_configs,omitempty"`
	StaticConfigs  []Static    `yaml:"static_configs,omitempty"`
	HTTPSD         []Service   `yaml:"http_sd_configs,omitempty"`
	DNSSD          []DNS       `yaml:"dns_sd_configs,omitempty"`
	ConsulSD       []Service   `yaml:"consul_sd_configs,omitempty"`
	EurekaSD       []Service   `yaml:"eureka_sd_configs,omitempty"`
	NomadSD        []Service   `yaml:"nomad_sd_configs,omitempty"`
	PuppetDBSD     []Service   `yaml:"puppetdb_sd_configs,omitempty"`
	DockerSD       []Service   `yaml:"docker_sd_configs,omitempty"`
	DockerSwarmSD  []Service   `yaml:"dockerswarm_sd_configs,omitempty"`
	DigitalOceanSD []Service   `yaml:"digitalocean_sd_configs,omitempty"`
	HetznerSD      []Service   `yaml:"hetzner_sd_configs,omitempty"`
	LinodeSD       []Service   `yaml:"linode_sd_configs,omitempty"`
}

// Static are targets that are named.
type Static struct {
	Targets []string          `yaml:"targets"`
	Labels  map[string]string `yaml:"labels,omitempty"`
}

// DNS is asked for names.
type DNS struct {
	Names           []string `yaml:"names"`
	Type            string   `yaml:"type,omitempty"`
	Port            *int32   `yaml:"port,omitempty"`
	RefreshInterval string   `yaml:"refresh_interval,omitempty"`
}

// Service is one that knows targets and is asked by HTTP. Each kind of them has some of these keys, which mean the same in
// all, and Prometheus' loader refuses the others.
type Service struct {
	URL                string            `yaml:"url,omitempty"`
	Server             string            `yaml:"server,omitempty"`
	Host               string            `yaml:"host,omitempty"`
	PathPrefix         string            `yaml:"path_prefix,omitempty"`
	Scheme             string            `yaml:"scheme,omitempty"`
	Datacenter         string            `yaml:"datacenter,omitempty"`
	Namespace          string            `yaml:"namespace,omitempty"`
	Partition          string            `yaml:"partition,omitempty"`
	Region             string            `yaml:"region,omitempty"`
	Role               string            `yaml:"role,omitempty"`
	Query              string            `yaml:"query,omitempty"`
	IncludeParameters  *bool             `yaml:"include_parameters,omitempty"`
	Services           []string          `yaml:"services,omitempty,flow"`
	Tags               []string          `yaml:"tags,omitempty,flow"`
	TagSeparator       *string           `yaml:"tag_separator,omitempty"`
	NodeMeta           map[string]string `yaml:"node_meta,omitempty"`
	Filter             string            `yaml:"filter,omitempty"`
	HealthFilter       string            `yaml:"health_filter,omitempty"`
	Filters            []Filter          `yaml:"filters,omitempty"`
	LabelSelector      string            `yaml:"label_selector,omitempty"`
	AllowStale         *bool             `yaml:"allow_stale,omitempty"`
	Port               *int32            `yaml:"port,omitempty"`
	HostNetworkingHost string            `yaml:"host_networking_host,omitempty"`
	MatchFirstNetwork  *bool             `yaml:"match_first_network,omitempty"`
	RefreshInterval    string            `yaml:"refresh_interval,omitempty"`
	HTTPClient         `yaml:",inline"`
}

// Filter narrows what is discovered.
type Filter struct {
	Name   string   `yaml:"name"`
	Values []string `yaml:"values,flow"`
}

// Discovery is where targets in Kubernetes come from.
type Discovery struct {
	// Within is where its object wants it to look.
	Within Within `yaml:"-"`

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
	Label string `yaml:"label,omitempty"`
	Field string `yaml:"field,omitempty"`
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
