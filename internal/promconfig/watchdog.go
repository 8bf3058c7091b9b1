package promconfig

import (
	"fmt"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

type ruleFile struct {
	Groups []ruleGroup `yaml:"groups"`
}

type ruleGroup struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval"`
	Rules    []rule `yaml:"rules"`
}

type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// sends says that a server sends its alerts somewhere.
func sends(s *stack.Stack) bool { return len(s.Alertmanagers.Targets) > 0 }

// watchdog is the rule file with the one alert of the operator's own, which always fires. It is followed all the way to the
// Alertmanagers, so that somebody learns of it when alerts no longer arrive. It has no label of an AlertRule, which every
// other alert has, and names its server whatever the external labels are.
func watchdog(s *stack.Stack) ([]byte, error) {
	labels := map[string]string{"severity": "none", "prometheus": s.Namespace + "/" + s.Name}
	if sharded(s) {
		labels["shard"] = stack.ShardNumber // whether that of one shard arrives says nothing of another
	}
	text, err := yaml.Marshal(ruleFile{Groups: []ruleGroup{{Name: "hearth-watchdog", Interval: "30s", Rules: []rule{{
		Alert:  replica.WatchdogAlert,
		Expr:   "vector(1)",
		Labels: labels,
		Annotations: map[string]string{
			"summary": "Alerts of " + s.Namespace + "/" + s.Name + " arrive.",
			"description": "This alert always fires. Hearth follows it to the Alertmanager, and nobody is notified of it unless a " +
				"route of the server names it: send it to a service that raises the alarm when it stops coming.",
		},
	}}}}})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", replica.WatchdogFile, err)
	}
	if _, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), promslog.NewNopLogger()); len(errs) > 0 {
		return nil, fmt.Errorf("prometheus refuses the rendered %s: %w", replica.WatchdogFile, errs[0])
	}
	return text, nil
}
