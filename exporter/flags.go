package main

import (
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/hearth-monitoring/hearth/exporter/collector"
)

// options are the parsed command line.
type options struct {
	flags      *flag.FlagSet
	configFile string
	collectors *collector.Options
	handler    handlerOptions
	web        web.FlagConfig
	logLevel   *promslog.Level
	logFormat  *promslog.Format
	version    bool
	processors int
}

// parse reads node_exporter's flags. It understands what people have in their units and manifests: --flag=value, --flag
// value, and --no-flag for every switch.
func parse(args []string, usage io.Writer) (*options, error) {
	flags := flag.NewFlagSet("node_exporter", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is returned, and printed once
	o := declare(flags)
	negate(flags)
	flags.Usage = func() { printUsage(flags, usage) }

	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.handler.metricsPath == "" || o.handler.metricsPath[0] != '/' || o.handler.metricsPath == healthPath {
		return nil, fmt.Errorf("--web.telemetry-path must start with / and not be %s, not %q", healthPath, o.handler.metricsPath)
	}
	return o, nil
}

func declare(flags *flag.FlagSet) *options {
	o := &options{
		flags:      flags,
		collectors: collector.Declare(flags),
		logLevel:   promslog.NewLevel(),
		logFormat:  promslog.NewFormat(),
	}
	addresses := &listFlag{values: []string{":9100"}}
	flags.Var(addresses, "web.listen-address", "Addresses on which to expose metrics and web interface. Repeatable for multiple addresses.")
	o.web = web.FlagConfig{
		WebListenAddresses: &addresses.values,
		WebSystemdSocket:   flags.Bool("web.systemd-socket", false, "Use systemd socket activation listeners instead of port listeners."),
		WebConfigFile:      flags.String("web.config.file", "", "Path to configuration file that can enable TLS or authentication."),
	}
	flags.StringVar(&o.configFile, "config.file", "", "File with settings of the collectors, which is loaded again when it changes and on SIGHUP: see docs/exporter.md.")
	flags.StringVar(&o.handler.metricsPath, "web.telemetry-path", "/metrics", "Path under which to expose metrics.")
	flags.BoolVar(&o.handler.withoutOwnMetrics, "web.disable-exporter-metrics", false, "Exclude metrics about the exporter itself (promhttp_*, process_*, go_*).")
	flags.IntVar(&o.handler.maxRequests, "web.max-requests", 40, "Maximum number of parallel scrape requests. Use 0 to disable.")
	flags.IntVar(&o.processors, "runtime.gomaxprocs", 1, "The target number of CPUs Go will run on (GOMAXPROCS). More than one costs more and is hardly faster. Use 0 for all.")
	flags.Var(o.logLevel, "log.level", "Only log messages with the given severity or above. One of: [debug, info, warn, error]")
	flags.Var(o.logFormat, "log.format", "Output format of log messages. One of: [logfmt, json]")
	flags.BoolVar(&o.version, "version", false, "Show application version.")
	return o
}

// negate adds --no-NAME for each switch.
func negate(flags *flag.FlagSet) {
	var switches []*flag.Flag
	flags.VisitAll(func(f *flag.Flag) {
		if isSwitch(f) {
			switches = append(switches, f)
		}
	})
	for _, f := range switches {
		flags.BoolFunc("no-"+f.Name, "", func(s string) error {
			on, err := strconv.ParseBool(s)
			if err != nil {
				return fmt.Errorf("not a boolean: %q", s)
			}
			return f.Value.Set(strconv.FormatBool(!on))
		})
	}
}

func isSwitch(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

func printUsage(flags *flag.FlagSet, w io.Writer) {
	var text strings.Builder
	text.WriteString("usage: node_exporter [<flags>]\n\nFlags:\n")
	flags.VisitAll(func(f *flag.Flag) {
		switch {
		case f.Usage == "": // a --no- twin
		case isSwitch(f):
			fmt.Fprintf(&text, "  --[no-]%s\n        %s\n", f.Name, f.Usage)
		default:
			fmt.Fprintf(&text, "  --%s=%q\n        %s\n", f.Name, f.DefValue, f.Usage)
		}
	})
	_, _ = io.WriteString(w, text.String())
}

// listFlag collects the values of a flag that may be repeated; the first one given replaces the default.
type listFlag struct {
	values []string
	given  bool
}

func (l *listFlag) String() string { return strings.Join(l.values, ",") }

func (l *listFlag) Set(s string) error {
	if !l.given {
		l.values, l.given = nil, true
	}
	l.values = append(l.values, s)
	return nil
}
