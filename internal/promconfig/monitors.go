package promconfig

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// MonitorsFile has the jobs of ServiceMonitors and PodMonitors: a thousand of them would bury what the server itself says. Those that
// are clients of OAuth2 are in bundle.ClientsName, and Prometheus reads what the reloader makes of them.
const MonitorsFile = "monitors.yml"

// clientsMade is that.
const clientsMade = monitors.GrantedDir + "/" + bundle.ClientsName

// jobText is a job and what it became.
type jobText struct {
	job  monitors.Job
	text []byte
}

// monitorFiles are the files that follow from the monitors of a server: their jobs, and which Secrets the reloader has to
// read for them. A server without any has neither.
func (r *Renderer) monitorFiles(s *stack.Stack) (map[string][]byte, error) {
	files, m := map[string][]byte{}, &s.Monitors
	if len(m.Jobs) == 0 {
		r.jobTexts, r.jobsText, r.clientsText, r.written = nil, nil, nil, nil
		return files, nil
	}
	if jobs := monitorJobs(s); len(jobs) != len(r.written) || &jobs[0] != &r.written[0] {
		if err := r.writeJobs(jobs, m.Tenancy.Terms); err != nil {
			return nil, err
		}
		r.written = jobs
	}
	files[MonitorsFile] = r.jobsText
	if len(r.clientsText) > 0 {
		files[bundle.ClientsName] = r.clientsText
	}
	if len(m.Secrets) > 0 {
		var err error
		if files[bundle.SecretsName], err = bundle.MarshalSecrets(m.Secrets); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// writeJobs makes jobsText and clientsText those of these jobs, which are in the order of their names. Of a thousand an edit is about one, and
// only that is written and checked: all of them would be a second of work. What Prometheus asks of all together is that no
// two have the same name.
func (r *Renderer) writeJobs(jobs []monitors.Job, terms func(namespace string) monitors.Terms) error {
	known := r.jobTexts
	texts, changed := make(map[string]jobText, len(jobs)), len(jobs) != len(known)
	for _, job := range jobs {
		if _, twice := texts[job.JobName]; twice {
			return fmt.Errorf("%s: there are two jobs %s", MonitorsFile, job.JobName)
		}
		one, is := known[job.JobName]
		if !is || !reflect.DeepEqual(one.job, job) {
			text, err := textOf(job, terms)
			if err != nil {
				return err
			}
			one, changed = jobText{job, text}, true
		}
		texts[job.JobName] = one
	}
	if !changed {
		return nil
	}
	out, clients := bytes.NewBufferString(jobsKey), &bytes.Buffer{}
	for i := range jobs {
		to := out
		if jobs[i].Clients() {
			to = clients
		}
		to.Write(texts[jobs[i].JobName].text)
	}
	r.jobTexts, r.jobsText, r.clientsText = texts, out.Bytes(), nil
	if clients.Len() > 0 {
		r.clientsText = append([]byte(jobsKey), clients.Bytes()...)
	}
	return nil
}

// scrapeConfigFiles are those with the jobs of monitors, as Prometheus finds them.
func scrapeConfigFiles(m *stack.Monitors) []string {
	if !m.Selects {
		return nil
	}
	if slices.ContainsFunc(m.Jobs, func(job monitors.Job) bool { return job.Clients() }) {
		return []string{MonitorsFile, clientsMade}
	}
	return []string{MonitorsFile}
}

// jobsKey begins a file of jobs.
const jobsKey = "scrape_configs:\n"

// textOf is a job as it is in the file. It was looked at when it was compiled, but not yet with what this server makes of it.
func textOf(job monitors.Job, terms func(namespace string) monitors.Terms) ([]byte, error) {
	text, err := monitors.Text([]monitors.Job{job})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", MonitorsFile, err)
	}
	if err := monitors.Audit(text, terms, nil); err != nil {
		return nil, fmt.Errorf("%s: %w", MonitorsFile, err)
	}
	if _, err := config.Load(string(text), promslog.NewNopLogger()); err != nil {
		return nil, fmt.Errorf("prometheus refuses the rendered %s: %w", MonitorsFile, err)
	}
	return bytes.TrimPrefix(text, []byte(jobsKey)), nil
}
