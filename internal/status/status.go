// Package status is the verdict: it turns what was observed, or the error that came in between, into the status of an
// object. It sets no times; whoever writes the status keeps those of conditions that did not change.
package status

import (
	"errors"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Reasoned is an error that knows its reason for a condition.
type Reasoned interface {
	error
	// Reason is one of the reason constants of the API.
	Reason() string
	// Stalled is true if nothing will change before somebody acts.
	Stalled() bool
}

// maxMessage bounds a condition's message, in bytes; the API allows 32 KiB, people read less.
const maxMessage = 2048

// verdict is the outcome for the condition Ready, from which Reconciling and Stalled follow.
type verdict struct {
	state           state
	reason, message string
}

type state int

const (
	ready state = iota
	reconciling
	stalled
)

// failed is the verdict on an error. One that doesn't know its reason is tried again.
func failed(err error) verdict {
	out := verdict{state: reconciling, reason: v1alpha1.ReasonRetrying, message: err.Error()}
	var reasoned Reasoned
	if errors.As(err, &reasoned) {
		out.reason, out.message = reasoned.Reason(), reasoned.Error()
		if reasoned.Stalled() {
			out.state = stalled
		}
	}
	return out
}

// Invalid is a spec that can't work. Its text names the fields.
type Invalid struct{ Err error }

func (e *Invalid) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong with the spec.
func (e *Invalid) Unwrap() error { return e.Err }

// Reason is InvalidSpec.
func (e *Invalid) Reason() string { return v1alpha1.ReasonInvalidSpec }

// Stalled is true: trying again can't help.
func (e *Invalid) Stalled() bool { return true }

// conditions are Ready and, while they are true, Reconciling and Stalled, as kstatus reads them.
func (v verdict) conditions() []metav1.Condition {
	out := []metav1.Condition{condition(v1alpha1.ConditionReady, v.state == ready, v.reason, v.message)}
	switch v.state {
	case ready:
	case reconciling:
		out = append(out, condition(v1alpha1.ConditionReconciling, true, v.reason, v.message))
	case stalled:
		out = append(out, condition(v1alpha1.ConditionStalled, true, v.reason, v.message))
	}
	return out
}

func condition(kind string, is bool, reason, message string) metav1.Condition {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: Bound(message)}
}

func unknown(kind, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonUnknown, Message: Bound(message)}
}

// Bound cuts a message between characters.
func Bound(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + "…"
}

// carried is a list of conditions with those of before that the new ones don't replace. Ready, Reconciling and Stalled are
// decided anew each time and never carried.
func carried(before, now []metav1.Condition) []metav1.Condition {
	for _, c := range before {
		switch c.Type {
		case v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled:
			continue
		}
		if !slices.ContainsFunc(now, func(n metav1.Condition) bool { return n.Type == c.Type }) {
			now = append(now, c)
		}
	}
	return now
}
