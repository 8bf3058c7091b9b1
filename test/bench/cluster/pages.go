package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

// Get is what a page says.
func (c *Cluster) Get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if url == c.operator {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", url, resp.Status, text)
	}
	return text, err
}

// Post has something done, and returns when it is.
func (c *Cluster) Post(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}

// Metrics are the series of a page that have no labels.
func (c *Cluster) Metrics(ctx context.Context, address string) (map[string]float64, error) {
	text, err := c.Get(ctx, address)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil && !strings.Contains(name, "{") {
			out[name] = v
		}
	}
	return out, nil
}

// Prometheus is the address of a page of a server in this pod.
func Prometheus(pod *corev1.Pod, path string) string {
	return "http://" + pod.Status.PodIP + ":9090" + path
}

// Reloads are sums over everything that a reloader did so far, in seconds.
type Reloads struct{ Fetch, Reload, Count float64 }

// Reloads are those of the reloader in this pod.
func (c *Cluster) Reloads(ctx context.Context, pod *corev1.Pod) (Reloads, error) {
	m, err := c.Metrics(ctx, fmt.Sprintf("http://%s:%d/metrics", pod.Status.PodIP, replica.Port))
	return Reloads{m["hearth_reloader_fetch_duration_seconds_sum"], m["hearth_reloader_reload_duration_seconds_sum"],
		m["hearth_reloader_reload_duration_seconds_count"]}, err
}

// ReloadedSince is what the reloader says once another reload is acknowledged, which is a moment after its effects are there.
func (c *Cluster) ReloadedSince(ctx context.Context, pod *corev1.Pod, before Reloads) (Reloads, error) {
	var after Reloads
	err := Until(ctx, 5*time.Minute, "the reload is acknowledged", func(ctx context.Context) error {
		var err error
		after, err = c.Reloads(ctx, pod)
		if err == nil && after.Count <= before.Count {
			err = errors.New("nothing was reloaded")
		}
		return err
	})
	return after, err
}

// Report is what the reloader in this pod says.
func (c *Cluster) Report(ctx context.Context, pod *corev1.Pod) (replica.Report, error) {
	text, err := c.Get(ctx, fmt.Sprintf("http://%s:%d%s", pod.Status.PodIP, replica.Port, replica.Path))
	if err != nil {
		return replica.Report{}, err
	}
	return replica.Decode(text)
}

// Awake waits until the server has loaded what is published, and returns its first pod.
func (c *Cluster) Awake(ctx context.Context, limit time.Duration) (*corev1.Pod, error) {
	if err := Until(ctx, limit, "the server is ready", c.ready); err != nil {
		return nil, err
	}
	pod := &corev1.Pod{}
	return pod, c.API.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: "prometheus-" + Server + "-0"}, pod)
}

func (c *Cluster) ready(ctx context.Context) error {
	var ps v1alpha1.PrometheusServer
	if err := c.API.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: Server}, &ps); err != nil {
		return err
	}
	if c := ps.Status.Configuration; ps.Status.ReadyReplicas != 1 || c.Loaded == 0 || c.Loaded != c.Published {
		return fmt.Errorf("%+v", ps.Status.Conditions)
	}
	return nil
}
