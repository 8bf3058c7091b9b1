package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"

	"github.com/hearth-monitoring/hearth/exporter/collector"
)

// contentType is the one format we answer in, whatever is accepted: every Prometheus reads it, and so did it of
// node_exporter.
const contentType = "text/plain; version=0.0.4; charset=utf-8"

// metricsHandler answers scrapes. What the collectors say is text already; what is about the exporter itself comes from
// a registry and stands before it: a file of someone else's may not say it again.
type metricsHandler struct {
	config *configuration
	build  []byte               // node_exporter_build_info, which never changes
	own    *prometheus.Registry // nil where it is not wanted
	pages  sync.Pool            // of *page
	fails  *prometheus.CounterVec
	zip    *zipper
	log    *changeLogger
}

// A page is the body of an answer; it is used again for another.
type page struct{ body []byte }

func newMetricsHandler(config *configuration, o handlerOptions, log *slog.Logger) (http.Handler, error) {
	h := &metricsHandler{config: config, zip: newZipper(), log: &changeLogger{log: log}}
	h.pages.New = func() any { return &page{} }
	build := prometheus.NewRegistry()
	build.MustRegister(versioncollector.NewCollector("node_exporter"))
	var err error
	if h.build, err = appendGathered(nil, build); err != nil {
		return nil, fmt.Errorf("build info: %w", err)
	}
	if o.withoutOwnMetrics {
		return limit(o.maxRequests, h), nil
	}
	h.own = prometheus.NewRegistry()
	h.fails = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "promhttp_metric_handler_errors_total",
		Help: "Total number of internal errors encountered by the promhttp metric handler.",
	}, []string{"cause"})
	h.fails.WithLabelValues("encoding")
	h.fails.WithLabelValues("gathering")
	h.own.MustRegister(h.fails, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.InstrumentMetricHandler(h.own, limit(o.maxRequests, h)), nil
}

func (h *metricsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := h.config.now.Load()
	names, err := names(now.set, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	round := now.set.Run(names, budget(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds")))
	p := h.pages.Get().(*page)
	defer h.pages.Put(p)
	h.answer(w, r, p, func(b []byte) []byte {
		b = append(append(b, h.build...), now.said...)
		if h.own != nil {
			b = h.appendOwn(b)
		}
		return round.AppendTo(b)
	})
}

// appendOwn appends what is about the exporter itself.
func (h *metricsHandler) appendOwn(b []byte) []byte {
	b, err := appendGathered(b, h.own)
	if err != nil {
		h.fails.WithLabelValues("gathering").Inc()
	}
	h.log.note(err)
	return b
}

// names are the collectors that the request asks for. Nearly none asks for less than all.
func names(set *collector.Set, r *http.Request) ([]string, error) {
	if r.URL.RawQuery == "" {
		return set.Names(), nil
	}
	query := r.URL.Query()
	return set.Select(query["collect[]"], query["exclude[]"])
}

// answer sends what write writes. Many scrapes may wait for their collectors or their readers side by side: each holds no
// more than its body, and the text before it was compressed, ten times as long, belongs to who compresses.
func (h *metricsHandler) answer(w http.ResponseWriter, r *http.Request, p *page, write func([]byte) []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		p.body = h.zip.append(p.body[:0], write)
		header.Set("Content-Encoding", "gzip")
	} else {
		p.body = write(p.body[:0])
	}
	header.Set("Content-Length", strconv.Itoa(len(p.body)))
	_, _ = w.Write(p.body) // the scraper has gone: nobody to tell
}

// acceptsGzip reads Accept-Encoding: a list of codings, each perhaps with a weight, of which zero means no.
func acceptsGzip(headers []string) bool {
	for _, header := range headers {
		for coding := range strings.SplitSeq(header, ",") {
			name, weight, _ := strings.Cut(coding, ";")
			if strings.TrimSpace(name) != "gzip" {
				continue
			}
			q, weighed := strings.CutPrefix(strings.TrimSpace(weight), "q=")
			v, err := strconv.ParseFloat(q, 64)
			return !weighed || err == nil && v > 0
		}
	}
	return false
}

// appendGathered appends what a registry has, or as much of it as is sound.
func appendGathered(b []byte, from prometheus.Gatherer) ([]byte, error) {
	families, err := from.Gather()
	out := bytes.NewBuffer(b)
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(out, f); err != nil {
			return out.Bytes(), fmt.Errorf("write %s: %w", f.GetName(), err)
		}
	}
	return out.Bytes(), err
}

// budget is how long a scrape may take that its scraper waits so many seconds for: a tenth is left for the way there and
// back. Zero is no limit.
func budget(header string) time.Duration {
	seconds, err := strconv.ParseFloat(header, 64)
	if err != nil || !(seconds > 0 && seconds < 3600) {
		return 0
	}
	return time.Duration(seconds * 0.9 * float64(time.Second))
}

// changeLogger logs what a scrape complains of when that changes, and not on each scrape.
type changeLogger struct {
	log  *slog.Logger
	mu   sync.Mutex
	last string
}

func (c *changeLogger) note(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	c.mu.Lock()
	before := c.last
	c.last = text
	c.mu.Unlock()
	if text != before && text != "" {
		c.log.Error("scrape", "err", text)
	}
}
