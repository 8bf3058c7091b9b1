package replica

import (
	"cmp"
	"slices"
)

// MaxRemotes bounds Report.Remotes.
const MaxRemotes = 256

// Remote says whether samples arrive where a Prometheus sends them. It carries no time and no number while they do: a report
// that is never the same twice would wake the operator for nothing.
type Remote struct {
	// Name is the one in prometheus.yml.
	Name string `json:"name"`
	// Sent is true once anything was sent by this process of the server.
	Sent bool `json:"sent,omitempty"`
	// Failing is true while requests are repeated and none succeeds.
	Failing bool `json:"failing,omitempty"`
	// Behind is by how many seconds at least what is sent is older than what there is, in few steps; 0 below a minute.
	Behind int64 `json:"behind,omitempty"`
	// Saturated is true while the server would send with more shards than it may, and is behind.
	Saturated bool `json:"saturated,omitempty"`
	// Lost is about how many samples were refused for good, or too old to be sent, in the last minutes; at least that many.
	Lost int64 `json:"lost,omitempty"`
}

// behindSteps are what Remote.Behind can be, so that it is news but a few times while an outage lasts.
func behindSteps() []int64 { return []int64{7200, 3600, 1800, 600, 300, 120, 60} }

// normalRemotes sorts and bounds.
func normalRemotes(remotes []Remote) []Remote {
	slices.SortFunc(remotes, func(a, b Remote) int { return cmp.Compare(a.Name, b.Name) })
	remotes = remotes[:min(len(remotes), MaxRemotes)]
	for i := range remotes {
		r := &remotes[i]
		r.Lost = powerOfTen(r.Lost)
		steps := behindSteps()
		at := slices.IndexFunc(steps, func(step int64) bool { return r.Behind >= step })
		if at < 0 {
			r.Behind, r.Saturated = 0, false
			continue
		}
		r.Behind = steps[at]
	}
	return remotes
}

// powerOfTen is the greatest that is not above n.
func powerOfTen(n int64) int64 {
	if n <= 0 {
		return 0
	}
	p := int64(1)
	for n/p >= 10 {
		p *= 10
	}
	return p
}
