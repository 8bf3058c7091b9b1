package controllers

import (
	"context"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/internal/dashboards"
	model "github.com/hearth-monitoring/hearth/internal/grafana"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// grafana says what an existing Grafana should have, and observes what became of it.
func (r *PrometheusServerReconciler) grafana(ctx context.Context, s *stack.Stack, o *status.Server) {
	server := client.ObjectKey{Namespace: s.Namespace, Name: s.Name}
	var wanted *stack.GrafanaExisting
	if s.Grafana != nil {
		wanted = s.Grafana.Existing
	}
	r.Existing.Want(ctx, server, wanted)
	if wanted == nil {
		return
	}
	o.ExistingGrafana = r.Existing.Outcome(server)
	if o.ExistingGrafana == nil {
		o.ExistingGrafana = &status.ExistingGrafana{}
	}
}

// shipped are Hearth's own dashboards, made when they are wanted first: they are the same for all servers.
type shipped struct {
	once sync.Once
	list []model.Dashboard
}

func (s *shipped) dashboards() []model.Dashboard {
	s.once.Do(func() {
		for _, d := range dashboards.All() {
			s.list = append(s.list, model.Dashboard{UID: d.UID, Title: d.Title, Folder: d.Folder, JSON: d.JSON})
		}
	})
	return s.list
}
