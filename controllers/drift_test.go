package controllers

import (
	"testing"

	"sigs.k8s.io/yaml"
)

func TestDrift(t *testing.T) {
	for name, test := range map[string]struct{ want, live, path string }{
		"equal":                              {`{a: 1, b: [x]}`, `{a: 1, b: [x]}`, ""},
		"more in a map":                      {`{a: {b: 1}}`, `{a: {b: 1, c: 2}, d: 3}`, ""},
		"missing":                            {`{a: {b: 1}}`, `{a: {}}`, ".a.b"},
		"changed":                            {`{a: {b: 1}}`, `{a: {b: 2}}`, ".a.b"},
		"another type":                       {`{a: {b: 1}}`, `{a: [b]}`, ".a"},
		"empty but set":                      {`{emptyDir: {}}`, `{}`, ".emptyDir"},
		"null in live":                       {`{a: {}}`, `{a: null}`, ".a"},
		"more in an atomic list":             {`{args: [a]}`, `{args: [a, b]}`, ".args"},
		"another order in an atomic list":    {`{args: [a, b]}`, `{args: [b, a]}`, ".args[0]"},
		"defaults in an atomic list":         {`{items: [{key: a}]}`, `{items: [{key: a, mode: 1}]}`, ""},
		"somebody's element in a list":       {`{env: [{name: A, value: a}]}`, `{env: [{name: B}, {name: A, value: a}]}`, ""},
		"own element lost":                   {`{env: [{name: A}, {name: B}]}`, `{env: [{name: A}]}`, ".env[1]"},
		"own element changed":                {`{env: [{name: A, value: a}]}`, `{env: [{name: B}, {name: A, value: b}]}`, ".env[0]"},
		"another order in a shared list":     {`{ports: [{port: 1}, {port: 2}]}`, `{ports: [{port: 2}, {port: 1}]}`, ""},
		"own element replaced":               {`{ports: [{port: 1}]}`, `{ports: [{port: 2}]}`, ".ports[0]"},
		"somebody's key in a selector":       {`{spec: {selector: {app: a}}}`, `{spec: {selector: {app: a, b: c}}}`, ".spec.selector"},
		"somebody's verb in a rule":          {`{rules: [{verbs: [get]}]}`, `{rules: [{verbs: [get, list]}]}`, ".rules"},
		"somebody's resource name in a rule": {`{rules: [{verbs: [get]}]}`, `{rules: [{verbs: [get], resourceNames: [a]}]}`, ".rules"},
	} {
		t.Run(name, func(t *testing.T) {
			var want, live map[string]any
			must(t, yaml.Unmarshal([]byte(test.want), &want))
			must(t, yaml.Unmarshal([]byte(test.live), &live))
			if got := drift(want, live); got != test.path {
				t.Errorf("drift at %q, want %q", got, test.path)
			}
		})
	}
}
