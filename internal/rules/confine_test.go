package rules_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/rules"
)

var shop = rules.Home{Label: "namespace", Namespace: "shop"}

// confined is what becomes of a spec, or its problems.
func confined(t *testing.T, spec string) (v1alpha1.AlertRuleSpec, []string) {
	t.Helper()
	judged := rules.Judge(alertRule(t, spec))
	if judged.Problem() != "" {
		t.Fatalf("%s: %s", spec, judged.Problem())
	}
	text, problems := rules.Confined(judged.File.Text, shop)
	var out v1alpha1.AlertRuleSpec
	if len(problems) > 0 {
		if text != nil {
			t.Error("it is refused and still becomes something")
		}
		return out, problems
	}
	if err := rules.CheckConfined(text, shop); err != nil {
		t.Errorf("the walker says %v of\n%s", err, text)
	}
	if again, problems := rules.Confined(text, shop); string(again) != string(text) || len(problems) > 0 {
		t.Errorf("what is confined becomes another text: %v\n%s", problems, cmp.Diff(string(text), string(again)))
	}
	load(t, text)
	if rules.CountIn(text) != judged.File.Rules {
		t.Errorf("%d rules, want %d", rules.CountIn(text), judged.File.Rules)
	}
	if err := yaml.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out, nil
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// TestConfinedExpressions: every selector asks for the namespace's own series, wherever it is, and for no others.
func TestConfinedExpressions(t *testing.T) {
	for expr, want := range map[string]string{
		`up`:                                         `up{namespace="shop"}`,
		`vector(1)`:                                  `vector(1)`,
		`up{job="a"} == 0`:                           `up{job="a",namespace="shop"} == 0`,
		`{__name__=~"a.+"}`:                          `{__name__=~"a.+",namespace="shop"}`,
		`{__name__="up"}`:                            `{__name__="up",namespace="shop"}`,
		`{"up"}`:                                     `{__name__="up",namespace="shop"}`,
		`{"utf.8", "a.b"="c"}`:                       `{"a.b"="c",__name__="utf.8",namespace="shop"}`,
		`up{namespace="shop"}`:                       `up{namespace="shop"}`,
		`up{namespace="bank"}`:                       `up{namespace="bank",namespace="shop"}`,
		`up{namespace!="shop"}`:                      `up{namespace!="shop",namespace="shop"}`,
		`up{namespace=~".*"}`:                        `up{namespace="shop",namespace=~".*"}`,
		`up{namespace=""}`:                           `up{namespace="",namespace="shop"}`,
		`up{job="a" or namespace="bank"}`:            ``,
		`absent(up{job="a"})`:                        `absent(up{job="a",namespace="shop"})`,
		`absent_over_time(up[5m])`:                   `absent_over_time(up{namespace="shop"}[5m])`,
		`max_over_time(rate(a[1m])[1h:5m])`:          `max_over_time(rate(a{namespace="shop"}[1m])[1h:5m])`,
		`a offset 5m @ 10`:                           `a{namespace="shop"} @ 10.000 offset 5m`,
		`a @ start() and on() b @ end()`:             `a{namespace="shop"} @ start() and on () b{namespace="shop"} @ end()`,
		`a * on(pod) group_left(node) b`:             `a{namespace="shop"} * on (pod) group_left (node) b{namespace="shop"}`,
		`sum by (namespace) (a) / scalar(b)`:         `sum by (namespace) (a{namespace="shop"}) / scalar(b{namespace="shop"})`,
		`label_replace(a, "b", "$1\"", "c", "(.*)")`: `label_replace(a{namespace="shop"}, "b", "$1\"", "c", "(.*)")`,
		`-a ^ 0x1F + 1e3 > bool Inf # comment`:       `-a{namespace="shop"} ^ 31 + 1000 > bool +Inf`,
		`count_values("namespace", a)`:               `count_values("namespace", a{namespace="shop"})`,
		`topk(3, ALERTS{alertstate="firing"})`:       `topk(3, ALERTS{alertstate="firing",namespace="shop"})`,
	} {
		spec := "groups: [{name: g, rules: [{record: 'a:b', expr: " + quote(expr) + "}]}]"
		if want == "" { // PromQL has no such thing
			if rules.Judge(alertRule(t, spec)).Problem() == "" {
				t.Errorf("%s can be parsed", expr)
			}
			continue
		}
		out, problems := confined(t, spec)
		if len(problems) > 0 {
			t.Errorf("%s: %q", expr, problems)
			continue
		}
		if got := string(out.Groups[0].Rules[0].Expr); got != want {
			t.Errorf("of  %s\ngot  %s\nwant %s", expr, got, want)
		}
	}
}

// TestConfinedLabels: whatever a spec says of the label, or what of it an expression returns, each rule has its namespace.
func TestConfinedLabels(t *testing.T) {
	for _, spec := range []string{
		"groups: [{name: g, rules: [{record: 'a:b', expr: up}, {alert: A, expr: up}]}]",
		"groups: [{name: g, labels: {namespace: bank, team: x}, rules: [{record: 'a:b', expr: up}]}]",
		"groups: [{name: g, rules: [{record: 'a:b', expr: up, labels: {namespace: bank}}, {alert: A, expr: up, labels: {namespace: ''}}]}]",
		"groups: [{name: g, rules: [{alert: A, expr: up, labels: {namespace: bank}}, {alert: B, expr: up, labels: {namespace: '{{ $labels.owner }}'}}]}]",
		"groups: [{name: g, rules: [{record: 'a:b', expr: 'label_replace(up, \"namespace\", \"bank\", \"\", \"\")'}]}]",
	} {
		out, problems := confined(t, spec)
		if len(problems) > 0 {
			t.Errorf("%s: %q", spec, problems)
			continue
		}
		text, err := yaml.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range load(t, text) {
			for _, series := range outcome(t, group) {
				if !strings.HasPrefix(series, "sample") && !strings.HasPrefix(series, "alert") {
					continue
				}
				if !strings.Contains(series, `namespace="shop"`) || strings.Contains(series, `namespace="bank"`) {
					t.Errorf("%s makes %s", spec, series)
				}
			}
		}
	}
}

// TestConfinedTemplates: what a template asks is confined too, and what can't be known before is refused.
func TestConfinedTemplates(t *testing.T) {
	for text, want := range map[string]string{
		`plain`: `plain`,
		`{{ $labels.query }} {{ $value | humanize }} query "up"`:                             `{{ $labels.query }} {{ $value | humanize }} query "up"`,
		`{{ with query "up" }}{{ . | first | value }}{{ end }}`:                              `{{ with query "up{namespace=\"shop\"}" }}{{ . | first | value }}{{ end }}`,
		"{{ range query `up{a=\"b\"}` }}{{ .Labels.a }}{{ else }}{{ query \"a\" }}{{ end }}": "{{ range query \"up{a=\\\"b\\\",namespace=\\\"shop\\\"}\" }}{{ .Labels.a }}{{ else }}{{ query \"a{namespace=\\\"shop\\\"}\" }}{{ end }}",
		`{{ (query "up" | first).Labels.a }}{{- if query "b" -}} ü {{- end }}`:               `{{ (query "up{namespace=\"shop\"}" | first).Labels.a }}{{- if query "b{namespace=\"shop\"}" -}} ü {{- end }}`,
		`{{ define "x" }}{{ query "a" }}{{ end }}{{ template "x" query "b" }}`:               `{{ define "x" }}{{ query "a{namespace=\"shop\"}" }}{{ end }}{{ template "x" query "b{namespace=\"shop\"}" }}`,
		`{{ query "up{namespace=\"bank\"}" | first | value }}`:                               `{{ query "up{namespace=\"bank\",namespace=\"shop\"}" | first | value }}`,
		`{{ $q := query "up" }}{{ len $q }}`:                                                 `{{ $q := query "up{namespace=\"shop\"}" }}{{ len $q }}`,

		`{{ printf "up{pod=\"%s\"}" $labels.pod | query }}`: "",
		`{{ "up" | query }}`:                                            "",
		`{{ query (printf "up") }}`:                                     "",
		`{{ $q := "up" }}{{ query $q }}`:                                "",
		`{{ query $labels.q }}`:                                         "",
		`{{ query .Labels.q }}`:                                         "",
		`{{ call query "up" }}`:                                         "",
		`{{ query "up" | first | query }}`:                              "",
		`{{ if and true (query $value) }}{{ end }}`:                     "",
		`{{ define "x" }}{{ query . }}{{ end }}{{ template "x" "up" }}`: "",
		`{{ query "up{" }}`:                                             "",
	} {
		for _, place := range []string{"annotations: {a: TEXT}", "labels: {a: TEXT}"} {
			rule := strings.Replace(place, "TEXT", quote(text), 1)
			out, problems := confined(t, "groups: [{name: g, rules: [{alert: A, expr: up, "+rule+"}, {record: 'a:b', expr: up}]}]")
			if want == "" {
				if len(problems) != 1 || !strings.HasPrefix(problems[0], "spec.groups[g].rules[0] (A)."+place[:strings.Index(place, ":")]+".a: ") {
					t.Errorf("%s is refused with %q", text, problems)
				}
				continue
			}
			if len(problems) > 0 {
				t.Errorf("%s: %q", text, problems)
				continue
			}
			r := out.Groups[0].Rules[0]
			if got := r.Labels["a"] + r.Annotations["a"]; got != want {
				t.Errorf("of   %s\ngot  %s\nwant %s", text, got, want)
			}
		}
	}
	if _, problems := confined(t, `groups: [{name: g, labels: {a: '{{ query $labels.q }}'}, rules: [{alert: A, expr: up}, {record: 'a:b', expr: up}]}]`); len(problems) != 1 ||
		!strings.HasPrefix(problems[0], "spec.groups[g].labels.a: ") {
		t.Errorf("a group's label is refused with %q", problems)
	}
}

// TestCheckConfined shows that the walker over rule files sees each way out.
func TestCheckConfined(t *testing.T) {
	judged := rules.Judge(alertRule(t, `groups: [{name: g, rules: [{alert: A, expr: 'up / b', annotations: {a: '{{ query "up" }}'}}, {record: 'a:b', expr: up}]}]`))
	text, problems := rules.Confined(judged.File.Text, shop)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for name, c := range map[string]struct{ from, to string }{
		"not confined":         {string(text), string(judged.File.Text)},
		"a selector":           {`b{namespace="shop"}`, `b`},
		"another value":        {`b{namespace="shop"}`, `b{namespace="bank"}`},
		"a pattern":            {`b{namespace="shop"}`, `b{namespace=~"shop|bank"}`},
		"a template":           {`query "up{namespace=\"shop\"}"`, `query "up"`},
		"a computed query":     {`query "up{namespace=\"shop\"}"`, `query $value`},
		"the group's label":    {"    namespace: shop", "    namespace: bank"},
		"no label":             {"    namespace: shop\n", "    a: b\n"},
		"a rule's own label":   {"record: a:b", "record: a:b\n    labels: {namespace: bank}"},
		"what can't be parsed": {`b{namespace="shop"}`, `b{`},
	} {
		doctored := strings.Replace(string(text), c.from, c.to, 1)
		if doctored == string(text) {
			t.Errorf("%s: there is nothing to doctor in\n%s", name, text)
		}
		if err := rules.CheckConfined([]byte(doctored), shop); err == nil {
			t.Errorf("%s: the walker sees nothing in\n%s", name, doctored)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}
