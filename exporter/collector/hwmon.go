package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type hwmon struct {
	tally
	host           Host
	dir            *held.Dir
	chips, sensors filter
	invalid        *regexp.Regexp // characters in a name
	last, now      []byte         // the chips that there are, and where their links lead
	said           []hwmonValue

	families      []*text.Family
	byName        map[string]*text.Family
	labels, names *text.Family
	chipNames     []text.Labels
	sensorLabels  []text.Labels
}

// hwmonValue is a file of a sensor and what its number means.
type hwmonValue struct {
	file   *held.File
	family *text.Family
	labels text.Labels
	factor float64
	needed bool // it is what the sensor measures: then it must be a number
	flag   bool // 1 or anything else
}

func declareHwmon(flags *flag.FlagSet) factory {
	chips := declareFilter(flags, "hwmon.chip", "hwmon chip", "")
	sensors := declareFilter(flags, "hwmon.sensor", "hwmon sensor", "")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		chipFilter, err := chips.compile()
		if err != nil {
			return nil, err
		}
		sensorFilter, err := sensors.compile()
		if err != nil {
			return nil, err
		}
		return &hwmon{
			host: h, dir: held.NewDir(h.sys("class/hwmon")), chips: chipFilter, sensors: sensorFilter,
			invalid: regexp.MustCompile("[^a-z0-9:_]"),
			names:   text.Gauge("node_hwmon_chip_names", "Annotation metric for human-readable chip names", "chip", "chip_name"),
			labels:  text.Gauge("node_hwmon_sensor_label", "Label for given chip and sensor", "chip", "sensor", "label"),
		}, nil
	}
}

func (c *hwmon) Families() []*text.Family { return c.families }

// Update looks for chips, files and labels only when there are other chips than before: drivers make all that a chip has
// when they register it.
func (c *hwmon) Update(context.Context) error {
	names, err := deviceNames(c.dir)
	if err != nil {
		return err
	}
	c.now = c.now[:0]
	for _, name := range names {
		c.now = append(append(c.now, name...), 0)
		if target, err := os.Readlink(filepath.Join(c.dir.Path(), string(name))); err == nil { // a directory in tests
			c.now = append(c.now, target...)
		}
		c.now = append(c.now, 0)
	}
	if c.families == nil || !bytes.Equal(c.now, c.last) {
		if err := c.look(names); err != nil {
			c.families = nil // look again
			return err
		}
		c.last = append(c.last[:0], c.now...)
	}
	for _, labels := range c.chipNames {
		c.names.Put(1, labels)
	}
	for _, labels := range c.sensorLabels {
		c.labels.Put(1, labels)
	}
	var errs []error
	for i := range c.said {
		errs = append(errs, c.said[i].add())
	}
	return errors.Join(errs...)
}

// add says nothing when a sensor does not answer, as those that are off do in many ways, nor of what is text.
func (v *hwmonValue) add() error {
	b, err := v.file.Text()
	if err == nil {
		return v.put(b)
	}
	return nil
}

func (v *hwmonValue) put(b []byte) error {
	if v.flag {
		if _, ok := scan.Float(b); ok {
			v.family.Put(truth(string(b) == "1"), v.labels)
		}
		return nil
	}
	n, ok := scan.Float(b)
	switch {
	case !ok && v.needed:
		return fmt.Errorf("%s: %q is not a number", v.file.Path(), b[:min(len(b), 40)])
	case !ok:
		return nil
	case v.factor > 0:
		n *= v.factor
	default:
		n /= -v.factor
	}
	v.family.Put(n, v.labels)
	return nil
}

// hwmonChip is a directory and what it is called.
type hwmonChip struct{ dir, name, label string }

// look makes all that is said of the chips anew.
func (c *hwmon) look(names [][]byte) error {
	for i := range c.said {
		c.said[i].file.Close()
	}
	c.said, c.chipNames, c.sensorLabels, c.left = nil, nil, nil, 0
	c.byName, c.families = map[string]*text.Family{}, []*text.Family{c.names, c.labels}
	var errs []error
	for _, chip := range c.named(names) {
		if c.chips.drops(chip.label) {
			c.left++
			continue
		}
		if name := c.clean(chip.name); name != "" {
			c.chipNames = append(c.chipNames, c.names.Labels(chip.label, name))
		}
		errs = append(errs, c.lookAt(chip))
	}
	return errors.Join(errs...)
}

// named finds a label for each chip that stays when modules are loaded in another order: after its device, or its name,
// or else its number. Where several share one, each is told apart by its name, or by its number.
func (c *hwmon) named(names [][]byte) []hwmonChip {
	var chips []hwmonChip
	labels, both := map[string]int{}, map[[2]string]int{}
	for _, name := range names {
		dir := filepath.Join(c.dir.Path(), string(name))
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		chip := hwmonChip{dir: dir}
		if raw, err := os.ReadFile(filepath.Join(dir, "name")); err == nil {
			chip.name = strings.TrimSpace(string(raw))
		}
		if chip.label = c.labelOf(chip); chip.label == "" {
			continue
		}
		labels[chip.label]++
		both[[2]string{chip.label, chip.name}]++
		chips = append(chips, chip)
	}
	for i := range chips {
		chip := &chips[i]
		if labels[chip.label] < 2 {
			continue
		}
		suffix := c.clean(chip.name)
		if suffix == "" || both[[2]string{chip.label, chip.name}] > 1 {
			suffix = c.clean(filepath.Base(chip.dir))
		}
		chip.label += "_" + suffix
	}
	return chips
}

func (c *hwmon) labelOf(chip hwmonChip) string {
	if device, err := filepath.EvalSymlinks(filepath.Join(chip.dir, "device")); err == nil {
		kind, name := c.clean(filepath.Base(filepath.Dir(device))), c.clean(filepath.Base(device))
		if kind != "" && name != "" {
			return kind + "_" + name
		}
		if name != "" {
			return name
		}
	}
	if name := c.clean(chip.name); name != "" {
		return name
	}
	if dir, err := filepath.EvalSymlinks(chip.dir); err == nil {
		return c.clean(filepath.Base(dir))
	}
	return ""
}

func (c *hwmon) clean(name string) string {
	return strings.Trim(c.invalid.ReplaceAllLiteralString(strings.ToLower(name), "_"), "_")
}

// lookAt lists a chip's sensors. Old drivers have their files in the device's own directory.
func (c *hwmon) lookAt(chip hwmonChip) error {
	sensors := map[string]*hwmonSensor{}
	if err := collectHwmon(sensors, chip.dir); err != nil {
		return err
	}
	device := filepath.Join(chip.dir, "device")
	if err := collectHwmon(sensors, device); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(sensors)) {
		s := sensors[name]
		if c.sensors.drops(chip.label + ";" + name) {
			continue
		}
		if path, ok := s.files["label"]; ok {
			if raw, err := os.ReadFile(path); err == nil {
				s.label, s.labeled = strings.Trim(string(raw), "\n"), true
				c.sensorLabels = append(c.sensorLabels, c.labels.Labels(chip.label, name, s.label))
			}
		}
		c.addSensor(chip.label, name, s)
	}
	return nil
}
