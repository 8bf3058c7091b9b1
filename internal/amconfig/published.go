package amconfig

import "go.yaml.in/yaml/v3"

// ReceiversIn are the names of the receivers in a published alertmanager.yml. One that can't be read has none.
func ReceiversIn(text []byte) map[string]bool {
	var file struct {
		Receivers []struct {
			Name string `yaml:"name"`
		} `yaml:"receivers"`
	}
	if yaml.Unmarshal(text, &file) != nil {
		return nil
	}
	out := make(map[string]bool, len(file.Receivers))
	for _, r := range file.Receivers {
		out[r.Name] = true
	}
	return out
}
