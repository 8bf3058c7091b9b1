package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"
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
func newHandler(config *configuration, o handlerOptions, log *slog.Logger) (http.Handler, error) {
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
	metrics, err := newMetricsHandler(config, o, log)
	if err != nil {
		return nil, err
	}
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
