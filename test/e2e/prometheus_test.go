package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// prometheus asks a server's API.
type prometheus struct {
	get func(ctx context.Context, path string, query map[string]string) ([]byte, error)
}

// through asks a server through the API server and its Service, which works on every cluster.
func through(ps *v1alpha1.PrometheusServer) prometheus {
	return prometheus{func(ctx context.Context, path string, query map[string]string) ([]byte, error) {
		return answer(kube.typed.CoreV1().Services(ps.Namespace).ProxyGet("http", "prometheus-"+ps.Name, "web", path, query).DoRaw(ctx))
	}}
}

// throughPod asks one replica.
func throughPod(namespace, pod string) prometheus {
	return prometheus{func(ctx context.Context, path string, query map[string]string) ([]byte, error) {
		return answer(kube.typed.CoreV1().Pods(namespace).ProxyGet("http", pod, "9090", path, query).DoRaw(ctx))
	}}
}

// answer keeps what Prometheus said of a refused request: the client's own error says "for an unknown reason".
func answer(body []byte, err error) ([]byte, error) {
	if err != nil && len(body) > 0 {
		err = fmt.Errorf("%w: %s", err, body)
	}
	return body, err
}

// at asks the server at an address, as users do.
func at(base string, do func(*http.Request) (*http.Response, error)) prometheus {
	return prometheus{func(ctx context.Context, path string, query map[string]string) ([]byte, error) {
		values := url.Values{}
		for name, value := range query {
			values.Set(name, value)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path+"?"+values.Encode(), nil)
		if err != nil {
			return nil, err
		}
		resp, err := do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s answers %s: %s", req.URL, resp.Status, body)
		}
		return body, err
	}}
}

// api reads the data of an answer into out.
func (p prometheus) api(ctx context.Context, path string, query map[string]string, out any) error {
	body, err := p.get(ctx, path, query)
	if err != nil {
		return err
	}
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("%s: %w: %s", path, err, body)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", path, answer.Error)
	}
	return json.Unmarshal(answer.Data, out)
}

// series is one result of a query.
type series struct {
	Metric map[string]string
	Value  point
	Values []point
}

type point [2]any

func (p point) float() float64 {
	s, ok := p[1].(string)
	if !ok {
		return 0
	}
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

func (p prometheus) query(ctx context.Context, expr string) ([]series, error) {
	var out struct{ Result []series }
	err := p.api(ctx, "/api/v1/query", map[string]string{"query": expr}, &out)
	return out.Result, err
}

// value waits until a query has one result, and returns it.
func (p prometheus) value(t *testing.T, expr string) series {
	t.Helper()
	var out series
	eventually(t, 30*time.Second, func() error {
		result, err := p.query(t.Context(), expr)
		if err == nil && len(result) != 1 {
			err = fmt.Errorf("%s has %d results", expr, len(result))
		}
		if err != nil {
			return err
		}
		out = result[0]
		return nil
	})
	return out
}

// group is a rule group as Prometheus has it.
type group struct {
	Name, File string
	Rules      []struct {
		Name, Query, Health, LastError string
	}
}

// groups are the rule groups that a server evaluates, by name.
func (p prometheus) groups(ctx context.Context) (map[string]group, error) {
	var data struct{ Groups []group }
	if err := p.api(ctx, "/api/v1/rules", nil, &data); err != nil {
		return nil, err
	}
	out := map[string]group{}
	for _, g := range data.Groups {
		out[g.Name] = g
	}
	return out, nil
}
