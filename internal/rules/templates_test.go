package rules

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// TestTemplateDoubts: what can't be expanded whatever the alert is, and nothing that depends on it.
func TestTemplateDoubts(t *testing.T) {
	for text, want := range map[string]string{
		"{{ .Foo }}":             "can't be expanded at <.Foo>: can't evaluate field Foo",
		"{{ $value.Foo }}":       "can't evaluate field Foo in type float64",
		"{{ $labels.a.b }}":      "can't evaluate field b in type string",
		"{{ $value | toUpper }}": "wrong type for value; expected string; got float64",
		"{{ humanize }}":         "wrong number of args for humanize",
		"{{ $labels.a | humanize | humanizeDuration | parseDuration }}": "",
		"{{ printf \"%d\" $value }}":                                    "is expanded to %!d(float64=1): the format doesn't fit the value",
		"{{ $value | printf \"%d rows\" }}":                             "the format doesn't fit",
		"{{ query \"sum(\" }}":                                          "unclosed left parenthesis",
		"{{ template \"nowhere\" }}":                                    "", // not tried
		"{{ if gt $value 0.5 }}{{ .Foo }}{{ end }}":                     "can't evaluate field Foo",
		"{{ if gt $value 5.0 }}{{ .Foo }}{{ end }}":                     "can't evaluate field Foo",
		"{{ \"x\" | humanizePercentage }}":                              "can't be expanded at",
		"{{ index $labels 7 }}":                                         "can't be expanded at",
		"{{ first (query \"up\") | value | humanize }} {{ range query \"up\" }}{{ .Foo }}{{ end }}": "can't evaluate field Foo",

		"plain": "",
		"{{ $labels.a }} {{ $value | humanize }} {{ .Value | humanizePercentage }}":               "",
		"{{ .Labels.nosuch | toUpper | title }}":                                                  "",
		"{{ $externalLabels.a }} {{ $externalURL }} {{ externalURL }} {{ pathPrefix }}":           "",
		"{{ $labels.duration | parseDuration | humanizeDuration }}":                               "",
		"{{ $labels.n | humanize }}{{ $labels.n | toTime }}":                                      "",
		"{{ printf \"%.2f\" $value }} {{ printf \"%v %s\" $value $labels.a }}":                    "",
		"{{ with query \"up\" }}{{ . | first | value | humanizePercentage }}{{ end }}":            "",
		"{{ range query \"up\" }}{{ .Labels.instance }} {{ .Value }}{{ end }}":                    "",
		"{{ range $i, $e := query \"up\" | sortByLabel \"a\" }}{{ $e.Labels.a }}{{ end }}":        "",
		"{{ reReplaceAll \"(.*):.*\" \"$1\" $labels.instance }} {{ stripPort $labels.instance }}": "",
		"{{ if eq $labels.env \"prod\" }}{{ $labels.n | humanize }}{{ end }}":                     "",
		"{{ query \"up\" | first | label \"instance\" }}":                                         "",
		"{{ if match \"a.*\" $labels.a }}a{{ else }}b{{ end }}":                                   "",
		"100%! {{ $value }}": "",
	} {
		got := strings.Join(templateDoubts(text, parsed(t, "up == 0")), "; ")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestTemplatesThatAreDearAreNotTried: it would be the operator that pays.
func TestTemplatesThatAreDearAreNotTried(t *testing.T) {
	for name, text := range map[string]string{
		"a billion times":      `{{ range $i := 1000000000 }}{{ $i }}{{ end }}`,
		"a billion times more": `{{ range 1000000000 }}x{{ end }}`,
		"wide":                 `{{ printf "%999999d" 1 }}`,
		"wide by argument":     `{{ printf "%[1]*d" 999999 1 }}`,
		"wide by another word": `{{ printf (print "%" "999" "999d") 1 }}`,
		"wide by a pipe":       `{{ "%999999d" | printf }}`,
		"doubling":             `{{ $x := "aaaaaaaaaaaaaaaa" }}` + strings.Repeat(`{{ $x = printf "%s%s" $x $x }}`, 40) + "{{ $x }}",
		"doubling by with":     strings.Repeat(`{{ with printf "%s%s%s%s%s%s%s%s" . . . . . . . . }}`, 30) + "{{ . }}" + strings.Repeat("{{ end }}", 30),
		"replacing":            "{{ " + strings.Repeat(`reReplaceAll "" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" (`, 20) + `"a"` + strings.Repeat(")", 20) + " }}",
		"escaping":             `{{ "\\" ` + strings.Repeat("| js ", 40) + "}}",
		"laughing":             `{{ define "a" }}{{ template "b" }}{{ template "b" }}{{ end }}{{ define "b" }}{{ template "a" }}{{ end }}{{ template "a" }}`,
		"long":                 strings.Repeat("{{ $labels.a }}", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			if got := templateDoubts(text, parsed(t, "up == 0")); len(got) > 0 {
				t.Errorf("it was tried: %.300s", got)
			}
		})
	}
}

func TestLabelsThatAnExpressionDrops(t *testing.T) {
	const text = "{{ $labels.instance }} {{ .Labels.job }}{{ with query \"up\" }}{{ range . }}{{ .Labels.other }}{{ end }}{{ end }}"
	for expr, want := range map[string]string{
		"up == 0":                                      "",
		"sum by (job, instance) (up) == 0":             "",
		"sum by (job) (up) == 0":                       "instance",
		"0 == (sum by (job) (up))":                     "instance",
		"sum(up) > 1":                                  "instance job",
		"sum without (instance) (up) > 1":              "",
		"sum by (job) (up) > on (job) group_left () x": "",
		"sum by (job) (up) unless x":                   "instance",
		"topk(3, sum by (job) (up))":                   "instance",
		"topk by (job) (3, up)":                        "",
		"histogram_quantile(0.9, sum by (le, job, instance) (x)) > 1": "",
		"histogram_quantile(0.9, sum by (le) (x)) > 1":                "instance job",
		"round(max by (job) (x)) or up":                               "",
		"vector(1)":                                                   "instance job",
		`count_values by (job) ("instance", x)`:                       "",
		`label_replace(sum(up), "job", "a", "", "")`:                  "",
		"absent(up{job=\"a\"})":                                       "",
	} {
		var got []string
		for _, doubt := range templateDoubts(text, parsed(t, expr)) {
			name, _, _ := strings.Cut(strings.TrimPrefix(doubt, "names $labels."), ",")
			got = append(got, name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s drops %v, want %s", expr, got, want)
		}
	}
	t.Log(templateDoubts(text, parsed(t, "sum by (job) (up)")))
}

func TestSubqueriesThatNobodyCanAnswer(t *testing.T) {
	for expr, want := range map[string]string{
		"count_over_time(vector(1)[100y:1ms]) > 0":             "1:17: the subquery [100y:1ms] takes 3153600000000 steps, and a query of Prometheus may load 50000000 samples",
		"1\n + count_over_time(vector(1)[100y:1ms] offset 1h)": "2:20: the subquery [100y:1ms] offset 1h takes",
		"count_over_time(a[14h:1ms])":                          "takes 50400000 steps",
		"count_over_time(a[13h:1ms])":                          "",
		"count_over_time(a[99y:])":                             "takes 52034400 steps",
		"count_over_time(a[1y:])":                              "",
		"max_over_time(max_over_time(a[8h:1ms])[8h:1m])":       "the subquery [8h:1ms] takes 57600000 steps",
		"max_over_time(a[100y])":                               "",
	} {
		ar := alertRuleOf(t, expr)
		v := Judge(ar)
		if (v.Problem() == "") != (want == "") || !strings.Contains(v.Problem(), want) {
			t.Errorf("%s: %q, want %q", expr, v.Problem(), want)
		}
	}
}

func alertRuleOf(t *testing.T, expr string) *v1alpha1.AlertRule {
	t.Helper()
	return &v1alpha1.AlertRule{
		ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "nodes"},
		Spec:       v1alpha1.AlertRuleSpec{Groups: []v1alpha1.RuleGroup{{Name: "g", Rules: []v1alpha1.Rule{{Record: "a:b", Expr: v1alpha1.Expression(expr)}}}}},
	}
}
