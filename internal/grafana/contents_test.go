package grafana_test

import (
	"strings"
	"testing"

	"github.com/hearth-monitoring/hearth/internal/grafana"
)

// TestUIDs: servers that share a Grafana never have the same one, and none is longer than Grafana takes.
func TestUIDs(t *testing.T) {
	long := strings.Repeat("n", 63)
	seen := map[string]string{}
	for _, server := range [][2]string{{"a", "b-c"}, {"a-b", "c"}, {"monitoring", "main"}, {long, "main"}, {long, "other"}, {long[:62], "nmain"}} {
		for _, kind := range []string{grafana.TypePrometheus, grafana.TypeAlertmanager} {
			uid := grafana.DatasourceUID(kind, server[0], server[1], false)
			if other, taken := seen[uid]; taken || len(uid) > 40 || uid == "" {
				t.Errorf("%v has %q, %d characters, as has %s", server, uid, len(uid), other)
			}
			seen[uid] = strings.Join(server[:], "/")
		}
	}
	if got := grafana.DatasourceUID(grafana.TypePrometheus, "monitoring", "main", false); got != "prometheus_monitoring_main" {
		t.Errorf("got %s", got)
	}
	if got := grafana.DatasourceUID(grafana.TypeAlertmanager, long, "main", true); got != "alertmanager" {
		t.Errorf("the default is %s", got)
	}
}

func TestFolderUIDs(t *testing.T) {
	for title, want := range map[string]string{
		"Hearth": "hearth", "Hearth: nodes": "hearth-nodes", "Kubernetes": "hearth-kubernetes", " Ä / B ": "hearth-b",
	} {
		if got := grafana.FolderUID(title); got != want {
			t.Errorf("%q: got %s, want %s", title, got, want)
		}
	}
	if got := grafana.FolderUID(strings.Repeat("long ", 20)); len(got) > 40 {
		t.Errorf("%s has %d characters", got, len(got))
	}
}
