package manifests_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/internal/manifests"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// podOf is the pod that an object runs, nil if it runs none.
func podOf(o manifests.Object) *corev1.PodSpec {
	if template := templateOf(o); template != nil {
		return &template.Spec
	}
	return nil
}

func templateOf(o manifests.Object) *corev1.PodTemplateSpec {
	switch o := o.(type) {
	case *appsv1.StatefulSet:
		return &o.Spec.Template
	case *appsv1.DaemonSet:
		return &o.Spec.Template
	case *appsv1.Deployment:
		return &o.Spec.Template
	}
	return nil
}

func containers(pod *corev1.PodSpec) []corev1.Container {
	return slices.Concat(pod.InitContainers, pod.Containers)
}

func forEachPod(t *testing.T, test func(t *testing.T, owner owned, o manifests.Object, pod *corev1.PodSpec)) {
	t.Helper()
	forEachCase(t, func(t *testing.T, c testCase) {
		for _, owner := range render(t, c.declared) {
			for _, o := range owner.objects {
				if pod := podOf(o); pod != nil {
					t.Run(o.GetNamespace()+"."+o.GetName(), func(t *testing.T) { test(t, owner, o, pod) })
				}
			}
		}
	})
}

// TestPodsAreRestricted asserts the restricted Pod Security Standard field by field. The exporter's host paths are the one
// exception, and they are mounted read-only.
func TestPodsAreRestricted(t *testing.T) {
	forEachPod(t, func(t *testing.T, owner owned, _ manifests.Object, pod *corev1.PodSpec) {
		if pod.HostNetwork != owner.hostNetwork || pod.HostPID || pod.HostIPC {
			t.Error("shares a namespace with the host")
		}
		checkUser(t, pod.SecurityContext)
		for _, c := range containers(pod) {
			want := &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false),
				ReadOnlyRootFilesystem:   new(true),
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			}
			if diff := cmp.Diff(want, c.SecurityContext); diff != "" {
				t.Errorf("container %s: the standard, a read-only root and nothing else is wanted:\n%s", c.Name, diff)
			}
			if c.Lifecycle != nil || slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool {
				return p.HostPort != 0 && !owner.hostNetwork || p.HostIP != ""
			}) {
				t.Errorf("container %s has hooks, or takes a port of the host", c.Name)
			}
		}
		for _, v := range pod.Volumes {
			if podName := pod.Containers[0].Name; podName != "grafana" || !volumeOfGrafana(v) {
				checkVolume(t, pod, v, owner.kind == "NodeExporter")
			}
		}
	})
}

func checkUser(t *testing.T, s *corev1.PodSecurityContext) {
	t.Helper()
	if s == nil || s.RunAsUser == nil || *s.RunAsUser == 0 {
		t.Fatal("may run as root")
	}
	// What the standard asks, and a user and groups, which it leaves free.
	want := &corev1.PodSecurityContext{
		RunAsNonRoot:   new(true),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		RunAsUser:      s.RunAsUser, RunAsGroup: s.RunAsGroup, FSGroup: s.FSGroup, FSGroupChangePolicy: s.FSGroupChangePolicy,
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("the pod's security context:\n%s", diff)
	}
}

// volumeOfGrafana: its database, and ConfigMaps without which it would start with something missing.
func volumeOfGrafana(v corev1.Volume) bool {
	needed := func(optional *bool) bool { return optional == nil || !*optional }
	if v.Projected != nil {
		return !slices.ContainsFunc(v.Projected.Sources, func(p corev1.VolumeProjection) bool { return p.ConfigMap == nil || !needed(p.ConfigMap.Optional) })
	}
	return v.PersistentVolumeClaim != nil || v.ConfigMap != nil && needed(v.ConfigMap.Optional)
}

func checkVolume(t *testing.T, pod *corev1.PodSpec, v corev1.Volume, hostPaths bool) {
	t.Helper()
	switch {
	case v.EmptyDir != nil:
	case v.Projected != nil:
		for _, source := range v.Projected.Sources {
			// What a remote asks for is made into files by the reloader, and what is sent waits until it is there.
			optional := v.Name == "mounted-secrets"
			if source.Secret == nil || source.Secret.Optional != nil && *source.Secret.Optional != optional {
				t.Errorf("volume %s has something else than Secrets, or starts without one", v.Name)
			}
		}
	case v.ConfigMap != nil && hostPaths:
		if v.ConfigMap.Optional != nil && *v.ConfigMap.Optional {
			t.Errorf("without ConfigMap %s the pod would start with other settings than those declared", v.ConfigMap.Name)
		}
	case v.Secret != nil:
		if v.Secret.Optional != nil && *v.Secret.Optional {
			t.Errorf("without Secret %s the pod would start unprotected", v.Secret.SecretName)
		}
	case v.HostPath != nil && hostPaths:
		for _, c := range containers(pod) {
			for _, m := range c.VolumeMounts {
				if m.Name == v.Name && !m.ReadOnly {
					t.Errorf("container %s can write to the host's %s", c.Name, v.HostPath.Path)
				}
			}
		}
	default:
		t.Errorf("volume %s is of a kind that is not allowed", v.Name)
	}
}

// TestProbesReachAPort: a name must be that of a port of the probed container, a number that of a port of the pod.
func TestProbesReachAPort(t *testing.T) {
	forEachPod(t, func(t *testing.T, _ owned, _ manifests.Object, pod *corev1.PodSpec) {
		var numbers []int32
		for _, c := range containers(pod) {
			for _, p := range c.Ports {
				numbers = append(numbers, p.ContainerPort)
			}
		}
		for _, c := range containers(pod) {
			for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
				if probe != nil && !reaches(probe, c, numbers) {
					t.Errorf("container %s: no port for the probe %+v", c.Name, probe.ProbeHandler)
				}
			}
			if c.ReadinessProbe == nil && c.StartupProbe == nil {
				t.Errorf("container %s is taken for ready without being asked", c.Name)
			}
		}
	})
}

func reaches(probe *corev1.Probe, c corev1.Container, numbers []int32) bool {
	var port intstr.IntOrString
	switch {
	case probe.HTTPGet != nil && probe.HTTPGet.Host == "":
		port = probe.HTTPGet.Port
	case probe.TCPSocket != nil && probe.TCPSocket.Host == "":
		port = probe.TCPSocket.Port
	default:
		return false
	}
	if port.Type == intstr.Int {
		return slices.Contains(numbers, port.IntVal)
	}
	return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == port.StrVal })
}

// TestReferencesHold: selectors select, mounts have a volume, pods an account and bindings a role.
func TestReferencesHold(t *testing.T) {
	forEachCase(t, func(t *testing.T, c testCase) {
		for _, owner := range render(t, c.declared) {
			have := shippedRoles(t)
			for _, o := range owner.beyond {
				if b, ok := o.(*rbacv1.ClusterRoleBinding); ok && !have[b.RoleRef.Kind+"/"+b.RoleRef.Name] {
					t.Errorf("%s: there is no role %s", owner, b.RoleRef.Name)
				}
			}
			for _, o := range owner.objects {
				have[kindOf(o)+"/"+o.GetName()] = true
				if pod := podOf(o); pod != nil {
					if !have["ServiceAccount/"+pod.ServiceAccountName] {
						t.Errorf("%s: the account %s is not there before the pods", owner, pod.ServiceAccountName)
					}
					checkMounts(t, o, pod)
				}
				if b, ok := o.(*rbacv1.RoleBinding); ok && !have[b.RoleRef.Kind+"/"+b.RoleRef.Name] {
					t.Errorf("%s: the role %s is not there before its binding", owner, b.RoleRef.Name)
				}
			}
			checkSelectors(t, owner)
		}
	})
}

// shippedRoles are the ClusterRoles of config/rbac.
func shippedRoles(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, role := range clusterRoles(t) {
		out["ClusterRole/"+role.Name] = true
	}
	return out
}

func clusterRoles(t *testing.T) []rbacv1.ClusterRole {
	t.Helper()
	var out []rbacv1.ClusterRole
	for _, file := range []string{"server_roles.yaml", "metrics.yaml"} {
		text, err := os.ReadFile(filepath.Join("../../config/rbac", file))
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			var role rbacv1.ClusterRole
			if err := yaml.Unmarshal([]byte(document), &role); err != nil {
				t.Fatal(err)
			}
			if role.Kind == "ClusterRole" {
				out = append(out, role)
			}
		}
	}
	return out
}

// TestStateMetricsMayListWhatItIsToldTo, and nothing else: what it has and does not need would be lost on whoever has its
// token, and what it lacks would keep it from all of its metrics.
func TestStateMetricsMayListWhatItIsToldTo(t *testing.T) {
	var may []string
	for _, role := range clusterRoles(t) {
		if role.Name != stack.RoleStateMetrics {
			continue
		}
		for _, rule := range role.Rules {
			if diff := cmp.Diff([]string{"list", "watch"}, rule.Verbs); diff != "" || len(rule.ResourceNames) > 0 {
				t.Errorf("%v: %s", rule.Resources, diff)
			}
			may = append(may, rule.Resources...)
		}
	}
	slices.Sort(may)
	told := 0
	forEachPod(t, func(t *testing.T, _ owned, _ manifests.Object, pod *corev1.PodSpec) {
		for _, arg := range pod.Containers[0].Args {
			if resources, ok := strings.CutPrefix(arg, "--resources="); ok {
				told++
				if diff := cmp.Diff(may, strings.Split(resources, ",")); diff != "" {
					t.Errorf("what it may list and what it is told to (-may +told):\n%s", diff)
				}
			}
		}
	})
	if told == 0 || slices.Contains(may, "secrets") || slices.Contains(may, "configmaps") {
		t.Errorf("%d pods of kube-state-metrics, which may list %v", told, may)
	}
}

func checkMounts(t *testing.T, o manifests.Object, pod *corev1.PodSpec) {
	t.Helper()
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = false
	}
	if set, ok := o.(*appsv1.StatefulSet); ok {
		for _, claim := range set.Spec.VolumeClaimTemplates {
			volumes[claim.Name] = false
		}
	}
	for _, c := range containers(pod) {
		for _, m := range c.VolumeMounts {
			if _, ok := volumes[m.Name]; !ok {
				t.Errorf("container %s mounts %s, which is no volume of the pod", c.Name, m.Name)
			}
			volumes[m.Name] = true
		}
		checkDirectories(t, c)
	}
	for name, mounted := range volumes {
		if !mounted {
			t.Errorf("nobody mounts volume %s", name)
		}
	}
}

// checkDirectories: what an argument names is mounted.
func checkDirectories(t *testing.T, c corev1.Container) {
	t.Helper()
	for _, arg := range c.Args {
		for _, prefix := range []string{"--tls-dir=", "--basic-auth-dir=", "--dir=", "--granted-dir=", "--mounted-dir=", "--mounted-out=", "--storage.tsdb.path=", "--storage.path="} {
			dir, ok := strings.CutPrefix(arg, prefix)
			if ok && !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == dir }) {
				t.Errorf("container %s: nothing is mounted where %s says", c.Name, arg)
			}
		}
	}
}

// checkSelectors: a workload selects its own pods and no other's, a Service those of every workload of its owner that has
// its labels: a server's Services have nothing to do with its Alertmanager.
// checkSelectors: a workload selects its own pods and no others. A Service that is named as a workload is for that one, and
// any other for all of its application.
func checkSelectors(t *testing.T, owner owned) {
	t.Helper()
	workloads := map[string]bool{}
	for _, o := range owner.objects {
		workloads[o.GetName()] = workloads[o.GetName()] || templateOf(o) != nil
	}
	for _, o := range owner.objects {
		template := templateOf(o)
		if template == nil {
			continue
		}
		for _, other := range owner.objects {
			var selector map[string]string
			switch other := other.(type) {
			case *corev1.Service:
				selector = other.Spec.Selector
			case *appsv1.StatefulSet:
				selector = other.Spec.Selector.MatchLabels
			case *appsv1.DaemonSet:
				selector = other.Spec.Selector.MatchLabels
			case *appsv1.Deployment:
				selector = other.Spec.Selector.MatchLabels
			default:
				continue
			}
			want := o == other
			if kindOf(other) == "Service" {
				want = other.GetLabels()["app.kubernetes.io/name"] == o.GetLabels()["app.kubernetes.io/name"] &&
					(!workloads[other.GetName()] || other.GetName() == o.GetName())
			}
			if got := labels.SelectorFromSet(selector).Matches(labels.Set(template.Labels)); got != want || len(selector) == 0 {
				t.Errorf("%s %s selects the pods of %s %s: %v, want %v", kindOf(other), other.GetName(), kindOf(o), o.GetName(), got, want)
			}
		}
	}
}
