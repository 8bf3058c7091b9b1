package main

import (
	"flag"
	"slices"
	"testing"
)

func TestSplitLeavesKubectlItsFlags(t *testing.T) {
	for _, c := range []struct{ args, own, rest []string }{
		{[]string{"-n", "x", "get", "pods"}, nil, []string{"-n", "x", "get", "pods"}},
		{[]string{"--name", "t3", "get", "pods", "--name=y"}, []string{"--name", "t3"}, []string{"get", "pods", "--name=y"}},
		{[]string{"--name=t3", "--namespace=x", "get"}, []string{"--name=t3"}, []string{"--namespace=x", "get"}},
		{[]string{"--name", "t3"}, []string{"--name", "t3"}, nil},
	} {
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		flags.String("name", "", "")
		own, rest := split(flags, c.args)
		if !slices.Equal(own, c.own) || !slices.Equal(rest, c.rest) {
			t.Errorf("%q: got %q %q, want %q %q", c.args, own, rest, c.own, c.rest)
		}
	}
}
