package monitors

import (
	"slices"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// oauth2 is a client of whoever gives out tokens.
func (c *compiler) oauth2(o *monitoringv1.OAuth2, at *field.Path) *OAuth2 {
	c.noProxy(o.ProxyConfig, at)
	// A POST to any address, whose answer is in the target's error if it is no token.
	c.stray(at.Child("tokenUrl"), "this server sends nothing for tenants but to those targets that Kubernetes discovers in their namespaces, and a tokenUrl is any address: use authorization or basicAuth")
	out := &OAuth2{
		ClientID: c.secretOrConfigMap(o.ClientID, at.Child("clientId")), ClientSecretFile: c.secret(&o.ClientSecret, at.Child("clientSecret")),
		TokenURL: string(o.TokenURL), Scopes: o.Scopes, EndpointParams: o.EndpointParams,
	}
	if o.TLSConfig != nil {
		out.TLSConfig = c.tls(o.TLSConfig, at.Child("tlsConfig"))
	}
	return out
}

// Clients says whether the id of a client of OAuth2 has to be put into the text of a job.
func (j *Job) Clients() bool {
	return j.OAuth2 != nil || slices.ContainsFunc(slices.Concat(j.HTTPSD, j.ConsulSD, j.EurekaSD, j.NomadSD, j.PuppetDBSD, j.DockerSD, j.DockerSwarmSD,
		j.DigitalOceanSD, j.HetznerSD, j.LinodeSD), func(s Service) bool { return s.OAuth2 != nil })
}
