package v1alpha1

// Mode says what a Prometheus does with its samples.
type Mode string

// The modes.
const (
	// ModeServer keeps samples, and answers queries and evaluates rules with them.
	ModeServer Mode = "Server"
	// ModeAgent passes samples on, and keeps them no longer than that takes.
	ModeAgent Mode = "Agent"
)

// RemoteWriting is where samples go beyond this server, and whether it takes those of others.
//
// +kubebuilder:validation:XValidation:rule="!has(self.mode) || self.mode != 'Agent' || (has(self.remoteWrite) && size(self.remoteWrite) > 0)",message="an agent keeps no samples: say in remoteWrite where they go",fieldPath=".remoteWrite"
// +kubebuilder:validation:XValidation:rule="!has(self.mode) || self.mode != 'Agent' || !has(self.rules)",message="an agent evaluates no rules: leave this out, and select them at the server that the agent writes to",fieldPath=".rules"
// +kubebuilder:validation:XValidation:rule="!has(self.mode) || self.mode != 'Agent' || !has(self.prometheusRules)",message="an agent evaluates no rules: leave this out, and select them at the server that the agent writes to",fieldPath=".prometheusRules"
// +kubebuilder:validation:XValidation:rule="!has(self.mode) || self.mode != 'Agent' || !has(self.alerting)",message="an agent raises no alerts: leave this out, and set it at the server that the agent writes to",fieldPath=".alerting"
// +kubebuilder:validation:XValidation:rule="!has(self.mode) || self.mode != 'Agent' || !has(self.grafana)",message="an agent answers no queries: leave this out, and set it at the server that the agent writes to",fieldPath=".grafana"
// +kubebuilder:validation:XValidation:rule="!has(self.mode) || self.mode != 'Agent' || !has(self.retention) || (!has(self.retention.size) && (!has(self.retention.time) || self.retention.time == '15d'))",message="an agent keeps samples only until they are sent: leave this out",fieldPath=".retention"
type RemoteWriting struct {
	// mode: a Server keeps samples, and answers queries and evaluates rules with them; an Agent only sends them to
	// remoteWrite, and keeps them no longer than that takes.
	// +optional
	// +kubebuilder:default=Server
	// +kubebuilder:validation:Enum=Server;Agent
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="mode cannot change, because a server's samples are of no use to an agent: make a new PrometheusServer",reason=FieldValueForbidden
	Mode Mode `json:"mode,omitempty"`
	// remoteWrite sends every sample to each of these as it comes in, with externalLabels.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	RemoteWrite []RemoteWrite `json:"remoteWrite,omitempty"`
	// remoteWriteReceiver lets others write to this server, at /api/v1/write: everybody who reaches it, unless web.basicAuth is
	// set.
	// +optional
	RemoteWriteReceiver bool `json:"remoteWriteReceiver,omitempty"`
}

// RemoteWrite is where samples are sent.
//
// +kubebuilder:validation:XValidation:rule="has(self.url) != has(self.server)",message="remoteWrite has either url or server: set exactly one of them"
// +kubebuilder:validation:XValidation:rule="[has(self.basicAuth), has(self.authorization), has(self.oauth2)].filter(x, x).size() <= 1",message="set at most one of basicAuth, authorization and oauth2"
type RemoteWrite struct {
	// name by which the status and Prometheus' own metrics (remote_name) call it.
	// +required
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// url to write to, such as https://metrics.example.org/api/v1/write.
	// +optional
	URL URL `json:"url,omitempty"`
	// server is a PrometheusServer with remoteWriteReceiver. Each of its replicas is written to.
	// +optional
	Server *ServerReference `json:"server,omitempty"`
	// HTTPConfig says who we are. Secrets are those of this namespace.
	HTTPConfig `json:",inline"`
	// oauth2 with which tokens are fetched.
	// +optional
	OAuth2 *OAuth2 `json:"oauth2,omitempty"`
	// headers that are sent along, such as X-Scope-OrgID. They are no place for secrets: use authorization.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Headers map[string]string `json:"headers,omitempty"`
	// timeout of a request. Left out: 30s.
	// +optional
	Timeout Duration `json:"timeout,omitempty"`
	// writeRelabelings change and drop series before they are sent. External labels are there already.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	WriteRelabelings []Relabeling `json:"writeRelabelings,omitempty"`
	// protocol is the version of remote write. Left out: "1.0".
	// +optional
	// +kubebuilder:validation:Enum="1.0";"2.0"
	Protocol string `json:"protocol,omitempty"`
	// sendExemplars of samples as well, which a server keeps in memory for that.
	// +optional
	SendExemplars bool `json:"sendExemplars,omitempty"`
	// sendNativeHistograms as well, where they are scraped.
	// +optional
	SendNativeHistograms bool `json:"sendNativeHistograms,omitempty"`
	// metadata of metrics, such as their type.
	// +optional
	Metadata *RemoteWriteMetadata `json:"metadata,omitempty"`
	// queue between the write-ahead log and the requests.
	// +optional
	Queue *RemoteWriteQueue `json:"queue,omitempty"`
}

// OAuth2 fetches tokens with a client's secret.
type OAuth2 struct {
	// clientID in plain.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	ClientID string `json:"clientID"`
	// clientSecret in a Secret.
	// +required
	ClientSecret SecretKey `json:"clientSecret"`
	// tokenURL where tokens are fetched.
	// +required
	TokenURL URL `json:"tokenURL"`
	// scopes to ask for.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Scopes []string `json:"scopes,omitempty"`
	// endpointParams are added to the request for a token.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	EndpointParams map[string]string `json:"endpointParams,omitempty"`
	// ca with which tokenURL's certificate is checked. Left out: those that the image trusts.
	// +optional
	CA *SecretKey `json:"ca,omitempty"`
}

// Relabeling is one step, as in Prometheus' relabel_config.
type Relabeling struct {
	// sourceLabels whose values are joined.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	SourceLabels []string `json:"sourceLabels,omitempty"`
	// separator between them. Left out: a semicolon.
	// +optional
	Separator *string `json:"separator,omitempty"`
	// regex that all of it has to match. Left out: (.*).
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Regex string `json:"regex,omitempty"`
	// modulus of the hash, for hashmod.
	// +optional
	Modulus int64 `json:"modulus,omitempty"`
	// targetLabel that is set.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	TargetLabel string `json:"targetLabel,omitempty"`
	// replacement with the groups of regex. Left out: $1.
	// +optional
	Replacement *string `json:"replacement,omitempty"`
	// action. Left out: replace.
	// +optional
	// +kubebuilder:validation:Enum=replace;keep;drop;keepequal;dropequal;hashmod;labelmap;labeldrop;labelkeep;lowercase;uppercase
	Action string `json:"action,omitempty"`
}

// RemoteWriteMetadata says how metadata is sent.
type RemoteWriteMetadata struct {
	// send it unless this is false.
	// +optional
	Send *bool `json:"send,omitempty"`
	// interval between two times, with protocol "1.0". Left out: 1m.
	// +optional
	Interval Duration `json:"interval,omitempty"`
}

// RemoteWriteQueue says how much is sent at once. What is left out is Prometheus' own default, but for retryOnRateLimit.
type RemoteWriteQueue struct {
	// capacity of each shard, in samples.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Capacity int32 `json:"capacity,omitempty"`
	// minShards to begin with; there are more of them when they are needed.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MinShards int32 `json:"minShards,omitempty"`
	// maxShards that send at once.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MaxShards int32 `json:"maxShards,omitempty"`
	// maxSamplesPerSend in one request.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MaxSamplesPerSend int32 `json:"maxSamplesPerSend,omitempty"`
	// batchSendDeadline after which a request is sent that is not full.
	// +optional
	BatchSendDeadline Duration `json:"batchSendDeadline,omitempty"`
	// minBackoff before a request is repeated.
	// +optional
	MinBackoff Duration `json:"minBackoff,omitempty"`
	// maxBackoff before a request is repeated.
	// +optional
	MaxBackoff Duration `json:"maxBackoff,omitempty"`
	// retryOnRateLimit (429) unless this is false; samples are dropped then.
	// +optional
	RetryOnRateLimit *bool `json:"retryOnRateLimit,omitempty"`
	// sampleAgeLimit beyond which samples are dropped and not sent. Left out: none.
	// +optional
	SampleAgeLimit Duration `json:"sampleAgeLimit,omitempty"`
}
