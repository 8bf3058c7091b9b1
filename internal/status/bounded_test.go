package status

import (
	"fmt"
	"testing"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// However many jobs are down, what a NodeExporter's status is made from is there.
func TestJobsOfNodeExportersStay(t *testing.T) {
	t.Parallel()
	for _, exporters := range []int{0, 1, 3, 100, 130} {
		jobs := map[string]*v1alpha1.JobStatus{}
		for i := range 1000 {
			name := fmt.Sprintf("serviceMonitor/shop/%04d/0", i)
			jobs[name] = &v1alpha1.JobStatus{Name: name, Down: 1}
		}
		for i := range exporters {
			name := fmt.Sprintf("nodeExporter/node-exporter/%04d", i)
			jobs[name] = &v1alpha1.JobStatus{Name: name, Up: 5}
		}
		got, kept := targets(jobs), 0
		for _, j := range got.Jobs {
			if j.Up == 5 {
				kept++
			}
		}
		if want := min(exporters, maxJobs); len(got.Jobs) != maxJobs || kept != want {
			t.Errorf("%d jobs with %d of NodeExporters, want %d with %d", len(got.Jobs), kept, maxJobs, want)
		}
		if want := fmt.Sprintf("%d/%d", 5*exporters, 1000+5*exporters); got.Summary != want {
			t.Errorf("summary %s, want %s", got.Summary, want)
		}
	}
}
