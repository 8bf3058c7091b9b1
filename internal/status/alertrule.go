package status

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Rule is what was observed of an AlertRule.
type Rule struct {
	// Rules is the number of rules in the spec.
	Rules int
	// Problem is why the rules must not be loaded, empty if they may: they are invalid, or their tests fail.
	Problem string
	// Warnings are doubts about valid rules.
	Warnings []string
	// Tests is how their unit tests went.
	Tests Tests
	// Servers are those that select it, sorted by namespace and name.
	Servers []RuleServer
	// Nearest says, if there are none, what keeps those that come closest from it.
	Nearest []string
	// Routing is what becomes of receivers and notify, nil where that is not known yet.
	Routing []RuleRouting
}

// Tests is how the unit tests of an AlertRule went.
type Tests struct {
	// Count is the number of tests.
	Count int
	// Running is true until all of them have ended.
	Running bool
	// Failures say what was expected and what came instead, for each test that failed.
	Failures []string
}

// Loaded says whether every server that selects the rules has loaded them, and there is one.
func (o Rule) Loaded() bool {
	for _, s := range o.Servers {
		if !s.Loaded {
			return false
		}
	}
	return len(o.Servers) > 0
}

// OnItsWay says whether the rules or their routes have yet to be loaded, and nothing is known that would keep them from it.
func (o Rule) OnItsWay() bool {
	return o.Problem == "" && len(o.Servers) > 0 && !o.Loaded() ||
		slices.ContainsFunc(o.Routing, func(r RuleRouting) bool { return r.Contributes && r.Loading != "" })
}

// maxServers bounds the servers in a status, as the API does; status.loaded counts all of them.
const maxServers = 64

// maxMissing bounds those rules of one server that can't return anything, as the API does.
const maxMissing = 16

// RuleServer is what one server has of an AlertRule.
type RuleServer struct {
	Namespace, Name string
	// Revision is that of the server's configuration that first had this generation, 0 while none has.
	Revision int64
	// Loaded is true when every replica runs Revision or a later one.
	Loaded bool
	// LastGood is true when an earlier generation is loaded because this one is invalid.
	LastGood bool
	// Message is why it isn't loaded.
	Message string
	// Firing and Pending count alerts, and Error is why an evaluation failed, empty if none did, as the server says.
	Firing, Pending int32
	Error           string
	// Missing are the rules that can't return anything, each with the metrics of which the server has no series.
	Missing []string
}

// OfRule is the status of an AlertRule.
func OfRule(ar *v1alpha1.AlertRule, o Rule) v1alpha1.AlertRuleStatus {
	out := v1alpha1.AlertRuleStatus{ObservedGeneration: ar.Generation, Rules: int32(o.Rules)}
	loaded := 0
	for i, s := range o.Servers {
		if s.Loaded {
			loaded++
		}
		if i >= maxServers {
			continue
		}
		out.Servers = append(out.Servers, v1alpha1.RuleServerStatus{
			Namespace: s.Namespace, Name: s.Name, Revision: s.Revision, Loaded: s.Loaded, Message: s.Message,
			Firing: s.Firing, Pending: s.Pending, LastError: s.Error,
			MissingMetrics: s.Missing[:min(len(s.Missing), maxMissing)],
		})
	}
	out.Firing = ruleFiring(o.Servers)
	out.Loaded = fmt.Sprintf("%d/%d", loaded, len(o.Servers))
	v := ruleVerdict(o, loaded)
	out.Conditions = append(v.conditions(), ruleValid(o), ruleLoaded(o, v, loaded))
	out.Conditions = append(out.Conditions, ruleTested(o)...)
	out.Conditions = append(out.Conditions, ruleFailing(o.Servers)...)
	out.Conditions = append(out.Conditions, ruleMissing(o.Servers)...)
	out.Conditions = append(out.Conditions, ruleRouted(ar, o.Routing)...)
	out.Routes = ruleRoutes(ar, o.Routing)
	return out
}

func ruleValid(o Rule) metav1.Condition {
	if o.Problem != "" && len(o.Tests.Failures) == 0 {
		return condition(v1alpha1.ConditionValid, false, v1alpha1.ReasonInvalidRules, o.Problem)
	}
	message := count(o.Rules, "rule") + " accepted by Prometheus' parser"
	if len(o.Warnings) > 0 {
		message += "; " + count(len(o.Warnings), "warning") + ": " + strings.Join(o.Warnings, "; ")
	}
	return condition(v1alpha1.ConditionValid, true, v1alpha1.ReasonValid, message)
}

// ruleTested is Tested, where there are tests and they have a say: those of invalid rules are not run.
func ruleTested(o Rule) []metav1.Condition {
	switch {
	case o.Tests.Count == 0:
		return nil
	case o.Tests.Running:
		running := unknown(v1alpha1.ConditionTested, count(o.Tests.Count, "test")+" running; what is loaded of an earlier version stays until they pass")
		running.Reason = v1alpha1.ReasonTestsRunning
		return []metav1.Condition{running}
	case len(o.Tests.Failures) > 0:
		return []metav1.Condition{condition(v1alpha1.ConditionTested, false, v1alpha1.ReasonTestsFailed, strings.Join(o.Tests.Failures, "\n"))}
	}
	return []metav1.Condition{condition(v1alpha1.ConditionTested, true, v1alpha1.ReasonTestsPassed, count(o.Tests.Count, "test")+" passed")}
}

// ruleFiring is how many alerts fire, nil while no server evaluates any version of the rules.
func ruleFiring(servers []RuleServer) *int32 {
	var out *int32
	for _, s := range servers {
		if out == nil && (s.Loaded || s.LastGood || s.Firing > 0) {
			out = new(int32)
		}
		if out != nil {
			*out += s.Firing
		}
	}
	return out
}

// ruleFailing is EvaluationFailing, where there is something to say.
func ruleFailing(servers []RuleServer) []metav1.Condition {
	var failing []string
	for _, s := range servers {
		if s.Error != "" && len(failing) < maxRulesNamed {
			failing = append(failing, fmt.Sprintf("%s/%s: %s", s.Namespace, s.Name, s.Error))
		}
	}
	if len(failing) == 0 {
		return nil
	}
	return []metav1.Condition{condition(v1alpha1.ConditionEvaluationFailing, true, v1alpha1.ReasonEvaluationError, strings.Join(failing, "; "))}
}

// ruleMissing is MetricsMissing, where there is something to say.
func ruleMissing(servers []RuleServer) []metav1.Condition {
	var missing []string
	for _, s := range servers {
		for _, m := range s.Missing {
			if len(missing) == maxMissing {
				break
			}
			if len(servers) > 1 {
				m = fmt.Sprintf("on %s/%s: %s", s.Namespace, s.Name, m)
			}
			missing = append(missing, m)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return []metav1.Condition{condition(v1alpha1.ConditionMetricsMissing, true, v1alpha1.ReasonNoSeries,
		"can't return anything, since the server has no series of these metrics and had none in the last 24 hours: "+strings.Join(missing, "; ")+
			". Correct their names, have them scraped, or set spec.missingMetrics: Ignore")}
}

func ruleVerdict(o Rule, loaded int) verdict {
	switch {
	case o.Problem != "" && anyLastGood(o.Servers):
		return verdict{stalled, notLoadable(o), "the last good version stays loaded; fix " + o.Problem}
	case o.Problem != "":
		return verdict{stalled, notLoadable(o), o.Problem}
	case len(o.Servers) == 0:
		return verdict{stalled, v1alpha1.ReasonNotSelected, notSelected("AlertRule", o.Nearest)}
	case o.Tests.Running:
		return verdict{reconciling, v1alpha1.ReasonTestsRunning, "the rules are loaded once their unit tests have passed"}
	case loaded < len(o.Servers):
		for _, s := range o.Servers {
			if !s.Loaded {
				return verdict{reconciling, v1alpha1.ReasonLoading, fmt.Sprintf("%s/%s: %s", s.Namespace, s.Name,
					firstText(s.Message, "the rules are being loaded"))}
			}
		}
	}
	return verdict{ready, v1alpha1.ReasonLoaded, "loaded by " + count(loaded, "server")}
}

// notLoadable is the reason for a Problem.
func notLoadable(o Rule) string {
	if len(o.Tests.Failures) > 0 {
		return v1alpha1.ReasonTestsFailed
	}
	return v1alpha1.ReasonInvalidRules
}

func ruleLoaded(o Rule, v verdict, loaded int) metav1.Condition {
	if v.state == ready {
		return condition(v1alpha1.ConditionLoaded, true, v1alpha1.ReasonLoaded, v.message)
	}
	if len(o.Servers) == 0 {
		return condition(v1alpha1.ConditionLoaded, false, v1alpha1.ReasonNotSelected, "no PrometheusServer selects this AlertRule")
	}
	if anyLastGood(o.Servers) {
		return condition(v1alpha1.ConditionLoaded, false, v1alpha1.ReasonLastGoodLoaded, "the last good version stays loaded, this one is not")
	}
	message := fmt.Sprintf("loaded by %d of %s", loaded, count(len(o.Servers), "server"))
	if o.Tests.Running {
		message += ": " + v.message
	}
	return condition(v1alpha1.ConditionLoaded, false, v.reason, message)
}

// notSelected says what comes closest to selecting an object.
func notSelected(kind string, nearest []string) string {
	if len(nearest) == 0 {
		return fmt.Sprintf("no PrometheusServer selects this %s, for there is none: create one", kind)
	}
	return fmt.Sprintf("no PrometheusServer selects this %s: %s", kind, strings.Join(nearest, "; "))
}

func anyLastGood(servers []RuleServer) bool {
	for _, s := range servers {
		if s.LastGood {
			return true
		}
	}
	return false
}
