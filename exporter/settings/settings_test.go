package settings_test

import (
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/exporter/collector"
	"github.com/hearth-monitoring/hearth/exporter/settings"
)

// flags are the exporter's own, with a command line.
func flags(t *testing.T, args ...string) (*flag.FlagSet, []string) {
	t.Helper()
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	names := collector.Declare(fs).Names()
	fs.BoolFunc("no-collector.uname", "", func(string) error { return fs.Lookup("collector.uname").Value.Set("false") })
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return fs, names
}

func TestApply(t *testing.T) {
	fs, names := flags(t, "--collector.cpu.info")
	err := settings.Apply(fs, names, []byte(`# all kinds of settings
collectors:
  timeout: 2s
  disable-defaults: true
  cpu: {enabled: true, guest: no-anchor}
`))
	if err == nil || !strings.Contains(err.Error(), `line 5: collectors.cpu.guest: true or false is wanted, not "no-anchor"`) {
		t.Errorf("error %v", err)
	}
	fs, names = flags(t, "--collector.cpu.info")
	err = settings.Apply(fs, names, []byte(`
collectors:
  timeout: 2s
  disable-defaults: true
  cpu: {enabled: true, guest: false}
  uname: {enabled: false}
  netdev: {device-exclude: "^veth.*$"}
  filesystem:
    mount-timeout: 1500ms
    fs-types-include: ^(xfs|ext4)$
  textfile: {directory: [/a, /b]}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	fs.Visit(func(f *flag.Flag) { got[f.Name] = f.Value.String() })
	want := map[string]string{
		"collector.timeout": "2s", "collector.disable-defaults": "true", "collector.cpu": "true", "collector.cpu.guest": "false",
		"collector.cpu.info": "true", "collector.uname": "false", "collector.netdev.device-exclude": "^veth.*$",
		"collector.filesystem.mount-timeout": "1.5s", "collector.filesystem.fs-types-include": "^(xfs|ext4)$",
		"collector.textfile.directory": "/a,/b",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestNothingToSet: a file that sets nothing is one that may be.
func TestNothingToSet(t *testing.T) {
	for _, text := range []string{"", "# later\n", "---\n", "{}", "collectors: {}", "collectors:\n  cpu: {}\n"} {
		fs, names := flags(t)
		if err := settings.Apply(fs, names, []byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for text, want := range map[string]string{
		"colectors: {}":                                                 "line 1: colectors: is not known; the nearest that is: collectors",
		"collectors:\n  filesystm: {}":                                  "line 2: collectors.filesystm: is not known; the nearest that is: collectors.filesystem",
		"collectors:\n  netdev:\n    device-excludes: a":                "line 3: collectors.netdev.device-excludes: is not known; the nearest that is: collectors.netdev.device-exclude",
		"collectors:\n  cpu: {enable: true}":                            "line 2: collectors.cpu.enable: is not known; the nearest that is: collectors.cpu.enabled",
		"collectors: {web.listen-address: x}":                           "is not known",
		"collectors:\n  cpu: false":                                     "line 2: collectors.cpu: settings are wanted here",
		"- a":                                                           "line 1: settings are wanted here",
		"collectors:\n  cpu: {enabled: 1}":                              "line 2: collectors.cpu.enabled: true or false is wanted",
		"collectors:\n  timeout: soon":                                  `line 2: collectors.timeout: "soon"`,
		"collectors:\n  timeout:":                                       "line 2: collectors.timeout: a value is wanted",
		"collectors:\n  timeout: [1s]":                                  "line 2: collectors.timeout: a value is wanted",
		"collectors:\n  cpu: {}\n  cpu: {}":                             "line 3: collectors.cpu: is there twice",
		"collectors:\n  stat: {enabled: false}":                         "line 2: collectors.stat.enabled: is set by --collector.stat already",
		"collectors:\n  uname: {enabled: false}":                        "line 2: collectors.uname.enabled: is set by --collector.uname already",
		"collectors: {}\n---\ncollectors: {}":                           "second document",
		"collectors:\n\ttimeout: 1s":                                    "line 2",
		"a: &a {timeout: 1s}\ncollectors: *a":                           "line 1: a: is not known",
		"collectors:\n  netdev: &n {device-include: a}\n  netclass: *n": "line 3: collectors.netclass: settings are wanted here",
	} {
		fs, names := flags(t, "--collector.stat", "--no-collector.uname")
		if err := settings.Apply(fs, names, []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nerror %v\nwant  %s", text, err, want)
		}
	}
}

// TestEverySettingIsAFlag: each flag of a collector can be said in the file, and means the same.
func TestEverySettingIsAFlag(t *testing.T) {
	all, names := flags(t)
	n := 0
	all.VisitAll(func(f *flag.Flag) {
		path, ok := strings.CutPrefix(f.Name, "collector.")
		if !ok {
			return
		}
		n++
		for _, name := range names {
			if path == name {
				path += ".enabled"
			}
		}
		value := f.DefValue
		if value == "" {
			value = "x"
		}
		group, setting, ok := strings.Cut(path, ".")
		text := "collectors: {" + group + ": '" + value + "'}"
		if ok {
			text = "collectors: {" + group + ": {" + setting + ": '" + value + "'}}"
		}
		if value == "true" || value == "false" {
			text = strings.ReplaceAll(text, "'", "")
		}
		fs, names := flags(t)
		if err := settings.Apply(fs, names, []byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		if got := fs.Lookup(f.Name).Value.String(); got != value {
			t.Errorf("%s: --%s is %q", text, f.Name, got)
		}
	})
	if n < 60 {
		t.Errorf("%d flags are too few to be all", n)
	}
}
