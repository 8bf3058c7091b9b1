package controllers

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the operator's own, beside those of its libraries.
type Metrics struct {
	applyToLoaded prometheus.Histogram
}

// NewMetrics makes and registers them.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		applyToLoaded: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hearth_rule_apply_to_loaded_seconds",
			Help: "From the watch event of a new generation of an AlertRule, which follows the write within milliseconds, " +
				"until every replica of every server that selects it says that it has loaded it.",
			Buckets:                     []float64{0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 120},
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: 3600e9,
		}),
	}
	registry.MustRegister(m.applyToLoaded)
	return m
}
