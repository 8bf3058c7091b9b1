package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hearth-monitoring/hearth/exporter/collector"
	"github.com/hearth-monitoring/hearth/exporter/settings"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

const (
	// configPoll is how often the configuration file is looked at. It is small, so it is read and compared: the kubelet
	// swaps a link two levels above it, editors rename, and all of that is seen in its content alone.
	configPoll = 5 * time.Second
	// maxConfig bounds the configuration file, in bytes.
	maxConfig = 1 << 20
)

// A configuration is the collectors as the command line and the configuration file want them. A new one takes the place
// of the last one as a whole; scrapes that are under way end on the one they began with.
type configuration struct {
	args []string
	file string // empty where there is none
	log  *slog.Logger

	now atomic.Pointer[loaded]

	// What the last attempt to load began with and came to. Only load writes these.
	content []byte
	failure string
	since   time.Time // of the last success
}

// loaded is what a scrape reads.
type loaded struct {
	set  *collector.Set
	said []byte // about the configuration file
}

// newConfiguration loads for the first time. There is no last good configuration yet, so what is wrong is fatal.
func newConfiguration(args []string, o *options, log *slog.Logger) (*configuration, error) {
	c := &configuration{args: args, file: o.configFile, log: log}
	if c.file != "" {
		content, err := readConfig(c.file)
		if err != nil {
			return nil, fmt.Errorf("--config.file: %w", err)
		}
		c.content = content
	}
	set, err := c.collectors(o)
	if err != nil {
		return nil, err
	}
	c.since = time.Now()
	c.publish(set)
	return c, nil
}

// collectors makes the collectors from a parsed command line and the content of the file. It is all or nothing.
func (c *configuration) collectors(o *options) (*collector.Set, error) {
	if c.file == "" {
		return o.collectors.New(c.log)
	}
	if err := settings.Apply(o.flags, o.collectors.Names(), c.content); err != nil {
		return nil, fmt.Errorf("--config.file: %s: %w", c.file, err)
	}
	set, err := o.collectors.New(c.log)
	if err != nil {
		return nil, fmt.Errorf("with --config.file %s: %w", c.file, err)
	}
	return set, nil
}

// publish makes a set the one that scrapes run; nil keeps the last one.
func (c *configuration) publish(set *collector.Set) {
	if set == nil {
		set = c.now.Load().set
	}
	c.now.Store(&loaded{set: set, said: c.describe()})
}

// describe is the metrics about the configuration file, none where there is none.
func (c *configuration) describe() []byte {
	if c.file == "" {
		return nil
	}
	successful := text.Gauge("node_exporter_config_last_reload_successful", "Whether the last attempt to load the configuration file succeeded.")
	at := text.Gauge("node_exporter_config_last_reload_success_timestamp_seconds", "When the configuration that is in effect was loaded.")
	value := 0.0
	if c.failure == "" {
		value = 1
	}
	successful.Add(value)
	at.Add(float64(c.since.UnixMilli()) / 1000)
	return at.AppendTo(successful.AppendTo(nil))
}

// follow loads the file again whenever its content is another one, and when told to by SIGHUP, until ctx is over.
func (c *configuration) follow(ctx context.Context) {
	if c.file == "" {
		return
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGHUP)
	defer signal.Stop(told)
	poll := time.NewTicker(configPoll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-told:
			c.reload(true)
		case <-poll.C:
			c.reload(false)
		}
	}
}

// reload loads the file if it changed, or in any case. What fails leaves everything as it is, and is logged once.
func (c *configuration) reload(always bool) {
	content, err := readConfig(c.file)
	if err != nil {
		c.failed(fmt.Errorf("--config.file: %w", err))
		c.content = nil // when it can be read again it is another one
		return
	}
	if !always && c.content != nil && bytes.Equal(content, c.content) {
		return
	}
	c.content = content
	o, err := parse(c.args, io.Discard)
	if err != nil {
		c.failed(err) // it was parsed at the start
		return
	}
	set, err := c.collectors(o)
	if err != nil {
		c.failed(err)
		return
	}
	c.failure, c.since = "", time.Now()
	c.publish(set)
	c.log.Info("configuration loaded", "file", c.file, "collectors", set.Names())
	runtime.GC() // closes the files of the collectors that were replaced, as far as no scrape is in them
}

func (c *configuration) failed(err error) {
	if c.failure == err.Error() {
		return
	}
	c.failure = err.Error()
	c.publish(nil)
	c.log.Error("the configuration file is not loaded, the last one that was good stays in effect", "err", err)
}

func readConfig(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxConfig+1))
	if err == nil && len(content) > maxConfig {
		err = fmt.Errorf("%s: larger than %d bytes", path, maxConfig)
	}
	if content == nil {
		content = []byte{}
	}
	return content, err
}
