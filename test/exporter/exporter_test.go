// Package exporter holds the operator and the exporter to each other. Neither imports the other; what the operator knows
// of the exporter's collectors, and what it writes for it, is true or false here.
package exporter

import (
	"flag"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/exporter/collector"
	"github.com/hearth-monitoring/hearth/exporter/settings"
	"github.com/hearth-monitoring/hearth/internal/manifests"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/stack/stacktest"
)

// unnamed are the collectors that the API doesn't offer: they need root.
var unnamed = []string{"slabinfo"}

func declare(t *testing.T, args ...string) (*flag.FlagSet, *collector.Options) {
	t.Helper()
	flags := flag.NewFlagSet("node_exporter", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	o := collector.Declare(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags, o
}

// TestCollectorsAreTheSame: what can be named in the API is what the exporter has, and is on by default where it says so.
func TestCollectorsAreTheSame(t *testing.T) {
	_, o := declare(t)
	have := map[v1alpha1.CollectorName]bool{}
	for _, name := range o.Names() {
		if !slices.Contains(unnamed, name) {
			have[v1alpha1.CollectorName(name)] = o.ByDefault(name)
		}
	}
	if diff := cmp.Diff(have, stack.Collectors()); diff != "" {
		t.Errorf("what internal/stack knows (-exporter +stack):\n%s", diff)
	}
	text, err := os.ReadFile("../../config/crd/monitoring.hearth.dev_nodeexporters.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	collectors := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["collectors"]
	for _, list := range []string{"enable", "disable"} {
		var names []v1alpha1.CollectorName
		for _, v := range collectors.Properties[list].Items.Schema.Enum {
			names = append(names, v1alpha1.CollectorName(strings.Trim(string(v.Raw), `"`)))
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(have)), names); diff != "" {
			t.Errorf("what can be named in %s (-exporter +API):\n%s", list, diff)
		}
	}
	doc := collectors.Properties["enable"].Description
	for name, byDefault := range have {
		if !byDefault && !strings.Contains(doc, string(name)) {
			t.Errorf("kubectl explain nodeexporter.spec.collectors.enable does not name %s", name)
		}
	}
}

// TestTheExporterTakesTheConfiguration: each file that the cases of internal/manifests come to is one that the exporter
// starts with, and the collectors that then run are those that the declaration means.
func TestTheExporterTakesTheConfiguration(t *testing.T) {
	inputs, err := filepath.Glob("../../internal/manifests/testdata/*/in.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, in := range inputs {
		text, err := os.ReadFile(in)
		if err != nil {
			t.Fatal(err)
		}
		declared, err := stacktest.Read(os.DirFS("../../config/crd"), text)
		if err != nil {
			t.Fatal(err)
		}
		for i := range declared.NodeExporters {
			e, errs := stack.ResolveExporter(declared.ExporterInputs(&declared.NodeExporters[i]))
			if len(errs) > 0 {
				t.Fatal(errs.ToAggregate())
			}
			objects, err := manifests.Exporter(e)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range objects {
				if config, ok := o.(*corev1.ConfigMap); ok {
					files++
					takes(t, in, e, config)
				}
			}
		}
	}
	if files < 8 {
		t.Errorf("only %d files", files)
	}
}

func takes(t *testing.T, in string, e *stack.Exporter, config *corev1.ConfigMap) {
	t.Helper()
	flags, o := declare(t)
	text := config.Data[manifests.ExporterConfigKey]
	if err := settings.Apply(flags, o.Names(), []byte(text)); err != nil {
		t.Errorf("%s: %s: %v\n%s", in, config.Name, err, text)
		return
	}
	set, err := o.New(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Errorf("%s: %s: %v\n%s", in, config.Name, err, text)
		return
	}
	for _, pool := range e.Pools {
		if pool.DaemonSet != config.Name {
			continue
		}
		want := running(pool.Collectors)
		if diff := cmp.Diff(want, set.Names()); diff != "" {
			t.Errorf("%s: pool %s runs (-declared +exporter):\n%s", in, pool.Name, diff)
		}
	}
}

// running are the collectors that a declaration means.
func running(c v1alpha1.Collectors) []string {
	var out []string
	for name, byDefault := range stack.Collectors() {
		if slices.Contains(c.Enable, name) || byDefault && !c.DisableDefaults && !slices.Contains(c.Disable, name) {
			out = append(out, string(name))
		}
	}
	slices.Sort(out)
	return out
}

// TestAccess runs each collector on a host of which only what stack.AccessOf names is there, and on all of it: it must say
// the same.
func TestAccess(t *testing.T) {
	host, err := filepath.Abs("../../exporter/collector/testdata/host")
	if err != nil {
		t.Fatal(err)
	}
	needed := stack.Access{}
	for name := range stack.Collectors() {
		t.Run(string(name), func(t *testing.T) {
			access := stack.AccessOf(v1alpha1.Collectors{DisableDefaults: true, Enable: []v1alpha1.CollectorName{name}})
			empty := t.TempDir()
			at := func(there bool, path string) string {
				if there {
					return filepath.Join(host, path)
				}
				return empty
			}
			all := scrape(t, string(name), filepath.Join(host, "sys"), filepath.Join(host, "root"), filepath.Join(host, "udev"))
			some := scrape(t, string(name), at(access.Sys, "sys"), at(access.Root, "root"), at(access.Udev, "udev"))
			if diff := cmp.Diff(all, some); diff != "" {
				t.Errorf("it reads more than %+v (-with all +with that):\n%s", access, diff)
			}
			needed.Sys, needed.Root, needed.Udev = needed.Sys || access.Sys, needed.Root || access.Root, needed.Udev || access.Udev
		})
	}
	if needed != (stack.Access{Sys: true, Root: true, Udev: true}) {
		t.Errorf("nothing needs some of %+v: the test shows nothing", needed)
	}
}

// scrape is what one collector says, sorted, without what differs each time.
func scrape(t *testing.T, name, sys, root, udev string) []string {
	t.Helper()
	_, o := declare(t, "--collector.disable-defaults", "--collector."+name, "--collector.timeout=30s",
		"--path.procfs=../../exporter/collector/testdata/host/proc", "--path.sysfs="+sys, "--path.rootfs="+root, "--path.udev.data="+udev)
	set, err := o.New(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(set.Run([]string{name}, 0).AppendTo(nil))) {
		changing := slices.ContainsFunc([]string{"node_scrape_collector_duration_seconds", "node_time_seconds", "node_timex", "node_filesystem_avail",
			"node_filesystem_free", "node_filesystem_files"}, func(p string) bool { return strings.HasPrefix(line, p) })
		if !changing {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}
