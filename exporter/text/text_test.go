package text

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func TestFloat(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", -1: "-1", 4096000: "4096000", 0.5: "0.5", 1.25: "1.25", 12.345: "12.345", -0.004: "-0.004", 100.01: "100.01", 7.1: "7.1",
		0.0001: "0.0001", 1e300: "1e+300", math.Inf(1): "+Inf", math.Inf(-1): "-Inf", 1 << 53: "9.007199254740992e+15",
	} {
		if got := string(appendFloat(nil, v)); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
	if got := string(appendFloat(nil, math.NaN())); got != "NaN" {
		t.Errorf("NaN is written %s", got)
	}
}

// TestFloatReads writes numbers of all sizes: each must read as itself.
func TestFloatReads(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		v := math.Trunc(random.Float64()*math.Pow(10, float64(random.IntN(20)))) / math.Pow(10, float64(random.IntN(6)))
		if random.IntN(2) == 0 {
			v = -v
		}
		text := string(appendFloat(nil, v))
		if got, err := strconv.ParseFloat(text, 64); err != nil || math.Float64bits(got) != math.Float64bits(v) {
			t.Fatalf("%v is written %s and read as %v (%v)", v, text, got, err)
		}
	}
}

func TestFamily(t *testing.T) {
	f := Gauge("size_bytes", "Size of a \\ thing\nin bytes.", "mountpoint", "device")
	if got := f.AppendTo(nil); len(got) > 0 {
		t.Errorf("a family without samples is written: %s", got)
	}
	f.Add(1, `/a "b" \c`+"\nd\xff", "sda")
	f.Put(2.5, f.Labels("/ü", ""))
	want := `# HELP size_bytes Size of a \\ thing\nin bytes.
# TYPE size_bytes gauge
size_bytes{device="sda",mountpoint="/a \"b\" \\c\nd` + "\uFFFD" + `"} 1
size_bytes{device="",mountpoint="/ü"} 2.5
`
	got := string(f.AppendTo(nil))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(got))
	if err != nil || len(families["size_bytes"].GetMetric()) != 2 {
		t.Errorf("read as %v (%v)", families, err)
	}
	f.Reset()
	if !f.Empty() {
		t.Error("not empty after Reset")
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	f := Counter("seconds_total", "Seconds.", "cpu", "mode")
	labels := f.Labels("0", "idle")
	if n := testing.AllocsPerRun(100, func() {
		f.Reset()
		f.Add(1.5, "0", "user")
		f.Put(12345.67, labels)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
