package agent

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the reloader's own.
type Metrics struct {
	loaded, published, lastSuccess prometheus.Gauge
	fetchSeconds, reloadSeconds    prometheus.Histogram
	reloadFailures, fetchFailures  prometheus.Counter
	// WebConfig is 1 while the server's web configuration is as the Secrets say.
	WebConfig prometheus.Gauge
}

// NewMetrics makes and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "hearth", Subsystem: "reloader", Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "hearth", Subsystem: "reloader", Name: name, Help: help})
	}
	histogram := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "hearth", Subsystem: "reloader", Name: name, Help: help,
			Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120},
		})
	}
	m := &Metrics{
		loaded:         gauge("loaded_revision", "Revision that the running server acknowledged, 0 when none."),
		published:      gauge("published_revision", "Newest revision seen in the API, 0 when none."),
		lastSuccess:    gauge("last_success_timestamp_seconds", "When the server last acknowledged a reload."),
		reloadFailures: counter("reload_failures_total", "Reloads that the server did not acknowledge."),
		fetchFailures:  counter("fetch_failures_total", "Times that the API or a published object did not answer as it should."),
		WebConfig:      gauge("web_config_current", "1 while the server's web configuration is as the mounted Secrets say."),
		fetchSeconds:   histogram("fetch_duration_seconds", "How long it took to get what a revision changes and to write it to disk."),
		reloadSeconds:  histogram("reload_duration_seconds", "How long acknowledged reloads took."),
	}
	r.MustRegister(m.loaded, m.published, m.lastSuccess, m.reloadFailures, m.fetchFailures, m.WebConfig, m.fetchSeconds, m.reloadSeconds)
	return m
}
