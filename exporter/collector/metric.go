package collector

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// A family is what every sample of a metric shares.
type family struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func counter(name, help string, labels ...string) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue}
}

func gauge(name, help string, labels ...string) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue}
}

// send emits one sample. Names that the host made up (mount points, devices, models) may be any bytes; what is not UTF-8
// in them is replaced, since one bad label would otherwise cost the whole scrape.
func (f family) send(ch chan<- prometheus.Metric, value float64, labels ...string) {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "\uFFFD")
	}
	ch <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
}

func describe(ch chan<- *prometheus.Desc, families ...family) {
	for _, f := range families {
		ch <- f.desc
	}
}
