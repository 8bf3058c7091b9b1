package promconfig

import (
	"fmt"
	"reflect"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// MonitorsFile has the jobs of ServiceMonitors and PodMonitors: a thousand of them would bury what the server itself says.
const MonitorsFile = "monitors.yml"

// monitorFiles are the files that follow from the monitors of a server: their jobs, and which Secrets the reloader has to
// read for them. A server without any has neither. The text of the same jobs is not made and checked again: for a thousand
// monitors that would be a second of work, each time that a replica has news.
func (r *Renderer) monitorFiles(m *stack.Monitors) (map[string][]byte, error) {
	files := map[string][]byte{}
	if len(m.Jobs) == 0 {
		return files, nil
	}
	if !reflect.DeepEqual(m.Jobs, r.encoded) {
		text, err := jobsText(m.Jobs)
		if err != nil {
			return nil, err
		}
		r.encoded, r.encodedText = m.Jobs, text
	}
	files[MonitorsFile] = r.encodedText
	if len(m.Secrets) > 0 {
		var err error
		if files[bundle.SecretsName], err = bundle.MarshalSecrets(m.Secrets); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// jobsText is the text of the jobs. Each was looked at when it was compiled; this is about all of them together.
func jobsText(jobs []monitors.Job) ([]byte, error) {
	text, err := monitors.Text(jobs)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", MonitorsFile, err)
	}
	if err := monitors.Confined(text); err != nil {
		return nil, fmt.Errorf("%s: %w", MonitorsFile, err)
	}
	if _, err := config.Load(string(text), promslog.NewNopLogger()); err != nil {
		return nil, fmt.Errorf("prometheus refuses the rendered %s: %w", MonitorsFile, err)
	}
	return text, nil
}
