package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// What becomes of a running stack when one of its parts is killed. Not parallel: the operator is one of them.
func TestOutage(t *testing.T) {
	g := newGround(t)
	ps, ne, ar := g.full()
	t.Run("operator", func(t *testing.T) { g.in(t).withoutOperator(ps, ne, ar) })
	t.Run("reloader", func(t *testing.T) { g.in(t).killed(ps, "reloader") })
	t.Run("Prometheus", func(t *testing.T) { g.in(t).killed(ps, "prometheus") })
	t.Run("pod", func(t *testing.T) { g.in(t).podDeleted(ps) })
	g.works(ps, ne, ar)
}

// withoutOperator kills the operator, so that it can't hand over its lease. A rule that is applied meanwhile is loaded
// once there is another one, and nothing else happens.
func (g *ground) withoutOperator(ps *v1alpha1.PrometheusServer, ne *v1alpha1.NodeExporter, ar *v1alpha1.AlertRule) {
	g.t.Helper()
	operator := operatorPod(g.t.Context())
	before, pods := g.children(), lives(g.pods(ps))
	must(g.t, kube.api.Delete(g.t.Context(), &operator, client.GracePeriodSeconds(0)))
	late := g.rule("late", record("e2e:late", "vector(5)"))
	g.create(late)
	_, took := g.await(90*time.Second, late, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
	g.t.Logf("the operator was killed; a rule applied then is Loaded after %s", took)
	eventually(g.t, time.Minute, func() error { return wantValue(g.t, through(ps), "e2e:late", 5) })
	g.works(ps, ne, ar)
	if diff := cmp.Diff(pods, lives(g.pods(ps))); diff != "" {
		g.t.Errorf("pods were restarted or replaced:\n%s", diff)
	}
	var written []string
	for name, o := range g.children() {
		// What their own controllers say in a status is no write of ours.
		if was, ok := before[name]; !ok || !cmp.Equal(shape(was), shape(o)) {
			written = append(written, name)
			if !strings.HasPrefix(name, "ConfigMap/prometheus-main-") {
				g.t.Errorf("%s was written by %s\n%s", name, manager(o), cmp.Diff(was, o))
			}
		}
	}
	g.t.Logf("written by the new operator: %v; pods %v", written, pods)
}

// killed kills the process of a container, which Kubernetes starts again, and waits until the server is as it was.
func (g *ground) killed(ps *v1alpha1.PrometheusServer, container string) {
	g.t.Helper()
	if !kube.here || os.Geteuid() != 0 {
		g.t.Skip("only root on the node's own machine can kill a process of a container that has no shell")
	}
	pod := g.pods(ps)["prometheus-main-0"]
	first := g.oldest(ps)
	pid := process(g.t, string(pod.UID), container)
	must(g.t, syscall.Kill(pid, syscall.SIGKILL))
	start := time.Now()
	restarts := eventually(g.t, 2*time.Minute, func() error {
		now := g.pods(ps)["prometheus-main-0"]
		for _, s := range append(now.Status.InitContainerStatuses, now.Status.ContainerStatuses...) {
			if s.Name == container && s.RestartCount > 0 && s.State.Running != nil {
				return nil
			}
		}
		return fmt.Errorf("%s does not run again", container)
	})
	g.t.Logf("killed %s, process %d; it runs again after %s", container, pid, restarts)
	g.sound(ps)
	now := g.pods(ps)["prometheus-main-0"]
	for _, s := range append(now.Status.InitContainerStatuses, now.Status.ContainerStatuses...) {
		if s.Name != container && s.LastTerminationState.Terminated != nil && s.LastTerminationState.Terminated.FinishedAt.After(start) {
			g.t.Errorf("%s was restarted because %s was killed: %s", s.Name, container, text(s))
		}
	}
	if now.UID != pod.UID {
		g.t.Errorf("the pod was replaced")
	}
	if again := g.oldest(ps); again > first {
		g.t.Errorf("samples before %s are gone, the oldest was of %s", moment(again), moment(first))
	}
	g.t.Logf("%s after it was killed: %s, the oldest sample is of %s", time.Since(start).Round(100*time.Millisecond), text(ps.Status.Configuration), moment(first))
}

func (g *ground) podDeleted(ps *v1alpha1.PrometheusServer) {
	g.t.Helper()
	pod := g.pods(ps)["prometheus-main-0"]
	first := g.oldest(ps)
	must(g.t, kube.api.Delete(g.t.Context(), &pod))
	took := eventually(g.t, time.Minute, func() error {
		now, ok := g.pods(ps)["prometheus-main-0"]
		if !ok || now.UID == pod.UID {
			return fmt.Errorf("no new pod yet, the old one is %s", pod.Status.Phase)
		}
		return nil
	})
	g.t.Logf("another pod after %s", took)
	// While it starts the status must say so, which is what makes the next line wait.
	g.sound(ps)
	if again := g.oldest(ps); again > first {
		g.t.Errorf("samples before %s are gone, the oldest was of %s", moment(again), moment(first))
	}
	g.t.Logf("%s, the oldest sample is of %s", text(ps.Status.Configuration), moment(first))
}

// sound waits until the pod is ready, and its Prometheus really has the rules that the status says are loaded.
func (g *ground) sound(ps *v1alpha1.PrometheusServer) {
	g.t.Helper()
	eventually(g.t, 3*time.Minute, func() error {
		pod := g.pods(ps)["prometheus-main-0"]
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("the pod is not ready: %s", text(pod.Status.Conditions))
	})
	for _, c := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionLoaded, v1alpha1.ConditionTargetsHealthy} {
		g.await(time.Minute, ps, c, metav1.ConditionTrue, "")
	}
	eventually(g.t, time.Minute, func() error {
		groups, err := through(ps).groups(g.t.Context())
		if err != nil {
			return err
		}
		for _, name := range []string{"watchdog-group", "late-group"} {
			if _, ok := groups[name]; !ok {
				return fmt.Errorf("Prometheus does not evaluate %s: %v", name, groups)
			}
		}
		return nil
	})
}

// oldest is the time of the oldest sample of the last minutes.
func (g *ground) oldest(ps *v1alpha1.PrometheusServer) float64 {
	g.t.Helper()
	return through(ps).value(g.t, `min_over_time(timestamp(up{job="prometheus"})[30m:1s])`).Value.float()
}

// process finds the process of a container of a pod among those of this machine.
func process(t *testing.T, pod, binary string) int {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cgroup")
	must(t, err)
	for _, file := range found {
		group, err := os.ReadFile(file)
		// A systemd cgroup driver writes the UID with _.
		if err != nil || !strings.Contains(strings.ReplaceAll(string(group), "_", "-"), pod) {
			continue
		}
		command, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		name, _, _ := bytes.Cut(command, []byte{0})
		if err != nil || filepath.Base(string(name)) != binary {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		must(t, err)
		return pid
	}
	t.Fatalf("no process %s of pod %s on this machine", binary, pod)
	return 0
}
