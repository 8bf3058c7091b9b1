package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type selinux struct {
	host                             Host
	enforce, context                 *held.File
	enabled, configMode, currentMode *text.Family
}

func declareSelinux(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &selinux{
			host:        h,
			enforce:     h.sysFile("fs/selinux/enforce"),
			context:     h.initFile("attr/current"),
			enabled:     text.Gauge("node_selinux_enabled", "SELinux is enabled, 1 is true, 0 is false"),
			configMode:  text.Gauge("node_selinux_config_mode", "Configured SELinux enforcement mode"),
			currentMode: text.Gauge("node_selinux_current_mode", "Current SELinux enforcement mode"),
		}, nil
	}
}

func (c *selinux) Families() []*text.Family {
	return []*text.Family{c.enabled, c.configMode, c.currentMode}
}

func (c *selinux) Update(context.Context) error {
	mode, err := c.enforce.Uint()
	if errors.Is(err, fs.ErrNotExist) || err == nil && !c.hasPolicy() {
		c.enabled.Add(0)
		return nil
	}
	if err != nil {
		return err
	}
	c.enabled.Add(1)
	c.currentMode.Add(float64(mode))
	return c.addConfigMode()
}

// hasPolicy is false where SELinux is in the kernel and no policy was loaded: then everything runs as "kernel".
func (c *selinux) hasPolicy() bool {
	b, err := c.context.Text()
	return err != nil || string(bytes.TrimRight(b, "\x00")) != "kernel"
}

// addConfigMode reads what the next boot will do: 1 is enforcing, 0 permissive, -1 disabled.
func (c *selinux) addConfigMode() error {
	const name = "etc/selinux/config"
	b, err := c.host.readRoot(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for n := 1; len(b) > 0; n++ {
		var line []byte
		line, b = scan.Line(b)
		value, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("SELINUX="))
		if !ok {
			continue
		}
		switch string(bytes.ToLower(bytes.TrimSpace(value))) {
		case "enforcing":
			c.configMode.Add(1)
		case "permissive":
			c.configMode.Add(0)
		case "disabled":
			c.configMode.Add(-1)
		default:
			return fmt.Errorf("%s: line %d: %q is no mode", name, n, value)
		}
		return nil
	}
	return fmt.Errorf("%s: no line SELINUX=", name)
}
