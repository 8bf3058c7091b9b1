package collector

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strconv"
)

// A filter decides by name which devices, mount points or types are left out.
type filter struct{ include, exclude *regexp.Regexp }

func (f filter) drops(name string) bool {
	return f.exclude != nil && f.exclude.MatchString(name) || f.include != nil && !f.include.MatchString(name)
}

// filterFlags are the two flags of a filter. They exclude each other, but an include on its own also overrides the
// default exclude: who asks for loop devices means it.
type filterFlags struct {
	name             string
	include, exclude string
	excludeGiven     bool
}

// ofContainers are the interfaces that a network plugin makes for each container, on the host's side: by the thousand on a
// busy node, under names that no one asks for, and gone with the container. In turn: the kernel's own name, Calico, Cilium,
// GKE, Azure, AWS.
const ofContainers = `^(veth.+|cali[0-9a-f]+|lxc([0-9a-f]{6,}|_health)|gke[0-9a-f]{6,}|azv[0-9a-f]{6,}|eni[0-9a-f]{6,})$`

// declareFilter adds --collector.NAME-include and --collector.NAME-exclude.
func declareFilter(flags *flag.FlagSet, name, what, exclude string) *filterFlags {
	f := &filterFlags{name: "collector." + name, exclude: exclude}
	flags.StringVar(&f.include, f.name+"-include", "", "Regexp of "+what+" to include (mutually exclusive to "+name+"-exclude).")
	flags.Var((*excludeFlag)(f), f.name+"-exclude", "Regexp of "+what+" to exclude (mutually exclusive to "+name+"-include).")
	return f
}

// old declares what the two flags were once called.
func (f *filterFlags) old(flags *flag.FlagSet, include, exclude string) {
	if include != "" {
		flags.StringVar(&f.include, "collector."+include, "", "")
	}
	flags.Var((*excludeFlag)(f), "collector."+exclude, "")
}

func (f *filterFlags) compile() (filter, error) {
	exclude := f.exclude
	if f.include != "" {
		if f.excludeGiven && exclude != "" {
			return filter{}, fmt.Errorf("--%s-include and --%s-exclude are mutually exclusive: give one", f.name, f.name)
		}
		exclude = ""
	}
	var out filter
	var err error
	if out.include, err = compile(f.name+"-include", f.include); err != nil {
		return filter{}, err
	}
	if out.exclude, err = compile(f.name+"-exclude", exclude); err != nil {
		return filter{}, err
	}
	return out, nil
}

func compile(name, expr string) (*regexp.Regexp, error) {
	if expr == "" {
		return nil, nil
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", name, err)
	}
	return re, nil
}

type excludeFlag filterFlags

func (e *excludeFlag) String() string { return e.exclude }

func (e *excludeFlag) Set(s string) error {
	e.exclude, e.excludeGiven = s, true
	return nil
}

// A tally counts what a collector's filters left out in one run, which node_scrape_collector_left_out says.
type tally struct{ left int }

func (t *tally) leftOut() int { return t.left }

// refuse declares switches of node_exporter's that we can't follow: who turns one on is told why, and not that there is no
// such flag.
func refuse(flags *flag.FlagSet, why string, names ...string) {
	for _, name := range names {
		flags.Var(refused(why), "collector."+name, "")
	}
}

// refused is a switch that stays off, for the reason that it is.
type refused string

func (r refused) String() string   { return "false" }
func (r refused) IsBoolFlag() bool { return true }

func (r refused) Set(s string) error {
	if on, err := strconv.ParseBool(s); err != nil || on {
		return errors.New(string(r))
	}
	return nil
}

// ignore declares flags of node_exporter's that choose between two ways to the same samples, where we have one.
func ignore(flags *flag.FlagSet, value bool, why string, names ...string) {
	for _, name := range names {
		flags.Bool("collector."+name, value, "Without effect: "+why)
	}
}
