package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"github.com/go-logr/logr"

	"github.com/hearth-monitoring/hearth/admission"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// options are the flags.
type options struct {
	version                             bool
	image, metricsAddress, probeAddress string
	pprofAddress                        string
	leaderElect                         bool
	logLevel, logFormat                 string
	webhook                             bool
	webhookPort                         int
	namespace                           string
}

func parse(args []string) options {
	var o options
	fs := flag.NewFlagSet("hearth", flag.ExitOnError)
	fs.StringVar(&o.image, "image", os.Getenv("HEARTH_IMAGE"), "image of the exporter and the reloader; default: $HEARTH_IMAGE")
	fs.BoolVar(&o.leaderElect, "leader-elect", false, "run only while holding the lease, so that several replicas can stand by")
	fs.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443", "address of /metrics, over HTTPS, for clients that the API server lets; 0 switches it off")
	fs.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	fs.StringVar(&o.pprofAddress, "pprof-bind-address", "", "address of /debug/pprof, for whoever looks for where time and memory go; left out: switched off")
	fs.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	fs.BoolVar(&o.webhook, "webhook", true, "answer the API server's admission reviews; without it objects are judged by their status alone")
	fs.IntVar(&o.webhookPort, "webhook-port", 9443, "port of the webhook")
	fs.StringVar(&o.namespace, "namespace", os.Getenv("HEARTH_NAMESPACE"), "namespace of the operator, where the webhook's certificate is kept; default: $HEARTH_NAMESPACE")
	fs.BoolVar(&o.version, "version", false, "print the version and exit")
	fs.StringVar(&o.logFormat, "log-format", "json", "json or text")
	_ = fs.Parse(args) // ExitOnError
	return o
}

// images are what runs where a declaration names neither version nor image.
func (o options) images() stack.Images {
	return stack.Images{
		Hearth: o.image, PrometheusVersion: "3.15.0", AlertmanagerVersion: "0.31.1", StateMetricsVersion: "2.20.0", GrafanaVersion: "13.2.0",
	}
}

func newLogger(o options) (logr.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return logr.Logger{}, fmt.Errorf("--log-level: %w", err)
	}
	opts := &slog.HandlerOptions{Level: level}
	switch o.logFormat {
	case "json":
		return logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, opts)), nil
	case "text":
		return logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, opts)), nil
	}
	return logr.Logger{}, fmt.Errorf("--log-format: %q is neither json nor text", o.logFormat)
}

// metricsTLS has the metrics answered with the webhook's certificate, which servers can check, where there is one.
func (o options) metricsTLS(keeper *admission.Keeper) func(*tls.Config) {
	if o.webhook {
		return serving(keeper)
	}
	// HTTP/2 has had too many denial-of-service holes for an endpoint that a scraper reads over one connection.
	return func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }
}

// serving has the certificate asked for at each handshake, because it changes.
func serving(keeper *admission.Keeper) func(*tls.Config) {
	return func(c *tls.Config) {
		c.GetCertificate = keeper.Get
		c.NextProtos = []string{"http/1.1"} // as for the metrics
	}
}
