package status_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/internal/status"
)

func waiting(name, reason, message string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
}

func ended(name string, code int32, reason string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}}}
}

func crashing(name string) corev1.ContainerStatus {
	out := waiting(name, "CrashLoopBackOff", "back-off 10s restarting failed container")
	out.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}
	return out
}

func running(name string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
}

var podCases = map[string]struct {
	deleted bool
	pod     corev1.PodStatus
	want    string
}{
	"nothing is known": {want: ""},
	"being stopped":    {deleted: true, pod: corev1.PodStatus{Phase: corev1.PodFailed}, want: "it is being stopped"},
	"not scheduled": {
		pod: corev1.PodStatus{Conditions: []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient memory.",
		}}},
		want: "no node takes it: 0/3 nodes are available: 3 Insufficient memory.",
	},
	"evicted": {
		pod:  corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory."},
		want: "it failed: Evicted: The node was low on resource: memory.",
	},
	"failed without a word": {pod: corev1.PodStatus{Phase: corev1.PodFailed}, want: "it failed: the cluster does not say why"},
	"passing through": {
		pod: corev1.PodStatus{
			InitContainerStatuses: []corev1.ContainerStatus{ended("init", 0, "Completed"), waiting("reloader", "ContainerCreating", "")},
			ContainerStatuses:     []corev1.ContainerStatus{waiting("prometheus", "PodInitializing", "")},
		},
	},
	"no image": {
		pod: corev1.PodStatus{
			InitContainerStatuses: []corev1.ContainerStatus{running("reloader")},
			ContainerStatuses:     []corev1.ContainerStatus{waiting("prometheus", "ErrImagePull", `failed to pull image "x": not found`)},
		},
		want: `container prometheus: ErrImagePull: failed to pull image "x": not found`,
	},
	"crashing": {
		pod: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{crashing("prometheus")}},
		want: "container prometheus: CrashLoopBackOff: back-off 10s restarting failed container; it ended with exit code 137, OOMKilled " +
			"(kubectl -n monitoring logs prometheus-main-0 -c prometheus --previous)",
	},
	"just ended": {
		pod:  corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{ended("reloader", 2, "Error")}, ContainerStatuses: []corev1.ContainerStatus{crashing("prometheus")}},
		want: "container reloader ended with exit code 2, Error (kubectl -n monitoring logs prometheus-main-0 -c reloader)",
	},
	"running": {pod: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{running("reloader")}}},
}

func TestPodWaiting(t *testing.T) {
	for name, c := range podCases {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "prometheus-main-0"}, Status: c.pod}
			if c.deleted {
				pod.DeletionTimestamp = &metav1.Time{}
			}
			if got := status.PodWaiting(pod); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestPodReady(t *testing.T) {
	for want, conditions := range map[bool][]corev1.PodCondition{
		true:  {{Type: corev1.PodScheduled, Status: corev1.ConditionFalse}, {Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		false: {{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: corev1.ConditionUnknown}},
	} {
		if got := status.PodReady(&corev1.Pod{Status: corev1.PodStatus{Conditions: conditions}}); got != want {
			t.Errorf("%v is ready: %v", conditions, got)
		}
	}
	if status.PodReady(&corev1.Pod{}) {
		t.Error("a pod of which nothing is known is not ready")
	}
}
