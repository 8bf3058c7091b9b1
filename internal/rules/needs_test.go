package rules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// TestNeeds has what each kind of expression needs: space is and, | is or.
func TestNeeds(t *testing.T) {
	for expr, want := range map[string]string{
		`up`:                                "up",
		`{__name__="up"}`:                   "up",
		`{"größe.a"}`:                       "größe.a",
		`{__name__=~"a|b"}`:                 "",
		`{job="a"}`:                         "",
		`{__name__!="a", job="x"}`:          "",
		`-(up == 0)`:                        "up",
		`sum by (a) (rate(x[5m]))`:          "x",
		`count(x) by (b)`:                   "x",
		`a / b`:                             "a b",
		`a / on (x) group_left (y) b`:       "a b",
		`a > bool 1`:                        "a",
		`1 > bool 2`:                        "",
		`a == a`:                            "a",
		`a and b`:                           "a b",
		`a unless b`:                        "a",
		`a or b`:                            "a|b",
		`a or vector(0)`:                    "",
		`(a and b) or c`:                    "a|c b|c",
		`sum(a) or (b or c)`:                "a|b|c",
		`absent(a)`:                         "",
		`absent(a) and b`:                   "b",
		`absent_over_time(a[1h])`:           "",
		`a unless absent(b)`:                "a",
		`vector(1)`:                         "",
		`vector(scalar(a))`:                 "",
		`scalar(a)`:                         "",
		`b > scalar(a)`:                     "b",
		`time()`:                            "",
		`hour()`:                            "",
		`hour(a)`:                           "a",
		`topk(5, a)`:                        "a",
		`quantile(scalar(c), a)`:            "a",
		`histogram_quantile(0.9, a_bucket)`: "a_bucket",
		`label_replace(a, "x", "$1", "y", "(.*)")`:    "a",
		`count_over_time(a[1h:1m])`:                   "a",
		`max_over_time(rate(a[5m])[1h:1m] offset 1h)`: "a",
		// What lies back further than anybody knows.
		`a offset 23h`:                        "a",
		`a offset 24h`:                        "",
		`rate(a[1d])`:                         "",
		`max_over_time(a[12h:1m])`:            "a",
		`max_over_time(rate(a[12h])[12h:1m])`: "",
		`a offset -1h`:                        "",
		`a @ 1700000000`:                      "",
		`a @ start()`:                         "",
		`b / a offset 1w`:                     "b",
	} {
		if got := text(needsOf(parsed(t, expr), 0)); got != want {
			t.Errorf("%s needs %q, want %q", expr, got, want)
		}
	}
	if got := text(needsOf(parsed(t, "a"), 24*time.Hour)); got != "" {
		t.Errorf("with a query_offset of a day, a needs %q", got)
	}
}

func TestNeedsAreBounded(t *testing.T) {
	expr := "(" + strings.Repeat("a1 * a2 * a3 * a4 * a5 * a6 * ", 3) + "a7)"
	for i := range 6 {
		expr += fmt.Sprintf(" or (b%d1 * b%d2 * b%d3 * b%d4 * b%d5)", i, i, i, i, i)
	}
	got := needsOf(parsed(t, expr), 0)
	if len(got) == 0 || len(got) > maxClauses || slices.ContainsFunc(got, func(c []string) bool { return len(c) > maxClauses }) {
		t.Errorf("%d clauses: %v", len(got), got)
	}
}

// TestNeedsAccuseNobodyWrongly evaluates expressions on Prometheus' own engine, with series of some metrics: whoever lacks
// what he needs must have returned nothing. Among the expressions is one at least for each function.
func TestNeedsAccuseNobodyWrongly(t *testing.T) {
	storage := promqltest.LoadedStorage(t, "load 1m\n  here{a=\"1\",__type__=\"x\"} 0+1x200\n  here{a=\"2\"} 1x200\n  there{a=\"1\"} 3x200\n")
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	r := rand.New(rand.NewPCG(1, 2))
	accused, accusable, empty, wrong := 0, 0, 0, 0
	one := func(text string) {
		expr, err := parser.NewParser(parser.Options{EnableExperimentalFunctions: true, EnableBinopFillModifiers: true}).ParseExpr(text)
		if err != nil {
			return
		}
		lacks := slices.ContainsFunc(needsOf(expr, 0), func(c []string) bool {
			return !slices.Contains(c, "here") && !slices.Contains(c, "there")
		})
		q, err := engine.NewInstantQuery(t.Context(), storage, nil, text, time.Unix(6000, 0))
		if err != nil {
			return // a function that this engine doesn't have
		}
		defer q.Close()
		res := q.Exec(t.Context())
		if res.Err != nil {
			return
		}
		accusable++
		vector, isVector := res.Value.(promql.Vector)
		none := isVector && len(vector) == 0
		if none {
			empty++
		}
		if lacks {
			accused++
			if !none {
				wrong++
				t.Errorf("%s is accused of returning nothing, and returns %v", text, res.Value)
			}
		}
	}
	for _, name := range slices.Sorted(mapsKeys(parser.Functions)) {
		for range 30 {
			one(callOf(r, parser.Functions[name], 1))
		}
	}
	for range 20_000 {
		one(randomVector(r, 4))
	}
	t.Logf("%d expressions evaluated, %d returned nothing, %d were said to", accusable, empty, accused)
	if accused < 1000 || accusable < 10_000 {
		t.Error("that is too few to say anything")
	}
}

func mapsKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func randomVector(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(6) == 0 {
		return []string{"here", "there", "nowhere", "missing", `{__name__=~"h.*"}`, "vector(1)", "here offset 1m"}[r.IntN(7)]
	}
	sub := func() string { return "(" + randomVector(r, depth-1) + ")" }
	switch r.IntN(5) {
	case 0:
		op := []string{"+", "*", "/", ">", "<= bool", "==", "and", "or", "unless", "or", "+ on () group_left ()", "+ fill (0)", "- fill_left (0)", "* fill_right (1)"}[r.IntN(14)]
		return sub() + " " + op + " " + sub()
	case 1:
		return []string{"sum", "count", "group", "stddev by (a)", "max without (a)"}[r.IntN(5)] + sub()
	case 2:
		return []string{"topk(2,", "quantile(0.5,", `count_values("v",`, "bottomk(1,"}[r.IntN(4)] + sub() + ")"
	case 3:
		return []string{"-", "+"}[r.IntN(2)] + sub()
	}
	names := slices.Sorted(mapsKeys(parser.Functions))
	for {
		f := parser.Functions[names[r.IntN(len(names))]]
		if f.ReturnType == parser.ValueTypeVector {
			return callOf(r, f, depth-1)
		}
	}
}

// callOf is a call of a function with as many arguments as it may have.
func callOf(r *rand.Rand, f *parser.Function, depth int) string {
	n := len(f.ArgTypes)
	if f.Variadic != 0 {
		n -= r.IntN(2)
	}
	var args []string
	for _, kind := range f.ArgTypes[:max(n, 0)] {
		switch kind {
		case parser.ValueTypeVector:
			if f.Name == "info" && len(args) == 1 {
				args = append(args, `{__name__="missing"}`)
				continue
			}
			args = append(args, randomVector(r, depth))
		case parser.ValueTypeMatrix:
			args = append(args, []string{"here[5m]", "nowhere[5m]", "(" + randomVector(r, depth) + ")[5m:1m]"}[r.IntN(3)])
		case parser.ValueTypeScalar:
			args = append(args, []string{"0.5", "scalar(nowhere)", "time()"}[r.IntN(3)])
		default:
			args = append(args, `"a"`)
		}
	}
	return f.Name + "(" + strings.Join(args, ", ") + ")"
}

func parsed(t *testing.T, expr string) parser.Expr {
	t.Helper()
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return e
}

func text(needs [][]string) string {
	clauses := make([]string, len(needs))
	for i, c := range needs {
		clauses[i] = strings.Join(c, "|")
	}
	return strings.Join(clauses, " ")
}
