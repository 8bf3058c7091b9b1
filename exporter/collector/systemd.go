package collector

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

type systemd struct {
	tally
	host             Host
	include, exclude *regexp.Regexp
	version          *regexp.Regexp // in what systemd says of itself

	private, tasks, restarts, startTimes bool

	versions, virtualization, running, units, states, start, tasksCurrent, tasksMax, restarted, lastTrigger *text.Family
	accepted, current, refused                                                                              *text.Family
}

// systemdUnit is what the manager's list says of a unit, in its order.
type systemdUnit struct {
	Name, Description, LoadState, ActiveState, SubState, Followed string
	Path                                                          dbus.ObjectPath
	JobID                                                         uint32
	JobType                                                       string
	JobPath                                                       dbus.ObjectPath
}

func declareSystemd(flags *flag.FlagSet) factory {
	const name = "collector.systemd."
	include, exclude := ".+", `.+\.(automount|device|mount|scope|slice)`
	flags.StringVar(&include, name+"unit-include", include, "Regexp of systemd units to include. Units must both match include and not match exclude to be included.")
	flags.StringVar(&exclude, name+"unit-exclude", exclude, "Regexp of systemd units to exclude. Units must both match include and not match exclude to be included.")
	flags.StringVar(&include, name+"unit-whitelist", include, "") // as they were once called
	flags.StringVar(&exclude, name+"unit-blacklist", exclude, "")
	private := flags.Bool(name+"private", false, "Ask systemd itself, without D-Bus (requires root; for tests).")
	tasks := flags.Bool(name+"enable-task-metrics", false, "Enables service unit tasks metrics unit_tasks_current and unit_tasks_max")
	restarts := flags.Bool(name+"enable-restarts-metrics", false, "Enables service unit metric service_restart_total")
	startTimes := flags.Bool(name+"enable-start-time-metrics", false, "Enables service unit metric unit_start_time_seconds")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		c := newSystemd(h)
		c.private, c.tasks, c.restarts, c.startTimes = *private, *tasks, *restarts, *startTimes
		var err error
		if c.include, err = compile(name+"unit-include", "^(?:"+include+")$"); err != nil {
			return nil, err
		}
		c.exclude, err = compile(name+"unit-exclude", "^(?:"+exclude+")$")
		return c, err
	}
}

func newSystemd(h Host) *systemd {
	gauge := func(name, help string, labels ...string) *text.Family {
		return text.Gauge("node_systemd_"+name, help, labels...)
	}
	counter := func(name, help string) *text.Family { return text.Counter("node_systemd_"+name, help, "name") }
	return &systemd{
		host: h, version: regexp.MustCompile(`[0-9]{3,}(\.[0-9]+)?`),
		versions:       gauge("version", "Detected systemd version", "version"),
		virtualization: gauge("virtualization_info", "Detected virtualization technology", "virtualization_type"),
		running:        gauge("system_running", "Whether the system is operational (see 'systemctl is-system-running')"),
		units:          gauge("units", "Summary of systemd unit states", "state"),
		states:         gauge("unit_state", "Systemd unit", "name", "state", "type"),
		start:          gauge("unit_start_time_seconds", "Start time of the unit since unix epoch in seconds.", "name"),
		tasksCurrent:   gauge("unit_tasks_current", "Current number of tasks per Systemd unit", "name"),
		tasksMax:       gauge("unit_tasks_max", "Maximum number of tasks per Systemd unit", "name"),
		restarted:      counter("service_restart_total", "Service unit count of Restart triggers"),
		lastTrigger:    gauge("timer_last_trigger_seconds", "Seconds since epoch of last trigger.", "name"),
		accepted:       counter("socket_accepted_connections_total", "Total number of accepted socket connections"),
		current:        gauge("socket_current_connections", "Current number of socket connections", "name"),
		refused:        gauge("socket_refused_connections_total", "Total number of refused socket connections", "name"),
	}
}

func (c *systemd) Families() []*text.Family {
	return []*text.Family{c.versions, c.virtualization, c.running, c.units, c.states, c.start, c.tasksCurrent, c.tasksMax, c.restarted,
		c.lastTrigger, c.accepted, c.current, c.refused}
}

// Update asks the manager once, and then each unit for what the list does not have. Many questions are sent
// before the first answer is waited for.
func (c *systemd) Update(ctx context.Context) error {
	bus, err := dialSystemd(ctx, c.host, c.private)
	if err != nil {
		return err
	}
	defer bus.close()
	version, err := c.addManager(bus)
	if err != nil {
		return err
	}
	units, err := bus.units()
	if err != nil {
		return err
	}
	c.addSummary(units)
	c.left = 0
	for i := range units {
		u := &units[i]
		switch {
		case !c.include.MatchString(u.Name) || c.exclude.MatchString(u.Name):
			c.left++
		case u.LoadState == "loaded":
			c.ask(bus, u, version)
		}
	}
	return bus.answers()
}

// addManager says what systemd says of itself, and returns its version.
func (c *systemd) addManager(bus *systemdBus) (float64, error) {
	full, known, err := bus.managerText("Version")
	if err != nil {
		return 0, err
	}
	version, err := strconv.ParseFloat(c.version.FindString(full), 64)
	if known && err != nil {
		return 0, fmt.Errorf("%s: %q is no version", bus.path, full)
	}
	if known {
		c.versions.Add(version, full)
	}
	kind, known, err := bus.managerText("Virtualization")
	switch {
	case err != nil:
		return 0, err
	case !known:
		kind = "unknown"
	case kind == "":
		kind = "none"
	}
	c.virtualization.Add(1, kind)
	if version < systemdStates {
		return version, nil
	}
	return version, c.addState(bus)
}

func (c *systemd) addState(bus *systemdBus) error {
	state, known, err := bus.managerText("SystemState")
	if err == nil && !known {
		err = errors.New(bus.path + ": systemd does not say its state")
	}
	if err == nil {
		c.running.Add(truth(state == "running"))
	}
	return err
}

// systemdStates is the first version with the manager's state and the timers' last run.
const systemdStates = 212

func unitStates() []string {
	return []string{"active", "activating", "deactivating", "inactive", "failed"}
}

func (c *systemd) addSummary(units []systemdUnit) {
	states, counts := unitStates(), map[string]int{}
	for _, u := range units {
		if _, ok := counts[u.ActiveState]; !ok {
			known := false
			for _, s := range states {
				known = known || s == u.ActiveState
			}
			if !known { // such as reloading
				states = append(states, u.ActiveState)
			}
		}
		counts[u.ActiveState]++
	}
	for _, state := range states {
		c.units.Add(float64(counts[state]), state)
	}
}

// ask asks for what is said of a unit besides what is in the list.
func (c *systemd) ask(bus *systemdBus, u *systemdUnit, version float64) {
	label := c.start.Labels(u.Name)
	number := func(kind, property string, put func(float64)) { bus.number(u, kind, property, put) }
	add := func(f *text.Family) func(float64) { return func(v float64) { f.Put(v, label) } }
	switch kind := u.Name[strings.LastIndexByte(u.Name, '.')+1:]; kind {
	case "service":
		bus.text(u, "Service", "Type", func(kind string) { c.addStates(u, kind) })
		if c.restarts {
			number("Service", "NRestarts", add(c.restarted)) // since systemd 235
		}
		if c.tasks {
			number("Service", "TasksCurrent", limited(add(c.tasksCurrent)))
			number("Service", "TasksMax", limited(add(c.tasksMax)))
		}
	case "mount":
		bus.text(u, "Mount", "Type", func(kind string) { c.addStates(u, kind) })
	default:
		c.addStates(u, "")
		if kind == "timer" && version >= systemdStates {
			number("Timer", "LastTriggerUSec", func(v float64) { c.lastTrigger.Put(v/1e6, label) })
		}
		if kind == "socket" {
			number("Socket", "NAccepted", add(c.accepted))
			number("Socket", "NConnections", add(c.current))
			number("Socket", "NRefused", add(c.refused)) // since systemd 239
		}
	}
	if !c.startTimes {
		return
	}
	if u.ActiveState != "active" {
		c.start.Put(0, label)
		return
	}
	number("Unit", "ActiveEnterTimestamp", func(v float64) { c.start.Put(v/1e6, label) })
}

// limited leaves out the number that means there is none.
func limited(put func(float64)) func(float64) {
	return func(v float64) {
		if v < math.MaxUint64 {
			put(v)
		}
	}
}

func (c *systemd) addStates(u *systemdUnit, kind string) {
	for _, state := range unitStates() {
		c.states.Add(truth(state == u.ActiveState), u.Name, state, kind)
	}
}
