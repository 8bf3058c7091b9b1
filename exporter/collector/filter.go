package collector

import (
	"flag"
	"fmt"
	"regexp"
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

// declareFilter adds --collector.NAME-include and --collector.NAME-exclude.
func declareFilter(flags *flag.FlagSet, name, what, exclude string) *filterFlags {
	f := &filterFlags{name: "collector." + name, exclude: exclude}
	flags.StringVar(&f.include, f.name+"-include", "", "Regexp of "+what+" to include (mutually exclusive to "+name+"-exclude).")
	flags.Var((*excludeFlag)(f), f.name+"-exclude", "Regexp of "+what+" to exclude (mutually exclusive to "+name+"-include).")
	return f
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
