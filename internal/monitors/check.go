package monitors

import (
	"bytes"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"go.yaml.in/yaml/v3"
)

// file is what a list of jobs looks like in a file of Prometheus'.
type file struct {
	ScrapeConfigs []Job `yaml:"scrape_configs"`
}

// Text is the file that scrape_config_files can name, with these jobs in it.
func Text(jobs []Job) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(file{jobs}); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// check asks Prometheus' own loader about one job. Whether its timeout fits a server's interval is for the server to know:
// here the interval is as long as it can be.
func check(job *Job) error {
	alone := *job
	if alone.ScrapeInterval == "" {
		alone.ScrapeInterval = "100y"
	}
	text, err := Text([]Job{alone})
	if err != nil {
		return err
	}
	if err := Audit(text, func(string) Terms { return Terms{} }, nil); err != nil {
		return err
	}
	_, err = config.Load(string(text), promslog.NewNopLogger())
	return err
}
