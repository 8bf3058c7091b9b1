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

// Render makes the files of a server and the revision they are. The same content keeps the revision that is published.
func Render(s *stack.Stack) (Files, error) {
	text, err := Configuration(s)
	if err != nil {
		return Files{}, err
	}
	manifest, parts, err := bundle.Publish(s.Published.Manifest, s.Names.Base,
		map[string][]byte{FileName: text}, s.Rules.Files, s.Rules.Count)
	if err != nil {
		return Files{}, fmt.Errorf("pack files: %w", err)
	}
	return Files{Manifest: manifest, Parts: parts}, nil
}

// Configuration is the text of prometheus.yml, as checked by Prometheus' own loader.
func Configuration(s *stack.Stack) ([]byte, error) {
	c := configuration{
		Global: global{
			ScrapeInterval:     s.Global.ScrapeInterval,
			ScrapeTimeout:      s.Global.ScrapeTimeout,
			EvaluationInterval: s.Global.EvaluationInterval,
			ExternalLabels:     s.Global.ExternalLabels,
		},
		Storage:       storage{TSDB: tsdb{Retention: retention{Time: s.Retention.Time, Size: megabytes(s.Retention.Size)}}},
		RuleFiles:     []string{bundle.RulesDir + "/*.yaml"},
		ScrapeConfigs: []scrapeConfig{self(s)},
	}
	for _, exporter := range s.Exporters {
		c.ScrapeConfigs = append(c.ScrapeConfigs, nodeExporter(exporter))
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(c); err != nil {
		return nil, fmt.Errorf("encode %s: %w", FileName, err)
	}
	if _, err := config.Load(out.String(), promslog.NewNopLogger()); err != nil {
		return nil, fmt.Errorf("prometheus refuses the rendered %s: %w", FileName, err)
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
