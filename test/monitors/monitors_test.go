// Package monitors holds what ServiceMonitors, PodMonitors, Probes and ScrapeConfigs become to what prometheus-operator makes of them: both
// configurations are loaded by Prometheus' own loader and go through its own discovery, against a real API server, and its
// own relabelling. What has to be the same are the targets, their labels and how they are scraped.
//
// A case is a folder: monitors.yaml, what prometheus-operator generates for it (theirs.yaml) and the targets (targets.txt).
// make record-monitors runs prometheus-operator again; -update writes the targets that ours have.
package monitors

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/internal/monitors"
)

// wantCases is how many cases there are at least.
const wantCases = 97

var (
	update = flag.Bool("update", false, "write the targets that ours have")
	record = flag.String("record", "", "the program that generates prometheus-operator's configuration; its answers are written")
)

var differsLine = regexp.MustCompile(`(?m)^# differs: (.+)$`)

func TestTargetsArePrometheusOperators(t *testing.T) {
	w := theWorld(t)
	folders, err := filepath.Glob("testdata/cases/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(folders) < wantCases {
		t.Errorf("%d cases, want at least %d", len(folders), wantCases)
	}
	targets, differ := 0, 0
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			text := read(t, filepath.Join(folder, "monitors.yaml"))
			if *record != "" {
				recordTheirs(t, text, filepath.Join(folder, "theirs.yaml"))
			}
			ours, theirs := load(t, compile(t, text)), load(t, read(t, filepath.Join(folder, "theirs.yaml")))
			got, want := w.targets(t, ours), w.targets(t, theirs)
			difference := cmp.Diff(want, got) + cmp.Diff(settings(theirs), settings(ours))
			switch why := differsLine.FindSubmatch(text); {
			case why == nil && difference != "":
				t.Errorf("ours are not prometheus-operator's (-theirs +ours):\n%s", difference)
			case why != nil && difference == "":
				t.Errorf("both are the same, and the case says that they differ: %s", why[1])
			case why != nil:
				differ++
			}
			golden(t, filepath.Join(folder, "targets.txt"), got)
			targets += len(got)
		})
	}
	t.Logf("%d cases, %d targets; %d cases differ, as they say", len(folders), targets, differ)
	if targets < wantCases {
		t.Errorf("only %d targets in all: most cases find nothing", targets)
	}
}

// compile makes our configuration of the monitors in a text.
func compile(t *testing.T, text []byte) []byte {
	t.Helper()
	var jobs []monitors.Job
	for _, document := range documents(t, text) {
		var meta struct{ Kind string }
		if err := yaml.Unmarshal(document, &meta); err != nil {
			t.Fatal(err)
		}
		var made *monitors.Compiled
		switch meta.Kind {
		case monitoringv1.ServiceMonitorsKind:
			made = must(monitors.OfServiceMonitor(strict[monitoringv1.ServiceMonitor](t, document)))(t)
		case monitoringv1.PodMonitorsKind:
			made = must(monitors.OfPodMonitor(strict[monitoringv1.PodMonitor](t, document)))(t)
		case monitoringv1.ProbesKind:
			made = must(monitors.OfProbe(strict[monitoringv1.Probe](t, document)))(t)
		case monitoringv1alpha1.ScrapeConfigsKind:
			made = must(monitors.OfScrapeConfig(strict[monitoringv1alpha1.ScrapeConfig](t, document)))(t)
		default:
			continue
		}
		jobs = append(jobs, monitors.Placed(made.Jobs, func(d *monitors.Discovery) []string {
			if d.Within.Any {
				return nil
			}
			return d.Within.Names
		})...)
	}
	out, err := monitors.Text(jobs)
	if err != nil {
		t.Fatal(err)
	}
	own := func(string) monitors.Terms { return monitors.Terms{} }
	if err := monitors.Audit(out, own, func(string, string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	return append([]byte("global: {scrape_interval: 30s}\n"), out...)
}

func must[L interface{ ToAggregate() E }, E error](made *monitors.Compiled, errs L) func(*testing.T) *monitors.Compiled {
	return func(t *testing.T) *monitors.Compiled {
		t.Helper()
		if made == nil {
			t.Fatal(errs.ToAggregate())
		}
		return made
	}
}

func strict[T any](t *testing.T, document []byte) *T {
	t.Helper()
	out := new(T)
	if err := yaml.UnmarshalStrict(document, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func recordTheirs(t *testing.T, text []byte, file string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), *record)
	command.Stdin = bytes.NewReader(text)
	out, err := command.Output()
	if err != nil {
		if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
			t.Logf("%s", failed.Stderr)
		}
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out, 0o600); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, text []byte) []*config.ScrapeConfig {
	t.Helper()
	c, err := config.Load(string(text), promslog.NewNopLogger())
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	jobs, err := c.GetScrapeConfigs()
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(jobs, func(a, b *config.ScrapeConfig) int { return cmpJobs(a.JobName, b.JobName) })
	return jobs
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func golden(t *testing.T, file string, targets []string) {
	t.Helper()
	var text bytes.Buffer
	for _, target := range targets {
		text.WriteString(target + "\n")
	}
	if *update {
		if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, file)), text.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
