package manifests

import (
	"bytes"
	"fmt"
	"path"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

const (
	exporterConfigVolume = "config"
	exporterConfigDir    = "/etc/node_exporter"
	// ExporterConfigKey is the exporter's configuration file in its pool's ConfigMap.
	ExporterConfigKey = "config.yml"
)

// The structs below are the exporter's configuration file, in the words of its flags: see docs/exporter.md. One has the
// settings of all collectors; each collector uses some of them.

type exporterSettings struct {
	Timeout         string                       `yaml:"timeout,omitempty"`
	DisableDefaults bool                         `yaml:"disable-defaults,omitempty"`
	MaxSeries       int32                        `yaml:"max-series,omitempty"`
	Each            map[string]collectorSettings `yaml:",inline"`
}

type collectorSettings struct {
	Enabled            *bool           `yaml:"enabled,omitempty"`
	Info               bool            `yaml:"info,omitempty"`
	Softirq            bool            `yaml:"softirq,omitempty"`
	Fields             v1alpha1.Regexp `yaml:"fields,omitempty"`
	Directory          string          `yaml:"directory,omitempty"`
	DeviceInclude      v1alpha1.Regexp `yaml:"device-include,omitempty"`
	DeviceExclude      v1alpha1.Regexp `yaml:"device-exclude,omitempty"`
	IgnoredDevices     v1alpha1.Regexp `yaml:"ignored-devices,omitempty"`
	MountPointsInclude v1alpha1.Regexp `yaml:"mount-points-include,omitempty"`
	MountPointsExclude v1alpha1.Regexp `yaml:"mount-points-exclude,omitempty"`
	FSTypesInclude     v1alpha1.Regexp `yaml:"fs-types-include,omitempty"`
	FSTypesExclude     v1alpha1.Regexp `yaml:"fs-types-exclude,omitempty"`
	ChipInclude        v1alpha1.Regexp `yaml:"chip-include,omitempty"`
	ChipExclude        v1alpha1.Regexp `yaml:"chip-exclude,omitempty"`
	MetricsInclude     v1alpha1.Regexp `yaml:"metrics-include,omitempty"`
	UnitInclude        v1alpha1.Regexp `yaml:"unit-include,omitempty"`
	UnitExclude        v1alpha1.Regexp `yaml:"unit-exclude,omitempty"`
	SensorInclude      v1alpha1.Regexp `yaml:"sensor-include,omitempty"`
	SensorExclude      v1alpha1.Regexp `yaml:"sensor-exclude,omitempty"`
}

// exporterConfig is the ConfigMap with a pool's settings. The exporter sees it change and loads it again, so that a
// setting restarts nothing.
func exporterConfig(e *stack.Exporter, pool stack.Pool) (*corev1.ConfigMap, error) {
	file := struct {
		Collectors exporterSettings `yaml:"collectors"`
	}{settingsOf(pool.Collectors)}
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(file); err != nil {
		return nil, fmt.Errorf("encode %s of pool %s: %w", ExporterConfigKey, pool.Name, err)
	}
	meta := exporterMeta(e, pool.DaemonSet)
	meta.Labels[stack.LabelPool] = pool.Name
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: meta,
		Data:       map[string]string{ExporterConfigKey: text.String()},
	}, nil
}

func settingsOf(c v1alpha1.Collectors) exporterSettings {
	out := exporterSettings{DisableDefaults: c.DisableDefaults, MaxSeries: c.MaxSeries, Each: map[string]collectorSettings{}}
	if d, err := model.ParseDuration(string(c.Timeout)); err == nil && d > 0 {
		out.Timeout = time.Duration(d).String()
	}
	edit := func(name string, fill func(*collectorSettings)) {
		s := out.Each[name]
		fill(&s)
		out.Each[name] = s
	}
	for _, name := range c.Enable {
		edit(string(name), func(s *collectorSettings) { s.Enabled = new(true) })
	}
	for _, name := range c.Disable {
		edit(string(name), func(s *collectorSettings) { s.Enabled = new(false) })
	}
	for name, d := range map[string]*v1alpha1.DeviceFilter{"arp": c.ARP, "diskstats": c.Diskstats, "netdev": c.Netdev, "qdisc": c.Qdisc} {
		if d != nil {
			edit(name, func(s *collectorSettings) { s.DeviceInclude, s.DeviceExclude = d.DeviceInclude, d.DeviceExclude })
		}
	}
	ownFilters(c, edit)
	ownDetails(c, edit)
	return out
}

// ownFilters are the settings of one collector alone that say which of the node's things (mounts, chips, devices, units) it
// looks at.
func ownFilters(c v1alpha1.Collectors, edit func(string, func(*collectorSettings))) {
	if f := c.Filesystem; f != nil {
		edit("filesystem", func(s *collectorSettings) {
			s.MountPointsInclude, s.MountPointsExclude = f.MountPointsInclude, f.MountPointsExclude
			s.FSTypesInclude, s.FSTypesExclude = f.FSTypesInclude, f.FSTypesExclude
		})
	}
	if h := c.Hwmon; h != nil {
		edit("hwmon", func(s *collectorSettings) {
			s.ChipInclude, s.ChipExclude, s.SensorInclude, s.SensorExclude = h.ChipInclude, h.ChipExclude, h.SensorInclude, h.SensorExclude
		})
	}
	if e := c.Ethtool; e != nil {
		edit("ethtool", func(s *collectorSettings) {
			s.DeviceInclude, s.DeviceExclude, s.MetricsInclude = e.DeviceInclude, e.DeviceExclude, e.MetricsInclude
		})
	}
	if u := c.Systemd; u != nil {
		edit("systemd", func(s *collectorSettings) { s.UnitInclude, s.UnitExclude = u.UnitInclude, u.UnitExclude })
	}
	if n := c.Netclass; n != nil {
		edit("netclass", func(s *collectorSettings) { s.IgnoredDevices = n.DeviceExclude })
	}
}

// ownDetails are the other settings of one collector alone: how much it tells, and where it reads.
func ownDetails(c v1alpha1.Collectors, edit func(string, func(*collectorSettings))) {
	if c.CPU != nil {
		edit("cpu", func(s *collectorSettings) { s.Info = c.CPU.Info })
	}
	if c.Stat != nil {
		edit("stat", func(s *collectorSettings) { s.Softirq = c.Stat.Softirq })
	}
	if c.Netstat != nil {
		edit("netstat", func(s *collectorSettings) { s.Fields = c.Netstat.Fields })
	}
	if c.Vmstat != nil {
		edit("vmstat", func(s *collectorSettings) { s.Fields = c.Vmstat.Fields })
	}
	if c.Textfile != nil && c.Textfile.Directory != "" {
		edit("textfile", func(s *collectorSettings) { s.Directory = path.Join(rootMount().inside, c.Textfile.Directory) })
	}
}
