package stack

import (
	"fmt"
	"strings"
)

// Awaited is a scrape job that was declared and ought to have a target.
type Awaited struct {
	Job string
	// Optional is true where it is no fault to have none, and Idle where nothing runs that could be one.
	Optional, Idle bool
	// Why it most likely has none.
	Why string
}

// The jobs by which a server pulls from itself and from its own Alertmanager, and from the reloaders beside both. What those of the
// reloaders measure is the same, and so is their label job.
const (
	JobSelf                 = "prometheus"
	JobAlertmanager         = "alertmanager"
	JobReloader             = "hearth-reloader"
	JobReloaderAlertmanager = JobReloader + "/" + JobAlertmanager
)

// awaitedOfItself are the jobs that nothing can take the targets of away, so they are what tells "nothing is down" from "nothing has
// been looked for".
func (s *Stack) awaitedOfItself() []Awaited {
	const begun = "the server has only just begun to look for its targets, "
	out := []Awaited{{Job: JobSelf, Why: begun + "itself among them"}, {Job: JobReloader, Why: begun + "the reloader beside it among them"}}
	if s.Alertmanager != nil {
		out = append(out, Awaited{Job: JobAlertmanager, Why: begun + "its own Alertmanager among them"},
			Awaited{Job: JobReloaderAlertmanager, Why: begun + "the reloader beside its own Alertmanager among them"})
	}
	return out
}

// Awaited are the jobs that ought to have targets. That one has none is nothing that Prometheus would speak of.
func (s *Stack) Awaited() []Awaited {
	k := s.Kubernetes
	out := s.awaitedOfItself()
	if k.APIServer {
		out = append(out, Awaited{Job: JobAPIServer, Why: "the Service kubernetes in namespace default has no endpoint with a port called https"})
	}
	if k.Kubelets != nil {
		for _, job := range []string{JobKubelet, JobKubeletCAdvisor, JobKubeletProbes} {
			out = append(out, Awaited{Job: job, Why: fmt.Sprintf("the server sees no node; ClusterRoleBinding %s lets it", BindingName(RoleNodes, s.Namespace, s.Name))})
		}
	}
	if k.CoreDNS {
		out = append(out, Awaited{Job: JobCoreDNS, Why: "no pod in kube-system is labelled k8s-app=kube-dns and has a port called metrics; " +
			"if this cluster's DNS is not CoreDNS, leave out spec.targets.kubernetes.coreDNS"})
	}
	if k.StateMetrics != nil {
		why := fmt.Sprintf("no pod of it is there: kubectl -n %s get pods -l %s=%s", s.Namespace, LabelStateMetrics, s.Name)
		out = append(out, Awaited{Job: JobStateMetrics, Why: why}, Awaited{Job: JobStateMetricsSelf, Why: why})
	}
	if s.Operator != nil {
		out = append(out, Awaited{Job: JobOperator, Why: fmt.Sprintf("the Service %s in namespace %s has no endpoint with a port called %s",
			OperatorService, s.Operator.Namespace, OperatorPort)})
	}
	if a := s.Annotations; a != nil {
		where := "in any namespace"
		if a.Namespaces != nil {
			where = "in " + strings.Join(a.Namespaces[:min(len(a.Namespaces), 5)], ", ")
		}
		if a.Pods {
			out = append(out, Awaited{Job: JobPods, Optional: true, Why: `no pod that runs ` + where + ` is annotated prometheus.io/scrape: "true"`})
		}
		if a.Services {
			out = append(out, Awaited{Job: JobServiceEndpoints, Optional: true,
				Why: `no Service with pods ` + where + ` is annotated prometheus.io/scrape: "true", but for those whose pods are scraped anyway`})
		}
	}
	return out
}

// Awaited is its job, which ought to have targets from when one of its pods is ready.
func (e ExporterTarget) Awaited() Awaited {
	whose := fmt.Sprintf("NodeExporter %s/%s", e.Namespace, e.Name)
	if e.Pool != "" {
		whose = fmt.Sprintf("pool %s of %s", e.Pool, whose)
	}
	out := Awaited{Job: e.Job(), Idle: !e.Running, Why: "no pod of " + whose + " is ready; its status says why"}
	if e.Running {
		out.Why = fmt.Sprintf("pods of %s are ready, and this server has discovered none: Service %s in namespace %s has to have endpoints, and RoleBinding %s lets the server see them",
			whose, e.Service, e.Namespace, e.Service)
	}
	return out
}
