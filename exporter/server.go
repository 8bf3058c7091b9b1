package main

import (
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
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/hearth-monitoring/hearth/exporter/collector"
)

const healthPath = "/healthz"

type handlerOptions struct {
	metricsPath       string
	withoutOwnMetrics bool
	maxRequests       int
}

// newServer bounds what a client can make the exporter hold: time, headers and idle connections.
func newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

// newHandler serves the metrics, the health check and a page that links them.
func newHandler(set *collector.Set, o handlerOptions, log *slog.Logger) (http.Handler, error) {
	landing, err := web.NewLandingPage(web.LandingConfig{
		Name:        "Node Exporter",
		Description: "Hearth's exporter of this node's metrics",
		Version:     version.Info(),
		Profiling:   "false",
		Links: []web.LandingLinks{
			{Address: o.metricsPath, Text: "Metrics"},
			{Address: healthPath, Text: "Health"},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("landing page: %w", err)
	}
	metrics := newMetricsHandler(set, o, log)
	return readOnly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case o.metricsPath:
			metrics.ServeHTTP(w, r)
		case healthPath:
			_, _ = w.Write([]byte("ok\n"))
		default:
			landing.ServeHTTP(w, r) // not found for anything but /
		}
	})), nil
}

// readOnly refuses every method that is not a read.
func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// metricsHandler answers scrapes. Each has a registry of its own, since what it collects and how long it may take is said
// by its request; what is about the exporter itself is in one registry for all.
type metricsHandler struct {
	set   *collector.Set
	own   *prometheus.Registry
	build prometheus.Collector
	opts  promhttp.HandlerOpts
}

func newMetricsHandler(set *collector.Set, o handlerOptions, log *slog.Logger) http.Handler {
	h := &metricsHandler{
		set:   set,
		own:   prometheus.NewRegistry(),
		build: versioncollector.NewCollector("node_exporter"),
		opts:  promhttp.HandlerOpts{ErrorLog: &changeLogger{log: log}, ErrorHandling: promhttp.ContinueOnError},
	}
	handler := limit(o.maxRequests, h)
	if !o.withoutOwnMetrics {
		h.opts.Registry = h.own
		h.own.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
		handler = promhttp.InstrumentMetricHandler(h.own, handler)
	}
	return handler
}

func (h *metricsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	names, err := h.set.Select(query["collect[]"], query["exclude[]"])
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	scrape := prometheus.NewRegistry()
	scrape.MustRegister(h.build, h.set.Scrape(names, budget(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"))))
	promhttp.HandlerFor(prometheus.Gatherers{h.own, scrape}, h.opts).ServeHTTP(w, r)
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

// limit turns away the requests above n at a time, which would wait for the same collectors anyway. Zero is no limit.
func limit(n int, next http.Handler) http.Handler {
	if n <= 0 {
		return next
	}
	seats := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case seats <- struct{}{}:
			defer func() { <-seats }()
			next.ServeHTTP(w, r)
		default:
			http.Error(w, fmt.Sprintf("Limit of concurrent requests reached (%d), try again later.", n), http.StatusServiceUnavailable)
		}
	})
}

// changeLogger logs what a scrape complains of when that changes, and not on each scrape.
type changeLogger struct {
	log  *slog.Logger
	mu   sync.Mutex
	last string
}

// Println is what promhttp calls.
func (c *changeLogger) Println(v ...any) {
	text := strings.TrimSuffix(fmt.Sprintln(v...), "\n")
	c.mu.Lock()
	before := c.last
	c.last = text
	c.mu.Unlock()
	if text != before {
		c.log.Error("scrape", "err", text)
	}
}
