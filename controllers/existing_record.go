package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	model "github.com/hearth-monitoring/hearth/internal/grafana"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// labelGrafanaRecord is on a record and has the name of its server.
const labelGrafanaRecord = "monitoring.hearth.dev/grafana-record"

// recordKey is where a record is in its ConfigMap.
const recordKey = "record.json"

// grafanaRecord says where a server has something.
type grafanaRecord struct {
	// IDs are the UIDs of the objects of the server's name that had something, the newest last, and of those it took over: all of
	// that is the server's.
	IDs    []string       `json:"ids,omitempty"`
	Places []grafanaPlace `json:"places,omitempty"`
}

// grafanaPlace is one Grafana.
type grafanaPlace struct {
	URL     string              `json:"url"`
	Token   model.SecretKey     `json:"token"`
	TLS     *v1alpha1.ClientTLS `json:"tls,omitempty"`
	Folders []string            `json:"folders,omitempty"`
	// Left is since when nothing is wanted there.
	Left *time.Time `json:"left,omitempty"`
}

func recordName(server string) string { return stack.NamesOf(server).Base + "-grafana" }

func (r *grafanaRecord) clone() *grafanaRecord {
	return &grafanaRecord{IDs: slices.Clone(r.IDs), Places: slices.Clone(r.Places)}
}

// place is the one at a URL, nil if there is none.
func (r *grafanaRecord) place(url string) *grafanaPlace {
	for i := range r.Places {
		if r.Places[i].URL == url {
			return &r.Places[i]
		}
	}
	return nil
}

// readRecord is what the cluster has of a server's record, or what this process wrote last: with its namespace, a record goes
// before its server is found to be gone.
func (g *ExistingGrafanas) readRecord(ctx context.Context, server types.NamespacedName, known *toldGrafana) (*grafanaRecord, error) {
	if known.record != nil {
		return known.record, nil
	}
	var object corev1.ConfigMap
	err := g.client.Get(ctx, client.ObjectKey{Namespace: server.Namespace, Name: recordName(server.Name)}, &object)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get the record of what the server has in a Grafana: %w", err)
	}
	out := &grafanaRecord{}
	// One that somebody broke is as good as none: it can only be made anew.
	if err == nil && json.Unmarshal([]byte(object.Data[recordKey]), out) != nil {
		out = &grafanaRecord{}
	}
	return out, nil
}

// recordExists asks past the caches: it is asked rarely, and what was deleted a moment ago counts.
func (g *ExistingGrafanas) recordExists(ctx context.Context, server types.NamespacedName) bool {
	err := g.reader.Get(ctx, client.ObjectKey{Namespace: server.Namespace, Name: recordName(server.Name)}, &corev1.ConfigMap{})
	return !apierrors.IsNotFound(err)
}

// writeRecord makes the record what it should be, and none if nothing is anywhere.
func (g *ExistingGrafanas) writeRecord(ctx context.Context, server types.NamespacedName, known *toldGrafana, record *grafanaRecord) error {
	object := &corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: server.Namespace, Name: recordName(server.Name),
			Labels: map[string]string{stack.LabelManagedBy: stack.ManagedBy, labelGrafanaRecord: server.Name},
			Annotations: map[string]string{"monitoring.hearth.dev/about": "Where Hearth has made something in a Grafana for PrometheusServer " + server.Name +
				". It is removed there once the server is gone, and this ConfigMap then. Who deletes it before leaves what is there."},
		},
	}
	if len(record.Places) == 0 {
		known.record = &grafanaRecord{}
		if err := g.client.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete the record of what the server had in a Grafana: %w", err)
		}
		return nil
	}
	text, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	object.Data = map[string]string{recordKey: string(text)}
	a := &applier{client: g.client, reader: g.reader}
	if err := a.applyAlone(ctx, object); err != nil && !apierrors.IsNotFound(err) && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return fmt.Errorf("record where the server has something in a Grafana: %w", err)
	}
	known.record = record
	return nil
}

// applyAlone applies an object that nobody owns.
func (a *applier) applyAlone(ctx context.Context, object client.Object) error {
	var live corev1.ConfigMap
	key := client.ObjectKeyFromObject(object)
	if err := a.reader.Get(ctx, key, &live); client.IgnoreNotFound(err) != nil {
		return err
	} else if err == nil && live.Labels[labelGrafanaRecord] == "" {
		return fmt.Errorf("ConfigMap %q is there already and not Hearth's: rename or delete it", key.Name)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	config := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: content})
	return a.client.Apply(ctx, config, client.FieldOwner(stack.ManagedBy), client.ForceOwnership)
}

// whoAmI is the name by which the API server knows the operator; everybody may ask for their own.
func whoAmI(ctx context.Context, c client.Client) (string, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := c.Create(ctx, review); err != nil {
		return "", err
	}
	return review.Status.UserInfo.Username, nil
}
