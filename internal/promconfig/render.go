// Package promconfig is the text: it turns a Stack into the files that Prometheus reads and has Prometheus' own loader
// check them before anybody sees them.
package promconfig

import (
	"bytes"
	"fmt"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	_ "github.com/prometheus/prometheus/discovery/kubernetes" // registers kubernetes_sd_configs with the loader
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// FileName is the name of the configuration at the root of the published tree.
const FileName = "prometheus.yml"

// Files is what a server's pods fetch: a manifest and the parts it names.
type Files struct {
	Manifest bundle.Manifest
	// Parts are packed bytes by object name.
	Parts map[string][]byte
}

// Renderer makes the files of one server, and remembers what it made last: what did not change is neither checked nor
// packed again. The zero value is ready; one goroutine at a time.
type Renderer struct {
	bundle.Publisher
	checked string // the newest prometheus.yml that Prometheus' own loader took
	jobs    string // the newest monitors.yml and the file of clients that are in last
	// jobTexts is what each job of jobsText and of clientsText became, by name.
	jobTexts map[string]jobText
	jobsText []byte
	written  []monitors.Job // that these were made of, which nobody changes
	// clientsText is empty where there are none.
	clientsText []byte
	last        *Files
	rules       []bundle.File // of last
}

// Render is what a Renderer without memories renders.
func Render(s *stack.Stack) (Files, error) { return new(Renderer).Render(s) }

// Render makes the files of a server and the revision they are. The same content keeps the revision that is published.
func (r *Renderer) Render(s *stack.Stack) (Files, error) {
	text, err := encode(s)
	if err != nil {
		return Files{}, err
	}
	files, err := r.monitorFiles(s)
	if err != nil {
		return Files{}, err
	}
	files[FileName] = text
	jobs := string(files[MonitorsFile]) + string(files[bundle.ClientsName])
	if string(text) != r.checked {
		if err := check(text); err != nil {
			return Files{}, err
		}
	} else if jobs == r.jobs && sameFiles(r.rules, s.Rules.Files) && r.last.is(s.Published.Manifest) {
		return *r.last, nil
	}
	if err := addBeside(files, s); err != nil {
		return Files{}, err
	}
	manifest, parts, err := r.Publish(s.Published.Manifest, s.Names.Base, files, s.Rules.Files, s.Rules.Count)
	if err != nil {
		return Files{}, fmt.Errorf("pack files: %w", err)
	}
	if s.Spread > 1 {
		manifest.Shards = s.Spread
	}
	r.checked, r.jobs, r.last, r.rules = string(text), jobs, &Files{Manifest: manifest, Parts: parts}, s.Rules.Files
	return *r.last, nil
}

// addBeside adds what the configuration needs beside itself.
func addBeside(files map[string][]byte, s *stack.Stack) (err error) {
	if len(s.RemoteWrites.Secrets) > 0 {
		if files[bundle.MountedName], err = bundle.MarshalSecrets(s.RemoteWrites.Secrets); err != nil {
			return err
		}
	}
	if s.Operator != nil {
		files[authoritiesFile(s.Operator)] = s.Operator.Authorities
	}
	if sends(s) {
		files[replica.WatchdogFile], err = watchdog(s)
	}
	return err
}

// is says whether these files are what the manifest describes.
func (f *Files) is(m *bundle.Manifest) bool {
	return f != nil && m != nil && m.Revision == f.Manifest.Revision && m.Hash == f.Manifest.Hash
}

// sameFiles says whether both are one and the same slice, which nobody changes.
func sameFiles(a, b []bundle.File) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Configuration is the text of prometheus.yml, as checked by Prometheus' own loader.
func Configuration(s *stack.Stack) ([]byte, error) {
	text, err := encode(s)
	if err != nil {
		return nil, err
	}
	return text, check(text)
}

func check(text []byte) error {
	if _, err := config.Load(string(text), promslog.NewNopLogger()); err != nil {
		return fmt.Errorf("prometheus refuses the rendered %s: %w", FileName, err)
	}
	return nil
}

func encode(s *stack.Stack) ([]byte, error) {
	c := configuration{
		Global: global{
			ScrapeInterval:     s.Global.ScrapeInterval,
			ScrapeTimeout:      s.Global.ScrapeTimeout,
			EvaluationInterval: s.Global.EvaluationInterval,
			ExternalLabels:     s.Global.ExternalLabels,
		},
		ScrapeConfigs: []scrapeConfig{self(s), reloader(s)},
		RemoteWrite:   remoteWrites(s),
	}
	if !s.Agent {
		c.Storage = storage{TSDB: tsdb{Retention: retention{Time: s.Retention.Time, Size: megabytes(s.Retention.Size)}}}
		c.Alerting, c.RuleFiles = alertingOf(s), []string{bundle.RulesDir + "/*.yaml"}
	}
	c.ScrapeConfigFiles = scrapeConfigFiles(&s.Monitors)
	if sends(s) {
		c.RuleFiles = append(c.RuleFiles, replica.WatchdogFile)
	}
	if s.Alertmanager != nil {
		c.ScrapeConfigs = append(c.ScrapeConfigs, ownAlertmanager(s)...)
	}
	for _, exporter := range s.Exporters {
		c.ScrapeConfigs = append(c.ScrapeConfigs, by(s, "instance", nodeExporter(exporter))...)
	}
	c.ScrapeConfigs = append(c.ScrapeConfigs, kubernetesJobs(s)...)
	c.ScrapeConfigs = append(c.ScrapeConfigs, byAddress(s, annotationJobs(s)...)...)
	if s.Operator != nil {
		c.ScrapeConfigs = append(c.ScrapeConfigs, operator(s.Operator))
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(c); err != nil {
		return nil, fmt.Errorf("encode %s: %w", FileName, err)
	}
	return out.Bytes(), nil
}

// megabytes writes a size as Prometheus reads it, where MB is 2^20 bytes.
func megabytes(q resource.Quantity) string {
	if q.IsZero() {
		return ""
	}
	return fmt.Sprintf("%dMB", max(1, q.Value()>>20))
}
