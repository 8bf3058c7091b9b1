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
	if pod.Status.Phase == corev1.PodFailed {
		return "it failed: " + firstText(joined(pod.Status.Reason, pod.Status.Message), "the cluster does not say why")
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "no node takes it: " + c.Message
		}
	}
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range list {
			if text := containerWaiting(pod, &list[i]); text != "" {
				return text
			}
		}
	}
	return ""
}

// containerWaiting leaves out the reasons that every container passes through.
func containerWaiting(pod *corev1.Pod, c *corev1.ContainerStatus) string {
	if t := c.State.Terminated; t != nil && t.ExitCode != 0 {
		return fmt.Sprintf("container %s %s", c.Name, ended(pod, c.Name, t, ""))
	}
	w := c.State.Waiting
	if w == nil || w.Reason == "" || w.Reason == "PodInitializing" || w.Reason == "ContainerCreating" {
		return ""
	}
	text := fmt.Sprintf("container %s: %s", c.Name, joined(w.Reason, w.Message))
	if t := c.LastTerminationState.Terminated; t != nil {
		text += "; it " + ended(pod, c.Name, t, " --previous")
	}
	return text
}

// ended says how a container ended and where its last words are.
func ended(pod *corev1.Pod, container string, t *corev1.ContainerStateTerminated, which string) string {
	text := fmt.Sprintf("ended with exit code %d", t.ExitCode)
	if t.Reason != "" {
		text += ", " + t.Reason
	}
	return fmt.Sprintf("%s (kubectl -n %s logs %s -c %s%s)", text, pod.Namespace, pod.Name, container, which)
}

func joined(reason, message string) string {
	if reason == "" || message == "" {
		return reason + message
	}
	return reason + ": " + message
}
