package monitors

import (
	"cmp"
	"reflect"
	"slices"

	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/kubernetes"
	"go.yaml.in/yaml/v2"
)

func cmpJobs(a, b string) int { return cmp.Compare(a, b) }

// settings are how each job is scraped and where it discovers, as Prometheus shows its configuration with every default in
// place. Relabelling is not among them: the targets show what it does. Where a password is is not either, only that there
// is one: theirs is in the text and ours in a file.
func settings(jobs []*config.ScrapeConfig) []string {
	var out []string
	for _, job := range jobs {
		shown := *job
		shown.RelabelConfigs = nil
		shown.HTTPClientConfig = hidden(job.HTTPClientConfig)
		shown.ServiceDiscoveryConfigs = nil
		for _, sd := range job.ServiceDiscoveryConfigs {
			if k, ok := sd.(*kubernetes.SDConfig); ok {
				sd = plain(k)
			}
			shown.ServiceDiscoveryConfigs = append(shown.ServiceDiscoveryConfigs, withoutSecrets(sd))
		}
		text, err := yaml.Marshal(&shown)
		if err != nil {
			text = []byte(err.Error())
		}
		out = append(out, string(text))
	}
	return out
}

func hidden(c commonconfig.HTTPClientConfig) commonconfig.HTTPClientConfig {
	if c.BasicAuth != nil {
		c.BasicAuth = &commonconfig.BasicAuth{Username: "some", Password: "some"}
	}
	if a := c.Authorization; a != nil {
		c.Authorization = &commonconfig.Authorization{Type: a.Type, Credentials: "some"}
	}
	if o := c.OAuth2; o != nil {
		shown := *o
		shown.ClientID, shown.ClientSecret, shown.ClientSecretFile = "some", "some", ""
		shown.TLSConfig = hiddenTLS(o.TLSConfig)
		c.OAuth2 = &shown
	}
	c.TLSConfig = hiddenTLS(c.TLSConfig)
	return c
}

func hiddenTLS(c commonconfig.TLSConfig) commonconfig.TLSConfig {
	some := func(file string) string {
		if file == "" {
			return ""
		}
		return "some"
	}
	c.CAFile, c.CertFile, c.KeyFile = some(c.CAFile), some(c.CertFile), some(c.KeyFile)
	return c
}

// withoutSecrets is a source of targets with only that there is a password, like a job.
func withoutSecrets(sd discovery.Config) discovery.Config {
	v := reflect.ValueOf(sd)
	if v.Kind() != reflect.Pointer {
		return sd
	}
	shown := reflect.New(v.Elem().Type())
	shown.Elem().Set(v.Elem())
	if client := shown.Elem().FieldByName("HTTPClientConfig"); client.IsValid() {
		if c, ok := client.Interface().(commonconfig.HTTPClientConfig); ok {
			client.Set(reflect.ValueOf(hidden(c)))
		}
	}
	if out, ok := shown.Interface().(discovery.Config); ok {
		return out
	}
	return sd
}

// plain is a discovery without what makes no difference: the order of namespaces, and selectors that select everything.
func plain(sd *kubernetes.SDConfig) *kubernetes.SDConfig {
	out := *sd
	out.NamespaceDiscovery.Names = slices.Sorted(slices.Values(sd.NamespaceDiscovery.Names))
	out.Selectors = nil
	for _, s := range sd.Selectors {
		if s.Label != "" {
			out.Selectors = append(out.Selectors, s)
		}
	}
	return &out
}

// discoveries are those of a job; there is one.
func discoveries(job *config.ScrapeConfig) []*kubernetes.SDConfig {
	var out []*kubernetes.SDConfig
	for _, c := range job.ServiceDiscoveryConfigs {
		if sd, ok := c.(*kubernetes.SDConfig); ok {
			out = append(out, sd)
		}
	}
	return out
}
