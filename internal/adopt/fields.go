package adopt

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/utils/ptr"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// take sets what corresponds to a field, and says what that is.
type take func(*conversion) (verdict, becomes, note string)

// as is a field that means the same.
func as(becomes string, set func(*conversion)) take {
	return func(c *conversion) (string, string, string) {
		set(c)
		return Same, becomes, ""
	}
}

// instead is a field of which something else is made.
func instead(note string) take {
	return func(*conversion) (string, string, string) { return Changed, "", note }
}

// without is a field that has no counterpart, and a word on why that is.
func without(note string) take {
	return func(*conversion) (string, string, string) { return None, "", note }
}

// fields are those of a Prometheus' spec of which there is something to say.
func fields() map[string]take {
	out := map[string]take{}
	for _, some := range []map[string]take{selections(), running(), kept(), labelled(), tenancy(), elsewhere()} {
		for name, take := range some {
			out[name] = take
		}
	}
	return out
}

// selections: a nil selector selects nothing and an empty one everything, there as here.
func selections() map[string]take {
	services := as("spec.targets.serviceMonitors", func(c *conversion) {
		c.targets().ServiceMonitors = selector(c.theirs.Spec.ServiceMonitorSelector, c.theirs.Spec.ServiceMonitorNamespaceSelector)
	})
	pods := as("spec.targets.podMonitors", func(c *conversion) {
		c.targets().PodMonitors = selector(c.theirs.Spec.PodMonitorSelector, c.theirs.Spec.PodMonitorNamespaceSelector)
	})
	probes := as("spec.targets.probes", func(c *conversion) {
		c.targets().Probes = selector(c.theirs.Spec.ProbeSelector, c.theirs.Spec.ProbeNamespaceSelector)
	})
	scrapes := as("spec.targets.scrapeConfigs", func(c *conversion) {
		c.targets().ScrapeConfigs = selector(c.theirs.Spec.ScrapeConfigSelector, c.theirs.Spec.ScrapeConfigNamespaceSelector)
	})
	rules := as("spec.prometheusRules", func(c *conversion) {
		c.server.Spec.PrometheusRules = selector(c.theirs.Spec.RuleSelector, c.theirs.Spec.RuleNamespaceSelector)
	})
	return map[string]take{
		"serviceMonitorSelector": services, "serviceMonitorNamespaceSelector": services, "podMonitorSelector": pods, "podMonitorNamespaceSelector": pods,
		"probeSelector": probes, "probeNamespaceSelector": probes, "scrapeConfigSelector": scrapes, "scrapeConfigNamespaceSelector": scrapes,
		"ruleSelector": rules, "ruleNamespaceSelector": rules,
	}
}

// running is how the pods run.
func running() map[string]take {
	return map[string]take{
		"version":          version,
		"image":            instead("set spec.image if Prometheus has to come from there: it has to be 3.11.0 or later"),
		"imagePullSecrets": as("spec.imagePullSecrets", func(c *conversion) { c.server.Spec.ImagePullSecrets = c.theirs.Spec.ImagePullSecrets }),
		"replicas":         as("spec.replicas", func(c *conversion) { c.server.Spec.Replicas = c.theirs.Spec.Replicas }),
		"resources":        as("spec.resources", func(c *conversion) { c.server.Spec.Resources = &c.theirs.Spec.Resources }),
		"nodeSelector":     as("spec.nodeSelector", func(c *conversion) { c.server.Spec.NodeSelector = c.theirs.Spec.NodeSelector }),
		"tolerations":      as("spec.tolerations", func(c *conversion) { c.server.Spec.Tolerations = c.theirs.Spec.Tolerations }),
		"affinity":         as("spec.affinity", func(c *conversion) { c.server.Spec.Affinity = c.theirs.Spec.Affinity }),
		"priorityClassName": as("spec.priorityClassName", func(c *conversion) {
			c.server.Spec.PriorityClassName = c.theirs.Spec.PriorityClassName
		}),
		"podMetadata":    podMetadata,
		"scrapeInterval": as("spec.scrapeInterval", func(c *conversion) { c.server.Spec.ScrapeInterval = v1alpha1.Duration(c.theirs.Spec.ScrapeInterval) }),
		"scrapeTimeout":  as("spec.scrapeTimeout", func(c *conversion) { c.server.Spec.ScrapeTimeout = v1alpha1.Duration(c.theirs.Spec.ScrapeTimeout) }),
		"evaluationInterval": as("spec.evaluationInterval", func(c *conversion) {
			c.server.Spec.EvaluationInterval = v1alpha1.Duration(c.theirs.Spec.EvaluationInterval)
		}),
		"externalUrl":         as("spec.externalURL", func(c *conversion) { c.server.Spec.ExternalURL = c.theirs.Spec.ExternalURL }),
		"shards":              shards,
		"mode":                daemonSet,
		"securityContext":     instead("every pod of Hearth's passes the restricted Pod Security Standard"),
		"serviceAccountName":  instead("a PrometheusServer has a ServiceAccount of its own, with no more rights than its targets take"),
		"serviceName":         instead("the Service is called prometheus-<name>, and prometheus-<name>-pods for the pods"),
		"logLevel":            without("it logs at info"),
		"portName":            portName,
		"walCompression":      instead("the write-ahead log is compressed, as it is by default"),
		"podManagementPolicy": instead("the pods are started side by side"),
	}
}

func version(c *conversion) (verdict, becomes, note string) {
	v := strings.TrimPrefix(c.theirs.Spec.Version, "v")
	var major, minor int
	if parts := strings.SplitN(v, ".", 3); len(parts) == 3 {
		major, _ = strconv.Atoi(parts[0])
		minor, _ = strconv.Atoi(parts[1])
	}
	if major == 3 && minor >= 11 {
		c.server.Spec.Version = v
		return Same, "spec.version", ""
	}
	return Changed, "spec.version", fmt.Sprintf("%s is older than 3.11.0, which Hearth needs; left out it is the operator's default", c.theirs.Spec.Version)
}

func podMetadata(c *conversion) (verdict, becomes, note string) {
	m := c.theirs.Spec.PodMetadata
	out := &v1alpha1.PodMetadata{Annotations: m.Annotations}
	verdict = Same
	for key, value := range m.Labels {
		if strings.HasPrefix(key, "app.kubernetes.io/") {
			verdict, note = Changed, "labels below app.kubernetes.io/ are Hearth's own and left out"
			continue
		}
		if out.Labels == nil {
			out.Labels = map[string]string{}
		}
		out.Labels[key] = value
	}
	if len(out.Labels)+len(out.Annotations) > 0 {
		c.server.Spec.PodMetadata = out
	}
	return verdict, "spec.podMetadata", note
}

// maxShards is how many a PrometheusServer can have.
const maxShards = 32

func shards(c *conversion) (verdict, becomes, note string) {
	n := ptr.Deref(c.theirs.Spec.Shards, 1)
	if n <= 1 {
		return Same, "spec.shards", "one shard is what there is"
	}
	c.server.Spec.Shards = ptr.To(min(n, maxShards))
	note = `each shard's alerts get the label shard: its number, which externalLabels: {shard: ""} leaves out; a Service answers for one shard alone`
	if n > maxShards {
		note = fmt.Sprintf("%d is the most; %s", maxShards, note)
	}
	return Changed, "spec.shards", note
}

// daemonSet is the other mode of an agent.
func daemonSet(c *conversion) (verdict, becomes, note string) {
	if c.agent == nil || ptr.Deref(c.agent.Mode, "") != monitoringv1alpha1.DaemonSetPrometheusAgentMode {
		return Same, "", ""
	}
	return Changed, "", "not one agent on each node, but one that scrapes all of them: share them out with spec.shards"
}

// claims: a claim can go with the server, and stays when there are fewer replicas.
func claims(c *conversion) (verdict, becomes, note string) {
	p := c.theirs.Spec.PersistentVolumeClaimRetentionPolicy
	if p.WhenDeleted == appsv1.DeletePersistentVolumeClaimRetentionPolicyType {
		c.server.Spec.Storage.WhenDeleted = v1alpha1.ClaimDelete
	}
	if p.WhenScaled == appsv1.DeletePersistentVolumeClaimRetentionPolicyType {
		return Changed, "spec.storage.whenDeleted", "claims of replicas that there are no longer stay"
	}
	return Same, "spec.storage.whenDeleted", ""
}

func portName(c *conversion) (verdict, becomes, note string) {
	if c.theirs.Spec.PortName == "web" {
		return Same, "", ""
	}
	return Changed, "", "the port is called web"
}

// kept is what is kept, and for how long.
func kept() map[string]take {
	return map[string]take{
		"retention": as("spec.retention.time", func(c *conversion) {
			c.server.Spec.Retention.Time = v1alpha1.Duration(c.theirs.Spec.Retention)
		}),
		"retentionSize": func(c *conversion) (string, string, string) {
			q, err := size(string(c.theirs.Spec.RetentionSize))
			if err != nil {
				return None, "", err.Error()
			}
			c.server.Spec.Retention.Size = &q
			if c.theirs.Spec.Retention == "" {
				// With a size alone there is no limit in time, and there always is one here.
				c.server.Spec.Retention.Time = "10y"
			}
			return Same, "spec.retention.size", ""
		},
		"storage":                              storage,
		"persistentVolumeClaimRetentionPolicy": claims,
	}
}

func storage(c *conversion) (verdict, becomes, note string) {
	s := c.theirs.Spec.Storage
	claim := s.VolumeClaimTemplate.Spec
	c.server.Spec.Storage.StorageClassName = claim.StorageClassName
	q, ok := claim.Resources.Requests["storage"]
	if !ok {
		return Changed, "spec.storage.size", "it names no size of a claim: 10Gi is the default"
	}
	c.server.Spec.Storage.Size = q
	if claim.Selector != nil || claim.VolumeName != "" || claim.DataSource != nil || len(s.VolumeClaimTemplate.Annotations)+len(s.VolumeClaimTemplate.Labels) > 0 {
		return Changed, "spec.storage", "a claim has a size and a class; the rest of the template is left out"
	}
	return Same, "spec.storage", "new claims: samples are not moved"
}

// labelled is how targets and samples are labelled.
func labelled() map[string]take {
	return map[string]take{
		"externalLabels": func(c *conversion) (string, string, string) {
			c.label(c.theirs.Spec.ExternalLabels)
			return Changed, "spec.externalLabels", c.externalNote()
		},
		"replicaExternalLabelName":    external("replica", func(c *conversion) *string { return c.theirs.Spec.ReplicaExternalLabelName }),
		"prometheusExternalLabelName": external("prometheus", func(c *conversion) *string { return c.theirs.Spec.PrometheusExternalLabelName }),
		"serviceDiscoveryRole": func(c *conversion) (string, string, string) {
			if ptr.Deref(c.theirs.Spec.ServiceDiscoveryRole, "") == monitoringv1.EndpointSliceRole {
				return Same, "", ""
			}
			return Changed, "", "Services are discovered by EndpointSlices, with the same targets and labels"
		},
		"arbitraryFSAccessThroughSMs": instead("monitors may never name files"),
		"ignoreNamespaceSelectors":    instead("a monitor may look in namespaces from which the server takes monitors, and in no other"),
	}
}

// external is a label that can be left out, and has one name here.
func external(name string, theirs func(*conversion) *string) take {
	return func(c *conversion) (string, string, string) {
		switch label := theirs(c); {
		case removed(label):
			c.label(map[string]string{name: ""})
			return Same, "spec.externalLabels." + name, "there is no such label"
		case label != nil && *label == name:
			return Same, "", ""
		}
		return Changed, "", "the label is called " + name
	}
}

// label adds external labels.
func (c *conversion) label(labels map[string]string) {
	if c.server.Spec.ExternalLabels == nil {
		c.server.Spec.ExternalLabels = map[string]string{}
	}
	maps.Copy(c.server.Spec.ExternalLabels, labels)
}

// elsewhere is what is left out, and why.
func elsewhere() map[string]take {
	return map[string]take{
		"alerting":                      alerting,
		"additionalScrapeConfigs":       without("its text is in a Secret, which is not read: write a ScrapeConfig"),
		"additionalAlertManagerConfigs": without("its text is in a Secret, which is not read: use spec.alerting.external"),
		"web":                           without("name the certificate's Secret in spec.web.tls: it needs the keys tls.crt and tls.key"),
		"thanos":                        without("there is no Thanos sidecar"),
		"scrapeClasses":                 without("monitors that name a class are refused"),
		"volumes":                       without("nothing else is mounted"),
		"volumeMounts":                  without("nothing else is mounted"),
		"secrets":                       without("nothing else is mounted: monitors name Secrets of their own namespace"),
		"configMaps":                    without("nothing else is mounted"),
		"remoteWrite":                   remoteWrites,
		"enableRemoteWriteReceiver": as("spec.remoteWriteReceiver", func(c *conversion) {
			c.server.Spec.RemoteWriteReceiver = c.theirs.Spec.EnableRemoteWriteReceiver
		}),
		"remoteWriteReceiverMessageVersions": instead("both versions are taken"),
		"enableOTLPReceiver":                 without("there is no receiver of OpenTelemetry's protocol"),
		"remoteRead":                         without("not yet"),
	}
}
