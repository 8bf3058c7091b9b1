package monitors

import (
	"cmp"
	"slices"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

func refresh(d *monitoringv1.Duration) string { return string(ptr.Deref(d, "")) }

func (c *compiler) http(s *monitoringv1alpha1.HTTPSDConfig, at *field.Path) Service {
	return Service{
		URL: string(s.URL), RefreshInterval: refresh(s.RefreshInterval),
		HTTPClient: c.client(connecting(s.BasicAuth, s.Authorization, s.OAuth2, s.TLSConfig, s.ProxyConfig, s.FollowRedirects, s.EnableHTTP2), at),
	}
}

func dns(s *monitoringv1alpha1.DNSSDConfig, _ *field.Path) DNS {
	return DNS{Names: s.Names, Type: string(ptr.Deref(s.Type, "")), Port: s.Port, RefreshInterval: refresh(s.RefreshInterval)}
}

func (c *compiler) consul(s *monitoringv1alpha1.ConsulSDConfig, at *field.Path) Service {
	if s.TokenRef != nil {
		c.refuse(at.Child("tokenRef"), "Prometheus takes it only as text in its configuration, and Hearth reads no Secret to put it there: use authorization with the same Secret, which Consul takes as well")
	}
	return Service{
		Server: s.Server, PathPrefix: ptr.Deref(s.PathPrefix, ""), Datacenter: ptr.Deref(s.Datacenter, ""), Namespace: ptr.Deref(s.Namespace, ""),
		Partition: ptr.Deref(s.Partition, ""), Scheme: s.Scheme.String(), Services: s.Services, Tags: s.Tags, TagSeparator: s.TagSeparator,
		NodeMeta: s.NodeMeta, Filter: ptr.Deref(s.Filter, ""), HealthFilter: ptr.Deref(s.HealthFilter, ""), AllowStale: s.AllowStale,
		RefreshInterval: refresh(s.RefreshInterval),
		HTTPClient:      c.client(connecting(s.BasicAuth, s.Authorization, s.OAuth2, s.TLSConfig, s.ProxyConfig, s.FollowRedirects, s.EnableHttp2), at),
	}
}

func (c *compiler) eureka(s *monitoringv1alpha1.EurekaSDConfig, at *field.Path) Service {
	return Service{
		Server: string(s.Server), RefreshInterval: refresh(s.RefreshInterval),
		HTTPClient: c.client(connecting(s.BasicAuth, s.Authorization, s.OAuth2, s.TLSConfig, s.ProxyConfig, s.FollowRedirects, s.EnableHTTP2), at),
	}
}

func (c *compiler) nomad(s *monitoringv1alpha1.NomadSDConfig, at *field.Path) Service {
	return Service{
		Server: string(s.Server), AllowStale: s.AllowStale, Namespace: ptr.Deref(s.Namespace, ""), Region: ptr.Deref(s.Region, ""),
		TagSeparator: s.TagSeparator, RefreshInterval: refresh(s.RefreshInterval),
		HTTPClient: c.client(connecting(s.BasicAuth, s.Authorization, s.OAuth2, s.TLSConfig, s.ProxyConfig, s.FollowRedirects, s.EnableHTTP2), at),
	}
}

func (c *compiler) puppetDB(s *monitoringv1alpha1.PuppetDBSDConfig, at *field.Path) Service {
	return Service{
		URL: string(s.URL), Query: s.Query, IncludeParameters: s.IncludeParameters, Port: s.Port, RefreshInterval: refresh(s.RefreshInterval),
		HTTPClient: c.client(connecting(s.BasicAuth, s.Authorization, s.OAuth2, s.TLSConfig, s.ProxyConfig, s.FollowRedirects, s.EnableHTTP2), at),
	}
}

func (c *compiler) docker(s *monitoringv1alpha1.DockerSDConfig, at *field.Path) Service {
	c.remote(s.Host, at)
	return Service{
		Host: s.Host, Port: s.Port, HostNetworkingHost: ptr.Deref(s.HostNetworkingHost, ""), MatchFirstNetwork: s.MatchFirstNetwork,
		Filters: filters(s.Filters), RefreshInterval: refresh(s.RefreshInterval),
		HTTPClient: c.client(connecting(s.BasicAuth, s.Authorization, s.OAuth2, s.TLSConfig, s.ProxyConfig, s.FollowRedirects, s.EnableHTTP2), at),
	}
}

func (c *compiler) dockerSwarm(s *monitoringv1alpha1.DockerSwarmSDConfig, at *field.Path) Service {
	c.remote(s.Host, at)
	return Service{
		Host: s.Host, Role: strings.ToLower(string(s.Role)), Port: s.Port, Filters: filters(s.Filters), RefreshInterval: refresh(s.RefreshInterval),
		HTTPClient: c.client(connecting(s.BasicAuth, s.Authorization, s.OAuth2, s.TLSConfig, s.ProxyConfig, s.FollowRedirects, s.EnableHTTP2), at),
	}
}

// remote refuses sockets of the Prometheus pod.
func (c *compiler) remote(host string, at *field.Path) {
	if !remote(host) {
		c.refuse(at.Child("host"), "it has to begin with tcp://, http:// or https://: anything else would be a socket of the Prometheus pod")
	}
}

func (c *compiler) digitalOcean(s *monitoringv1alpha1.DigitalOceanSDConfig, at *field.Path) Service {
	return Service{
		Port: s.Port, RefreshInterval: refresh(s.RefreshInterval),
		HTTPClient: c.client(connecting(nil, s.Authorization, s.OAuth2, s.TLSConfig, s.ProxyConfig, s.FollowRedirects, s.EnableHTTP2), at),
	}
}

func (c *compiler) hetzner(s *monitoringv1alpha1.HetznerSDConfig, at *field.Path) Service {
	return Service{
		Role: strings.ToLower(string(s.Role)), Port: s.Port, RefreshInterval: refresh(s.RefreshInterval), LabelSelector: ptr.Deref(s.LabelSelector, ""),
		HTTPClient: c.client(connecting(s.BasicAuth, s.Authorization, s.OAuth2, s.TLSConfig, s.ProxyConfig, s.FollowRedirects, s.EnableHTTP2), at),
	}
}

func (c *compiler) linode(s *monitoringv1alpha1.LinodeSDConfig, at *field.Path) Service {
	return Service{
		Region: ptr.Deref(s.Region, ""), Port: s.Port, TagSeparator: s.TagSeparator, RefreshInterval: refresh(s.RefreshInterval),
		HTTPClient: c.client(connecting(nil, s.Authorization, s.OAuth2, s.TLSConfig, s.ProxyConfig, s.FollowRedirects, s.EnableHTTP2), at),
	}
}

func filters(list monitoringv1alpha1.Filters) []Filter {
	var out []Filter
	for _, f := range list {
		out = append(out, Filter{Name: f.Name, Values: f.Values})
	}
	slices.SortStableFunc(out, func(a, b Filter) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
