package agent

import (
	"context"
	"time"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

const (
	readyTimeout = 3 * time.Second
	// patience is how long a server that was ready may leave questions without an answer before it is called unready: one that
	// reads a hundred thousand rules is too busy for seconds, and still what to ask for samples. A "no" counts at once.
	patience     = 15 * time.Second
	factsTimeout = 30 * time.Second
	// share is how much longer than the answer took the server is left alone: what the facts cost stays below a
	// twentieth of one core however many targets and rules there are.
	share = 20
)

// watchServer looks at the server regularly, and at once when poked. It never touches the tree, so a slow answer delays no
// reload.
func (a *Agent) watchServer(ctx context.Context) {
	var quiet time.Time
	for ctx.Err() == nil {
		h := a.lookAt(ctx)
		interval := a.pace.Eager
		if h.ready && a.board.Report().Ready {
			interval = a.pace.Probe
		}
		if h.ready && time.Now().After(quiet) {
			started := time.Now()
			a.askFacts(ctx)
			quiet = time.Now().Add(share * time.Since(started))
		}
		timer := time.NewTimer(interval)
		select {
		case <-ctx.Done():
		case <-a.look:
			// Something was just loaded: whoever waits for its effect should not wait longer.
			quiet = time.Time{}
		case <-timer.C:
		}
		timer.Stop()
	}
}

// lookAt asks whether the server is ready and which process it is.
func (a *Agent) lookAt(ctx context.Context) health {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	a.mu.Lock()
	h := health{instance: a.health.instance}
	a.mu.Unlock()
	if err := a.server.Ready(ctx); err != nil {
		h.reason = "the server is not ready: " + err.Error()
	} else if instance, err := a.server.Instance(ctx); err != nil {
		h.reason = "the server does not say since when it runs: " + err.Error()
	} else {
		h.ready, h.instance = true, instance
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if h.ready {
		a.answered = time.Now()
	} else if ctx.Err() != nil && a.health.ready && time.Since(a.answered) < patience {
		return a.health
	}
	if h != a.health {
		if h.ready != a.health.ready || h.instance != a.health.instance {
			a.log.Info("server", "ready", h.ready, "reason", h.reason, "since", h.instance)
		}
		a.health = h
		poke(a.wake)
	}
	return h
}

func (a *Agent) askFacts(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, factsTimeout)
	defer cancel()
	f, err := a.server.Facts(ctx)
	if err != nil {
		a.log.Debug("cannot ask the server", "error", err)
		return
	}
	a.board.Update(func(r *replica.Report) {
		r.Version, r.Rules, r.Firing, r.Pending = f.Version, f.Rules, f.Firing, f.Pending
		r.Jobs, r.AlertRules, r.PrometheusRules, r.Storage.HeadSeries = f.Jobs, f.AlertRules, f.PrometheusRules, f.HeadSeries
		r.MetricsKnown = f.MetricsKnown
		r.Alerting, r.Alertmanager, r.Remotes = f.Alerting, f.Alertmanager, f.Remotes
	})
}
