package collector

import (
	"context"
	"flag"
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

// timex says what the kernel knows of its clock and of whoever disciplines it. The wall clock is in no namespace: a pod's
// is the host's.
type timex struct {
	ask    func(*unix.Timex) (int, error)
	answer unix.Timex
	values []timexValue
}

// timexValue is a metric and where it is found in the answer.
type timexValue struct {
	*text.Family
	of func(t *unix.Timex, state int, unit float64) float64
}

const (
	timexMicro  = 1000 * 1000
	timexPPM    = 1000 * 1000 * (1 << 16) // a frequency's unit: parts per million with 16 bits after the point
	timexUnsync = unix.TIME_ERROR
)

func declareTimex(*flag.FlagSet) factory {
	return func(Host, *slog.Logger) (Collector, error) {
		return &timex{ask: unix.Adjtimex, values: timexValues()}, nil
	}
}

func timexValues() []timexValue {
	type of = func(t *unix.Timex, state int, unit float64) float64
	gauge := func(name, help string, value of) timexValue {
		return timexValue{text.Gauge("node_timex_"+name, help), value}
	}
	total := func(name, help string, value of) timexValue {
		return timexValue{text.Counter("node_timex_"+name, help), value}
	}
	return []timexValue{
		gauge("sync_status", "Is clock synchronized to a reliable server (1 = yes, 0 = no).", func(_ *unix.Timex, state int, _ float64) float64 {
			if state == timexUnsync {
				return 0
			}
			return 1
		}),
		gauge("offset_seconds", "Time offset in between local system and reference clock.", func(t *unix.Timex, _ int, unit float64) float64 { return float64(t.Offset) / unit }),
		gauge("frequency_adjustment_ratio", "Local clock frequency adjustment.", func(t *unix.Timex, _ int, _ float64) float64 { return 1 + float64(t.Freq)/timexPPM }),
		gauge("maxerror_seconds", "Maximum error in seconds.", func(t *unix.Timex, _ int, _ float64) float64 { return float64(t.Maxerror) / timexMicro }),
		gauge("estimated_error_seconds", "Estimated error in seconds.", func(t *unix.Timex, _ int, _ float64) float64 { return float64(t.Esterror) / timexMicro }),
		gauge("status", "Value of the status array bits.", func(t *unix.Timex, _ int, _ float64) float64 { return float64(t.Status) }),
		gauge("loop_time_constant", "Phase-locked loop time constant.", func(t *unix.Timex, _ int, _ float64) float64 { return float64(t.Constant) }),
		gauge("tick_seconds", "Seconds between clock ticks.", func(t *unix.Timex, _ int, _ float64) float64 { return float64(t.Tick) / timexMicro }),
		gauge("pps_frequency_hertz", "Pulse per second frequency.", func(t *unix.Timex, _ int, _ float64) float64 { return float64(t.Ppsfreq) / timexPPM }),
		gauge("pps_jitter_seconds", "Pulse per second jitter.", func(t *unix.Timex, _ int, unit float64) float64 { return float64(t.Jitter) / unit }),
		gauge("pps_shift_seconds", "Pulse per second interval duration.", func(t *unix.Timex, _ int, _ float64) float64 { return float64(t.Shift) }),
		gauge("pps_stability_hertz", "Pulse per second stability, average of recent frequency changes.", func(t *unix.Timex, _ int, _ float64) float64 { return float64(t.Stabil) / timexPPM }),
		total("pps_jitter_total", "Pulse per second count of jitter limit exceeded events.", func(t *unix.Timex, _ int, _ float64) float64 { return float64(t.Jitcnt) }),
		total("pps_calibration_total", "Pulse per second count of calibration intervals.", func(t *unix.Timex, _ int, _ float64) float64 { return float64(t.Calcnt) }),
		total("pps_error_total", "Pulse per second count of calibration errors.", func(t *unix.Timex, _ int, _ float64) float64 { return float64(t.Errcnt) }),
		total("pps_stability_exceeded_total", "Pulse per second count of stability limit exceeded events.", func(t *unix.Timex, _ int, _ float64) float64 { return float64(t.Stbcnt) }),
		gauge("tai_offset_seconds", "International Atomic Time (TAI) offset.", func(t *unix.Timex, _ int, _ float64) float64 { return float64(t.Tai) }),
	}
}

func (c *timex) Families() []*text.Family {
	families := make([]*text.Family, len(c.values))
	for i, v := range c.values {
		families[i] = v.Family
	}
	return families
}

func (c *timex) Update(context.Context) error {
	c.answer = unix.Timex{} // no modes: it is asked and not set
	state, err := c.ask(&c.answer)
	if err != nil {
		return fmt.Errorf("adjtimex: %w", err)
	}
	unit := float64(timexMicro)
	if c.answer.Status&unix.STA_NANO != 0 {
		unit *= 1000
	}
	for _, v := range c.values {
		v.Add(v.of(&c.answer, state, unit))
	}
	return nil
}
