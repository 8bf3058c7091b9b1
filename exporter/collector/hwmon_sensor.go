package collector

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

// hwmonSensor is one sensor of a chip: in the files temp1_input, temp1_max and temp1_label it is temp1.
type hwmonSensor struct {
	kind    string            // temp
	files   map[string]string // by element: input, max, label; empty for a file such as pwm1
	label   string
	labeled bool
}

func collectHwmon(sensors map[string]*hwmonSensor, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		kind, number, element, ok := splitSensor(e.Name())
		if !ok {
			continue
		}
		name := kind + strconv.Itoa(number)
		if sensors[name] == nil {
			sensors[name] = &hwmonSensor{kind: kind, files: map[string]string{}}
		}
		sensors[name].files[element] = filepath.Join(dir, e.Name())
	}
	return nil
}

// splitSensor takes apart temp1_input; the number, and what follows it, may be missing.
func splitSensor(file string) (kind string, number int, element string, ok bool) {
	digits := strings.IndexAny(file, "0123456789")
	if digits < 0 {
		return file, 0, "", isSensorKind(file)
	}
	kind = file[:digits]
	rest := strings.TrimLeft(file[digits:], "0123456789")
	number, err := strconv.Atoi(file[digits : len(file)-len(rest)])
	if err != nil || !isSensorKind(kind) {
		return "", 0, "", false
	}
	if rest == "" {
		return kind, number, "", true
	}
	element, ok = strings.CutPrefix(rest, "_")
	return kind, number, element, ok && element != ""
}

func isSensorKind(kind string) bool {
	return slices.Contains([]string{"vrm", "beep_enable", "update_interval", "in", "cpu", "fan", "pwm", "temp", "curr", "power",
		"energy", "humidity", "intrusion", "freq"}, kind)
}

// hwmonMeaning is how an element is said: name and help, and its factor, or its divisor with a minus. (The two round
// differently, and the numbers are to be node_exporter's.)
type hwmonMeaning struct {
	name, help string
	factor     float64
	counter    bool
}

const (
	thousandths = 0.001
	millionths  = -1e6
)

// addSensor decides what each file of the sensor means.
func (c *hwmon) addSensor(chip, name string, s *hwmonSensor) {
	labels := labelsOf([]string{"chip", "sensor"}, []string{chip, name}, true)
	switch s.kind {
	case "beep_enable":
		c.addValue(s.files[""], hwmonMeaning{"beep_enabled", "Hardware beep enabled", 1, false}, labels, true)
		return
	case "vrm":
		c.addValue(s.files[""], hwmonMeaning{"voltage_regulator_version", "Hardware voltage regulator", 1, false}, labels, false)
		return
	case "update_interval":
		c.addValue(s.files[""], hwmonMeaning{"update_interval_seconds", "Hardware monitor update interval", thousandths, false}, labels, false)
		return
	}
	for _, element := range slices.Sorted(maps.Keys(s.files)) {
		if element != "label" {
			c.addElement(chip, s, element, labels)
		}
	}
}

func (c *hwmon) addElement(chip string, s *hwmonSensor, element string, labels text.Labels) {
	name := s.kind
	_, plain := s.files[""]
	if element != "" && (element != "input" || plain) { // the input is the value itself, unless there is another
		name += "_" + c.clean(element)
	}
	if s.kind != "freq" || element != "input" {
		c.addValue(s.files[element], meaningOf(s.kind, element, name), labels, false)
		return
	}
	if s.labeled { // a frequency is known by what it is of
		labels = labelsOf([]string{"chip", "sensor"}, []string{chip, c.clean(s.label)}, true)
		c.addValue(s.files[element], hwmonMeaning{name + "_freq_mhz", "Hardware monitor for GPU frequency in MHz", millionths, false}, labels, false)
	}
}

func meaningOf(kind, element, name string) hwmonMeaning {
	switch element {
	case "fault", "alarm":
		return hwmonMeaning{name, "Hardware sensor " + element + " status (" + kind + ")", 1, false}
	case "beep":
		return hwmonMeaning{name + "_enabled", "Hardware monitor sensor has beeping enabled", 1, false}
	}
	switch kind {
	case "in", "cpu":
		return hwmonMeaning{name + "_volts", "Hardware monitor for voltage (" + element + ")", thousandths, false}
	case "temp":
		return meaningOfTemp(element, name)
	case "curr":
		return hwmonMeaning{name + "_amps", "Hardware monitor for current (" + element + ")", thousandths, false}
	case "energy":
		return hwmonMeaning{name + "_joule_total", "Hardware monitor for joules used so far (" + element + ")", millionths, true}
	case "power":
		return meaningOfPower(element, name)
	case "humidity":
		return hwmonMeaning{name, "Hardware monitor for humidity, as a ratio (multiply with 100.0 to get the humidity as a percentage) (" + element + ")", millionths, false}
	case "fan":
		if slices.Contains([]string{"input", "min", "max", "target"}, element) {
			return hwmonMeaning{name + "_rpm", "Hardware monitor for fan revolutions per minute (" + element + ")", 1, false}
		}
	}
	return plainMeaning(kind, element, name)
}

func plainMeaning(kind, element, name string) hwmonMeaning {
	return hwmonMeaning{name, "Hardware monitor " + kind + " element " + element, 1, false}
}

func meaningOfTemp(element, name string) hwmonMeaning {
	switch element {
	case "type":
		return plainMeaning("temp", element, name)
	case "":
		element = "input"
	}
	return hwmonMeaning{name + "_celsius", "Hardware monitor for temperature (" + element + ")", thousandths, false}
}

func meaningOfPower(element, name string) hwmonMeaning {
	switch element {
	case "accuracy":
		return hwmonMeaning{name, "Hardware monitor power meter accuracy, as a ratio", millionths, false}
	case "average_interval", "average_interval_min", "average_interval_max":
		return hwmonMeaning{name + "_seconds", "Hardware monitor power usage update interval (" + element + ")", thousandths, false}
	}
	return hwmonMeaning{name + "_watt", "Hardware monitor for power usage in watts (" + element + ")", millionths, false}
}

// addValue keeps the file, unless another already says the same sample: two sensors of a chip may have one label.
func (c *hwmon) addValue(path string, m hwmonMeaning, labels text.Labels, flag bool) {
	family := c.byName[m.name]
	if family == nil {
		family = text.Gauge("node_hwmon_"+m.name, m.help, "chip", "sensor")
		if m.counter {
			family = text.Counter("node_hwmon_"+m.name, m.help, "chip", "sensor")
		}
		c.byName[m.name] = family
		c.families = append(c.families, family)
	}
	for i := range c.said {
		if c.said[i].family == family && c.said[i].labels == labels {
			return
		}
	}
	c.said = append(c.said, hwmonValue{
		file: held.Sys(c.host.room, path), family: family, labels: labels, factor: m.factor, flag: flag,
		needed: strings.HasSuffix(path, "_input"),
	})
}
