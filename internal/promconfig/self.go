package promconfig

import (
	"fmt"

	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// Where the Secrets that protect the server's pages are mounted in its pods, and where the reloader leaves the web
// configuration it makes of them.
const (
	TLSDir        = "/etc/prometheus/secrets/tls"
	BasicAuthDir  = "/etc/prometheus/secrets/basic-auth"
	WebConfigDir  = "/etc/prometheus/web"
	WebConfigFile = WebConfigDir + "/web.yml"
)

// self is the job by which a server pulls from itself, over its own loopback: no discovery can take it away, and a
// password never leaves the pod.
func self(s *stack.Stack) scrapeConfig {
	job := scrapeConfig{
		JobName: stack.JobSelf,
		StaticConfigs: []staticConfig{{
			Targets: []string{"localhost:9090"},
			Labels:  map[string]string{"instance": s.Namespace + "/" + s.Name},
		}},
	}
	if s.Web.TLSSecret != "" {
		job.Scheme = "https"
		// The certificate is made for the name users know, which loopback isn't.
		job.TLSConfig = &tlsConfig{InsecureSkipVerify: true}
	}
	if s.Web.BasicAuthSecret != "" {
		job.BasicAuth = &basicAuth{UsernameFile: BasicAuthDir + "/username", PasswordFile: BasicAuthDir + "/password"}
	}
	return job
}

// reloader is the job by which a server pulls from the reloader in its own pod, as it does from itself. The reloader asks for no
// password.
func reloader(s *stack.Stack) scrapeConfig {
	return scrapeConfig{
		JobName: stack.JobReloader,
		StaticConfigs: []staticConfig{{
			Targets: []string{fmt.Sprintf("localhost:%d", replica.Port)},
			Labels:  map[string]string{"instance": s.Namespace + "/" + s.Name},
		}},
	}
}
