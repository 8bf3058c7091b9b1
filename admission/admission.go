// Package admission is the validating webhook: the answer that somebody gets at kubectl apply. It judges what the
// reconcilers judge, with the same functions, and refuses what they would not take; they are the gate that counts, because
// a webhook may be off, away or too late.
//
// It fails open. What it cannot judge it lets through with a warning, and the API server does the same when nobody answers
// (failurePolicy: Ignore).
package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// The paths in config/webhook.
const (
	PathAlertRules        = "/validate/alertrules"
	PathPrometheusServers = "/validate/prometheusservers"
	PathNodeExporters     = "/validate/nodeexporters"
)

// Handlers answer admission reviews, by path. What they find out about AlertRules is in recent for a while.
func Handlers(images stack.Images, recent *Recent) map[string]http.Handler {
	return map[string]http.Handler{
		PathAlertRules: &admission.Webhook{Handler: reviewer[*v1alpha1.AlertRule]{
			kind: "AlertRule", empty: func() *v1alpha1.AlertRule { return &v1alpha1.AlertRule{} },
			spec: func(o *v1alpha1.AlertRule) any { return o.Spec }, judge: alertRules{recent, make(chan struct{}, testers)}.judge,
		}},
		PathPrometheusServers: &admission.Webhook{Handler: reviewer[*v1alpha1.PrometheusServer]{
			kind: "PrometheusServer", empty: func() *v1alpha1.PrometheusServer { return &v1alpha1.PrometheusServer{} },
			spec: func(o *v1alpha1.PrometheusServer) any { return o.Spec }, judge: server(images), compare: fewerShards,
		}},
		PathNodeExporters: &admission.Webhook{Handler: reviewer[*v1alpha1.NodeExporter]{
			kind: "NodeExporter", empty: func() *v1alpha1.NodeExporter { return &v1alpha1.NodeExporter{} },
			spec: func(o *v1alpha1.NodeExporter) any { return o.Spec }, judge: exporter(images),
		}},
	}
}

// reviewer answers for one kind.
type reviewer[T client.Object] struct {
	kind  string
	empty func() T
	spec  func(T) any
	// judge says what is wrong with an object, and what is only doubtful.
	judge func(context.Context, T) (field.ErrorList, []string)
	// compare says what a change brings about that somebody may not expect; nil: nothing.
	compare func(before, after T) []string
}

// Handle lets an object in or says what is wrong with it.
func (r reviewer[T]) Handle(ctx context.Context, req admission.Request) (out admission.Response) {
	defer func() {
		if trouble := recover(); trouble != nil {
			out = r.unjudged(ctx, req, fmt.Errorf("panic: %v", trouble))
		}
	}()
	object := r.empty()
	if err := json.Unmarshal(req.Object.Raw, object); err != nil {
		return r.unjudged(ctx, req, err)
	}
	// Objects that are generated a name get it after admission.
	object.SetNamespace(req.Namespace)
	before, known := r.before(req)
	if object.GetDeletionTimestamp() != nil || known && !r.changed(before, object) {
		return admission.Allowed("")
	}
	problems, warnings := r.judge(ctx, object)
	if known && r.compare != nil {
		warnings = append(warnings, r.compare(before, object)...)
	}
	if len(problems) == 0 {
		return admission.Allowed("").WithWarnings(warnings...)
	}
	refusal := apierrors.NewInvalid(schema.GroupKind{Group: v1alpha1.GroupVersion.Group, Kind: r.kind}, req.Name, problems).Status()
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &refusal}}.WithWarnings(warnings...)
}

// before is what an update changes, and whether it is one.
func (r reviewer[T]) before(req admission.Request) (T, bool) {
	before := r.empty()
	return before, req.Operation == admissionv1.Update && json.Unmarshal(req.OldObject.Raw, before) == nil
}

// changed says that there is something to judge. What is in the cluster already must not keep anybody from labelling it:
// it was let in by an older version, or while nobody answered.
func (r reviewer[T]) changed(before, object T) bool {
	return !equality.Semantic.DeepEqual(r.spec(before), r.spec(object))
}

// unjudged lets in what could not be judged, because of err. The reconciler will judge it.
func (r reviewer[T]) unjudged(ctx context.Context, req admission.Request, err error) admission.Response {
	ctrl.LoggerFrom(ctx).Error(err, "cannot judge at admission", "kind", r.kind, "namespace", req.Namespace, "name", req.Name)
	return admission.Allowed("").WithWarnings(fmt.Sprintf("Hearth could not check this %s at admission; its status will say whether it is right", r.kind))
}
