package controllers

import (
	"fmt"
	"reflect"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// fields is live in the form in which configurations are compared.
func (c *child) fields() (map[string]any, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c.live)
	if err != nil {
		return nil, fmt.Errorf("convert live %s: %w", c, err)
	}
	// Typed clients leave these two out, or not, depending on the way an object came.
	fields["apiVersion"], fields["kind"] = c.gvk.ToAPIVersionAndKind()
	return fields, nil
}

// settled tells whether live is what was applied last, and applying again would change nothing. The hash sees what the
// owner no longer wants, which a comparison with the rest of live can't; the comparison sees what others changed.
func (c *child) settled(live map[string]any) bool {
	return c.live.GetAnnotations()[stack.AnnotationApplied] == c.hash && drift(c.config.Object, live) == ""
}

// drift returns the path of the first field of want that live does not have with the same value, or "". What live has
// beyond that was defaulted by the API or is somebody else's.
func drift(want, live any) string {
	switch want := want.(type) {
	case map[string]any:
		live, ok := live.(map[string]any)
		if !ok {
			return "."
		}
		return driftInMap(want, live)
	case []any:
		live, ok := live.([]any)
		if !ok {
			return "."
		}
		return driftInList(want, live, false)
	}
	// Both sides come from typed objects through the same converter: numbers have one type, quantities one spelling.
	if !reflect.DeepEqual(want, live) {
		return "."
	}
	return ""
}

func driftInMap(want, live map[string]any) string {
	names := make([]string, 0, len(want))
	for name := range want {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		have, ok := live[name]
		if !ok {
			return "." + name
		}
		if path := driftInField(name, want[name], have); path != "" {
			return strings.TrimSuffix("."+name+path, ".")
		}
	}
	return ""
}

func driftInField(name string, want, have any) string {
	if isAtomic(name) {
		if !reflect.DeepEqual(want, have) {
			return "."
		}
		return ""
	}
	if wantList, ok := want.([]any); ok {
		haveList, ok := have.([]any)
		if !ok {
			return "."
		}
		return driftInList(wantList, haveList, isShared(name))
	}
	return drift(want, have)
}

// isAtomic names the fields that are owned as a whole and not defaulted inside: whatever somebody added is drift, such as
// one more label in a Service's selector, or one more resource name in a rule of a Role.
func isAtomic(name string) bool {
	switch name {
	case "selector", "nodeSelector", "affinity", "tolerations", "rules":
		return true
	}
	return false
}

// isShared names the lists in which the API tells elements apart by a key, so that others may have elements of their own
// there. Every other list is owned as a whole.
func isShared(name string) bool {
	switch name {
	case "ownerReferences", "finalizers", "containers", "initContainers", "volumes", "env", "ports", "volumeMounts",
		"volumeDevices", "imagePullSecrets", "secrets", "topologySpreadConstraints", "hostAliases", "resourceClaims":
		return true
	}
	return false
}

func driftInList(want, live []any, shared bool) string {
	if len(want) == len(live) {
		path := ""
		for i := range want {
			if p := drift(want[i], live[i]); p != "" {
				path = strings.TrimSuffix(fmt.Sprintf("[%d]%s", i, p), ".")
				break
			}
		}
		if path == "" || !shared {
			return path
		}
	} else if !shared {
		return "."
	}
	for i := range want {
		if !anyHas(live, want[i]) {
			return fmt.Sprintf("[%d]", i)
		}
	}
	return ""
}

// anyHas finds want among the elements of a shared list. No key is needed: want has its key's fields, so no element with
// another key can have all that want has.
func anyHas(live []any, want any) bool {
	for _, have := range live {
		if drift(want, have) == "" {
			return true
		}
	}
	return false
}

// immutableFields can't be changed on an object of this kind that exists.
func immutableFields(kind string) [][]string {
	switch kind {
	case "StatefulSet":
		return [][]string{
			{"spec", "selector"}, {"spec", "serviceName"}, {"spec", "podManagementPolicy"}, {"spec", "volumeClaimTemplates"},
		}
	case "DaemonSet", "Deployment":
		return [][]string{{"spec", "selector"}}
	case "RoleBinding", "ClusterRoleBinding":
		return [][]string{{"roleRef"}}
	}
	return nil
}

// hasStrangers tells whether somebody gave a Service a port that was not declared. To the API it is theirs and stays, but
// it opens what nobody meant to open.
func (c *child) hasStrangers(live map[string]any) bool {
	if c.gvk.Kind != "Service" {
		return false
	}
	want, _, _ := unstructured.NestedSlice(c.config.Object, "spec", "ports")
	have, _, _ := unstructured.NestedSlice(live, "spec", "ports")
	return len(have) > len(want)
}

// immutableDrift returns the path of an immutable field in which live differs from what is wanted, or "". It sees what is
// wanted and different; for a field that is no longer wanted, the API's own refusal has to do.
func (c *child) immutableDrift(live map[string]any) string {
	if c.gvk.Kind == "Service" {
		// The API takes the change from "None" to an address it may choose and silently keeps "None".
		if isHeadless(c.config.Object) != isHeadless(live) {
			return ".spec.clusterIP"
		}
		return ""
	}
	for _, path := range immutableFields(c.gvk.Kind) {
		if c.differsAt(live, path...) {
			return "." + strings.Join(path, ".")
		}
	}
	return ""
}

func (c *child) differsAt(live map[string]any, path ...string) bool {
	want, ok, _ := unstructured.NestedFieldNoCopy(c.config.Object, path...)
	if !ok {
		return false
	}
	have, _, _ := unstructured.NestedFieldNoCopy(live, path...)
	return driftInField(path[len(path)-1], want, have) != ""
}

func isHeadless(service map[string]any) bool {
	ip, _, _ := unstructured.NestedString(service, "spec", "clusterIP")
	return ip == "None"
}
