package status

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// PodReady says whether a pod is ready.
func PodReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// PodWaiting is what keeps a pod from running, in the cluster's own words; empty if it says nothing.
func PodWaiting(pod *corev1.Pod) string {
	if pod.DeletionTimestamp != nil {
		return "it is being stopped"
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "no node takes it: " + c.Message
		}
	}
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range list {
			if text := containerWaiting(&list[i]); text != "" {
				return text
			}
		}
	}
	return ""
}

// containerWaiting leaves out the reasons that every container passes through.
func containerWaiting(c *corev1.ContainerStatus) string {
	w := c.State.Waiting
	if w == nil || w.Reason == "PodInitializing" || w.Reason == "ContainerCreating" {
		return ""
	}
	text := fmt.Sprintf("container %s: %s", c.Name, w.Reason)
	if w.Message != "" {
		text += ": " + w.Message
	}
	if t := c.LastTerminationState.Terminated; t != nil {
		text += fmt.Sprintf(" (it ended with exit code %d, %s)", t.ExitCode, t.Reason)
	}
	return text
}
