package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const managedBy = "app.kubernetes.io/managed-by"

type (
	kind = schema.GroupVersionKind
	// objects are by kind and name.
	objects = map[string]*unstructured.Unstructured
)

// childKinds are the kinds of which Hearth makes objects.
var childKinds = []kind{
	{Version: "v1", Kind: "ServiceAccount"},
	{Version: "v1", Kind: "ConfigMap"},
	{Version: "v1", Kind: "Service"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
	{Group: "apps", Version: "v1", Kind: "StatefulSet"},
	{Group: "apps", Version: "v1", Kind: "DaemonSet"},
	{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
}

// otherKinds are those of which others make objects for Hearth's, with the same labels.
var otherKinds = []kind{
	{Version: "v1", Kind: "Pod"},
	{Version: "v1", Kind: "PersistentVolumeClaim"},
	{Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice"},
	{Group: "apps", Version: "v1", Kind: "ControllerRevision"},
}

var ownKinds = []kind{
	{Group: "monitoring.hearth.dev", Version: "v1alpha1", Kind: "PrometheusServer"},
	{Group: "monitoring.hearth.dev", Version: "v1alpha1", Kind: "NodeExporter"},
	{Group: "monitoring.hearth.dev", Version: "v1alpha1", Kind: "AlertRule"},
}

// list returns what there is of some kinds on this ground, by kind and name.
func (g *ground) list(kinds []kind, options ...client.ListOption) (objects, error) {
	out := objects{}
	for _, namespace := range []string{g.servers, g.nodes} {
		for _, k := range kinds {
			var list unstructured.UnstructuredList
			list.SetGroupVersionKind(k)
			if err := kube.api.List(g.t.Context(), &list, append(options, client.InNamespace(namespace))...); err != nil {
				return nil, fmt.Errorf("list %s: %w", k.Kind, err)
			}
			for i := range list.Items {
				o := &list.Items[i]
				// The API gives the elements of some lists no kind.
				o.SetGroupVersionKind(k)
				out[k.Kind+"/"+o.GetName()] = o
			}
		}
	}
	return out, nil
}

// children are the objects that Hearth made on this ground.
func (g *ground) children() objects {
	g.t.Helper()
	out, err := g.list(childKinds, client.MatchingLabels{managedBy: "hearth"})
	must(g.t, err)
	return out
}

// versions are the resourceVersions of objects.
func versions(objects objects) map[string]string {
	out := map[string]string{}
	for name, o := range objects {
		out[name] = o.GetResourceVersion()
	}
	return out
}

// shape is what was declared of an object: without its identity, what its controller says, and addresses that the cluster
// gave it.
func shape(o *unstructured.Unstructured) map[string]any {
	out := o.DeepCopy()
	for _, field := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "namespace", "name"} {
		unstructured.RemoveNestedField(out.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(out.Object, "status")
	// The StatefulSet controller's own note, and addresses.
	annotations := out.GetAnnotations()
	for name := range annotations {
		if strings.HasPrefix(name, "deprecated.daemonset") {
			delete(annotations, name)
		}
	}
	out.SetAnnotations(annotations)
	if ip, _, _ := unstructured.NestedString(out.Object, "spec", "clusterIP"); ip != "None" {
		unstructured.RemoveNestedField(out.Object, "spec", "clusterIP")
		unstructured.RemoveNestedField(out.Object, "spec", "clusterIPs")
	}
	return out.Object
}

// manager returns who wrote an object last, and what, for messages.
func manager(o *unstructured.Unstructured) string {
	entries := o.GetManagedFields()
	if len(entries) == 0 {
		return "nobody"
	}
	last := entries[0]
	for _, e := range entries {
		if e.Time != nil && (last.Time == nil || e.Time.After(last.Time.Time)) {
			last = e
		}
	}
	fields := ""
	if last.FieldsV1 != nil {
		raw, _ := json.Marshal(last.FieldsV1)
		fields = string(raw)
	}
	return fmt.Sprintf("%s %s %s", last.Manager, last.Operation, fields)
}

// names are the keys, sorted.
func names(objects objects) []string {
	var out []string
	for name := range objects {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// kindsOf says how many of each kind there are.
func kindsOf(t *testing.T, objects objects) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, o := range objects {
		out[o.GetKind()]++
	}
	return out
}
