package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hearth-monitoring/hearth/internal/status"
)

// Of a pod little is kept, and what is said of it is the same.
func TestTrimPod(t *testing.T) {
	t.Parallel()
	waiting := func(reason string) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: "c", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "for a while"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error"}}}
	}
	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
	before := map[string]*corev1.Pod{}
	for name, s := range map[string]corev1.PodStatus{
		"ready": {Phase: corev1.PodRunning, PodIP: "10.0.0.1", Conditions: []corev1.PodCondition{{Type: corev1.PodInitialized, Status: corev1.ConditionTrue}, ready},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "c", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}},
		"no node":      {Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes"}}},
		"no image":     {ContainerStatuses: []corev1.ContainerStatus{{Name: "a"}, waiting("ImagePullBackOff")}},
		"being made":   {ContainerStatuses: []corev1.ContainerStatus{waiting("ContainerCreating")}},
		"init crashes": {InitContainerStatuses: []corev1.ContainerStatus{waiting("CrashLoopBackOff")}},
		"ended": {ContainerStatuses: []corev1.ContainerStatus{{Name: "c", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}}}}},
		"failed": {Phase: corev1.PodFailed, Reason: "Evicted", Message: "the node was low on memory"},
	} {
		before[name] = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}, Status: s, Spec: corev1.PodSpec{Containers: make([]corev1.Container, 3)}}
	}
	stopped := before["ready"].DeepCopy()
	stopped.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	before["stopped"] = stopped
	for name, pod := range before {
		trimmed, err := trimPod(pod.DeepCopy())
		if err != nil {
			t.Fatal(err)
		}
		after, ok := trimmed.(*corev1.Pod)
		if !ok || len(after.Spec.Containers) > 0 {
			t.Fatalf("%s: %T with a spec", name, trimmed)
		}
		if status.PodReady(after) != status.PodReady(pod) || after.Status.PodIP != pod.Status.PodIP {
			t.Errorf("%s: ready %t at %q, want %t at %q", name, status.PodReady(after), after.Status.PodIP, status.PodReady(pod), pod.Status.PodIP)
		}
		if diff := cmp.Diff(status.PodWaiting(pod), status.PodWaiting(after)); diff != "" {
			t.Errorf("%s: what it waits for (-before +after):\n%s", name, diff)
		}
		// Each is another one than the one that is ready, and the same as itself.
		told := tells().Update(event.UpdateEvent{ObjectOld: before["ready"], ObjectNew: after})
		if want := name != "ready"; told != want {
			t.Errorf("%s: told %t, want %t", name, told, want)
		}
	}
}
