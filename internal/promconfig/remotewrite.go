package promconfig

import (
	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

const (
	// RemoteWriteSecretsDir has <secret>/<key> of what those ask for to whom samples are sent, as the reloader leaves it there.
	RemoteWriteSecretsDir = "/etc/prometheus/secrets/remote-write"
	// MountedSecretsDir has the same as the cluster mounts it, beside the reloader.
	MountedSecretsDir = "/etc/prometheus/secrets/mounted"
)

// The message that a version of remote write sends, where it is not Prometheus' default.
const remoteWriteTwo = "io.prometheus.write.v2.Request"

// ProtocolTwo is the version of remote write that has metadata with the samples.
const ProtocolTwo = "2.0"

type remoteWrite struct {
	Name                 string             `yaml:"name"`
	URL                  string             `yaml:"url"`
	RemoteTimeout        string             `yaml:"remote_timeout,omitempty"`
	ProtobufMessage      string             `yaml:"protobuf_message,omitempty"`
	Headers              map[string]string  `yaml:"headers,omitempty"`
	ProxyURL             string             `yaml:"proxy_url,omitempty"`
	FollowRedirects      *bool              `yaml:"follow_redirects,omitempty"`
	BasicAuth            *remoteBasicAuth   `yaml:"basic_auth,omitempty"`
	Authorization        *remoteToken       `yaml:"authorization,omitempty"`
	OAuth2               *remoteOAuth2      `yaml:"oauth2,omitempty"`
	TLSConfig            *clientTLS         `yaml:"tls_config,omitempty"`
	SendExemplars        bool               `yaml:"send_exemplars,omitempty"`
	SendNativeHistograms bool               `yaml:"send_native_histograms,omitempty"`
	WriteRelabelConfigs  []monitors.Relabel `yaml:"write_relabel_configs,omitempty"`
	QueueConfig          remoteQueue        `yaml:"queue_config"`
	MetadataConfig       *remoteMetadata    `yaml:"metadata_config,omitempty"`
}

type remoteBasicAuth struct {
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
}

type remoteToken struct {
	Type            string `yaml:"type,omitempty"`
	CredentialsFile string `yaml:"credentials_file"`
}

type remoteOAuth2 struct {
	ClientID         string            `yaml:"client_id"`
	ClientSecretFile string            `yaml:"client_secret_file"`
	TokenURL         string            `yaml:"token_url"`
	Scopes           []string          `yaml:"scopes,omitempty"`
	EndpointParams   map[string]string `yaml:"endpoint_params,omitempty"`
	TLSConfig        *clientTLS        `yaml:"tls_config,omitempty"`
}

type remoteQueue struct {
	Capacity          int32  `yaml:"capacity,omitempty"`
	MinShards         int32  `yaml:"min_shards,omitempty"`
	MaxShards         int32  `yaml:"max_shards,omitempty"`
	MaxSamplesPerSend int32  `yaml:"max_samples_per_send,omitempty"`
	BatchSendDeadline string `yaml:"batch_send_deadline,omitempty"`
	MinBackoff        string `yaml:"min_backoff,omitempty"`
	MaxBackoff        string `yaml:"max_backoff,omitempty"`
	RetryOnRateLimit  bool   `yaml:"retry_on_http_429"`
	SampleAgeLimit    string `yaml:"sample_age_limit,omitempty"`
}

type remoteMetadata struct {
	Send         bool   `yaml:"send"`
	SendInterval string `yaml:"send_interval,omitempty"`
}

func remoteWrites(s *stack.Stack) []remoteWrite {
	var out []remoteWrite
	for i := range s.RemoteWrites.Remotes {
		out = append(out, remoteWriteOf(&s.RemoteWrites.Remotes[i]))
	}
	return out
}

func remoteWriteOf(r *stack.Remote) remoteWrite {
	spec := r.Spec
	out := remoteWrite{
		Name: r.Name, URL: r.URL, RemoteTimeout: string(spec.Timeout), Headers: spec.Headers,
		ProxyURL: string(spec.ProxyURL), FollowRedirects: spec.FollowRedirects,
		SendExemplars: spec.SendExemplars, SendNativeHistograms: spec.SendNativeHistograms,
		QueueConfig: remoteQueueOf(spec.Queue), TLSConfig: tlsOf(spec.TLS, RemoteWriteSecretsDir),
	}
	if out.TLSConfig != nil {
		out.TLSConfig.ServerName = r.ServerName
	}
	if spec.Protocol == ProtocolTwo {
		out.ProtobufMessage = remoteWriteTwo
	}
	remoteIdentity(&out, spec)
	for _, step := range spec.WriteRelabelings {
		out.WriteRelabelConfigs = append(out.WriteRelabelConfigs, monitors.Relabel{
			SourceLabels: step.SourceLabels, Separator: step.Separator, Regex: step.Regex, Modulus: step.Modulus,
			TargetLabel: step.TargetLabel, Replacement: step.Replacement, Action: step.Action,
		})
	}
	if m := spec.Metadata; m != nil {
		out.MetadataConfig = &remoteMetadata{Send: m.Send == nil || *m.Send, SendInterval: string(m.Interval)}
	}
	return out
}

// remoteIdentity says who we are: at most one of these is declared.
func remoteIdentity(out *remoteWrite, spec *v1alpha1.RemoteWrite) {
	if b := spec.BasicAuth; b != nil {
		out.BasicAuth = &remoteBasicAuth{Username: b.Username, PasswordFile: fileOf(&b.Password, RemoteWriteSecretsDir)}
	}
	if a := spec.Authorization; a != nil {
		out.Authorization = &remoteToken{Type: a.Type, CredentialsFile: fileOf(&a.Credentials, RemoteWriteSecretsDir)}
	}
	if o := spec.OAuth2; o != nil {
		out.OAuth2 = &remoteOAuth2{
			ClientID: o.ClientID, ClientSecretFile: fileOf(&o.ClientSecret, RemoteWriteSecretsDir),
			TokenURL: string(o.TokenURL), Scopes: o.Scopes, EndpointParams: o.EndpointParams,
		}
		if o.CA != nil {
			out.OAuth2.TLSConfig = &clientTLS{CAFile: fileOf(o.CA, RemoteWriteSecretsDir)}
		}
	}
}

// remoteQueueOf is Prometheus' own queue where nothing else is declared, but that samples wait for one who is asked too much,
// which they don't do otherwise.
func remoteQueueOf(q *v1alpha1.RemoteWriteQueue) remoteQueue {
	if q == nil {
		return remoteQueue{RetryOnRateLimit: true}
	}
	return remoteQueue{
		Capacity: q.Capacity, MinShards: q.MinShards, MaxShards: q.MaxShards, MaxSamplesPerSend: q.MaxSamplesPerSend,
		BatchSendDeadline: string(q.BatchSendDeadline), MinBackoff: string(q.MinBackoff), MaxBackoff: string(q.MaxBackoff),
		RetryOnRateLimit: q.RetryOnRateLimit == nil || *q.RetryOnRateLimit, SampleAgeLimit: string(q.SampleAgeLimit),
	}
}
