package report

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

const (
	// MaxWait bounds how long an answer is held back.
	MaxWait = time.Minute
	// maxWaiting bounds how many are: anyone in the cluster can ask.
	maxWaiting = 64
)

// Handler serves the board, and metrics at /metrics.
func (b *Board) Handler(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	slots := make(chan struct{}, maxWaiting)
	// A GET pattern takes HEAD too, and answers 405 to everything else.
	mux.HandleFunc("GET "+replica.Path, func(w http.ResponseWriter, r *http.Request) { b.serveReport(w, r, slots) })
	mux.HandleFunc("GET /startup", b.serveStartup)
	mux.HandleFunc("GET /ready", b.serveReady)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive") })
	mux.Handle("GET /metrics", metrics)
	return mux
}

// Server has the time limits that a server which anyone in the cluster can reach needs.
func Server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      MaxWait + 15*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

func (b *Board) serveReport(w http.ResponseWriter, r *http.Request, slots chan struct{}) {
	wait, err := waitOf(r)
	if err != nil {
		answer(w, http.StatusBadRequest, err.Error())
		return
	}
	report, etag, changed := b.current()
	if wait > 0 && strings.Trim(r.FormValue(replica.ParamAfter), `"`) == etag {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			answer(w, http.StatusTooManyRequests, "too many are waiting already")
			return
		}
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-changed:
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
		report, etag, _ = b.current()
	}
	text, err := report.Encode()
	if err != nil {
		answer(w, http.StatusInternalServerError, "the report cannot be encoded")
		return
	}
	w.Header().Set("ETag", strconv.Quote(etag))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // the reader went away: nothing to do about it
}

func waitOf(r *http.Request) (time.Duration, error) {
	text := r.FormValue(replica.ParamWait)
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 {
		return 0, fmt.Errorf("%s is not a duration such as 30s", replica.ParamWait)
	}
	return min(wait, MaxWait), nil
}

func (b *Board) serveStartup(w http.ResponseWriter, _ *http.Request) {
	blockers := b.blockers()
	if len(blockers) == 0 {
		answer(w, http.StatusOK, "the server may start")
		return
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(blockers)) {
		fmt.Fprintln(&text, blockers[name])
	}
	answer(w, http.StatusServiceUnavailable, strings.TrimSpace(text.String()))
}

func (b *Board) serveReady(w http.ResponseWriter, _ *http.Request) {
	r := b.Report()
	if !r.Ready {
		answer(w, http.StatusServiceUnavailable, r.ReadyReason)
		return
	}
	answer(w, http.StatusOK, fmt.Sprintf("ready with revision %d", r.Loaded))
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n") //nolint:gosec // text/plain with nosniff; as above
}
