package promconfig

import (
	"fmt"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// MonitorsFile has the jobs of ServiceMonitors and PodMonitors: a thousand of them would bury what the server itself says.
const MonitorsFile = "monitors.yml"

// monitorFiles are the files that follow from the monitors of a server: their jobs, and which Secrets the reloader has to
// read for them. A server without any has neither. known is the text that Prometheus' own loader took before.
func monitorFiles(m *stack.Monitors, known string) (map[string][]byte, error) {
	files := map[string][]byte{}
	if len(m.Jobs) == 0 {
		return files, nil
	}
	text, err := monitors.Text(m.Jobs)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", MonitorsFile, err)
	}
	if string(text) != known {
		if err := monitors.Confined(text); err != nil {
			return nil, fmt.Errorf("%s: %w", MonitorsFile, err)
		}
		// Each job was looked at when it was compiled; this is about all of them together.
		if _, err := config.Load(string(text), promslog.NewNopLogger()); err != nil {
			return nil, fmt.Errorf("prometheus refuses the rendered %s: %w", MonitorsFile, err)
		}
	}
	files[MonitorsFile] = text
	if len(m.Secrets) > 0 {
		if files[bundle.SecretsName], err = bundle.MarshalSecrets(m.Secrets); err != nil {
			return nil, err
		}
	}
	return files, nil
}
