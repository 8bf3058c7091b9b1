package status

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// ExistingGrafana is what became of telling an existing Grafana what it should have.
type ExistingGrafana struct {
	// OK is true if it has all of it. Reason is empty while that is not known.
	OK              bool
	Reason, Message string
}

func existingGrafanaConditions(ps *v1alpha1.PrometheusServer, e *ExistingGrafana) []metav1.Condition {
	switch {
	case e == nil:
		return nil
	case e.Reason == "":
		return []metav1.Condition{notAsked(ps)}
	}
	return []metav1.Condition{condition(v1alpha1.ConditionGrafanaReady, e.OK, e.Reason, e.Message)}
}

// notAsked is the condition while that is not known. After a start of the operator, what was known before stays for that
// moment: a Grafana that does not answer takes its time, and nothing waits for it.
func notAsked(ps *v1alpha1.PrometheusServer) metav1.Condition {
	if before := meta.FindStatusCondition(ps.Status.Conditions, v1alpha1.ConditionGrafanaReady); before != nil {
		return *before
	}
	return unknown(v1alpha1.ConditionGrafanaReady, "the existing Grafana has not answered yet")
}
