package monitors

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

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
	if err := Confined(text); err != nil {
		return err
	}
	_, err = config.Load(string(text), promslog.NewNopLogger())
	return err
}

// Confined makes sure, over a final text and whoever wrote it, that Prometheus is told to read no file but those of
// Secrets that namespaces have granted. A key that names a file ends in _file, but for what is sent as parameters.
func Confined(text []byte) error {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return err
	}
	var outside []string
	walk(&node, "", func(at, value string) {
		names := strings.HasSuffix(at, "_file") || strings.HasSuffix(at, "_files")
		if names && (!strings.HasPrefix(value, GrantedDir+"/") || slices.Contains(strings.Split(value, "/"), "..")) {
			outside = append(outside, at+" is "+value)
		}
	})
	if len(outside) > 0 {
		return fmt.Errorf("it names files that are not Hearth's: %s", strings.Join(outside, ", "))
	}
	return nil
}

// walk visits every value that is not a mapping, with the key it is under: the members of a list have the list's.
func walk(n *yaml.Node, at string, visit func(at, value string)) {
	switch n.Kind {
	case yaml.DocumentNode, yaml.SequenceNode:
		for _, below := range n.Content {
			walk(below, at, visit)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key := n.Content[i].Value; key != "params" {
				walk(n.Content[i+1], at+"."+key, visit)
			}
		}
	case yaml.AliasNode:
		walk(n.Alias, at, visit)
	case yaml.ScalarNode:
		visit(at, n.Value)
	}
}
