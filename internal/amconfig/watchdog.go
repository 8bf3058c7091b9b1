package amconfig

import (
	"slices"

	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

// watchdog is the way of the servers' own Watchdog, which always fires: to nobody, but for those of the server's routes that
// name it. A route that takes everything must not page somebody every few hours because all is well.
func (r RootRoute) watchdog() route {
	out := route{
		Receiver: Nobody,
		Matchers: []string{model.AlertNameLabel + "=" + quote(replica.WatchdogAlert), `severity="none"`, LabelAlertRule + `=""`},
	}
	for _, e := range r.Entries {
		if e.names(replica.WatchdogAlert) {
			out.Routes = append(out.Routes, e.write(nil))
		}
	}
	return out
}

// names says that an entry is meant for an alert of this name, among others perhaps.
func (e Entry) names(alert string) bool {
	matchers, err := Matchers(e.Notify.Matchers)
	return err == nil && slices.ContainsFunc(matchers, func(m *labels.Matcher) bool {
		positive := m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp
		return m.Name == model.AlertNameLabel && positive && m.Matches(alert)
	})
}
