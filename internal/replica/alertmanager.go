package replica

import (
	"cmp"
	"slices"
)

// Bounds of what an Alertmanager's report lists.
const (
	MaxWatchdogs = 256
	MaxFailing   = 100
)

// Alertmanager is what only an Alertmanager has to say.
type Alertmanager struct {
	// Members of the mesh that this one sees, itself among them; 1 without a mesh.
	Members int `json:"members"`
	// Active and Suppressed count the alerts it has, without the operator's own WatchdogAlert; silenced and inhibited ones
	// are suppressed.
	Active     int `json:"active"`
	Suppressed int `json:"suppressed"`
	// Watchdogs are the alerts named WatchdogAlert, one for each server, or shard of it, that sends one.
	Watchdogs []Watchdog `json:"watchdogs,omitempty"`
	// Failing are the ways to notify somebody whose last attempt failed.
	Failing []Failing `json:"failing,omitempty"`
}

// WatchdogAlert is the name of the alert that always fires, so that its absence says that alerts do not arrive.
const WatchdogAlert = "Watchdog"

// WatchdogFile is the rule file that the operator's own WatchdogAlert is in, at the root of a server's files.
const WatchdogFile = "watchdog.yaml"

// Watchdog says whether a server's WatchdogAlert arrives. It carries no time while it does: a report that is never the same
// twice would wake the operator for nothing.
type Watchdog struct {
	// Server is the alert's label prometheus, namespace/name of a PrometheusServer; empty if the alert has none.
	Server string `json:"server,omitempty"`
	// Shard is the number of the shard that sends it, empty for a server that has but one.
	Shard string `json:"shard,omitempty"`
	// Arriving is false when the alert has been late for longer than a lost request or two explain.
	Arriving bool `json:"arriving"`
	// LastSeen is when it last arrived, in seconds since 1970; 0 while it arrives.
	LastSeen int64 `json:"lastSeen,omitempty"`
}

// Failing is a receiver's integration whose last attempt to notify failed. The text of the error is in Alertmanager's log
// only.
type Failing struct {
	// Receiver is its name in alertmanager.yml.
	Receiver string `json:"receiver,omitempty"`
	// Integration is its kind and, after a slash or in brackets, its place, as Alertmanager calls it: webhook, slack.
	Integration string `json:"integration"`
	// Reason is Alertmanager's word for what went wrong: clientError, serverError, contextDeadlineExceeded, other.
	Reason string `json:"reason"`
	// Failed counts the attempts since the last one that succeeded, rounded to two digits.
	Failed int64 `json:"failed"`
}

// normal is a sorted and bounded copy.
func (a *Alertmanager) normal() *Alertmanager {
	if a == nil {
		return nil
	}
	out := *a
	out.Watchdogs, out.Failing = slices.Clone(a.Watchdogs), slices.Clone(a.Failing)
	slices.SortFunc(out.Watchdogs, func(a, b Watchdog) int {
		return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.Shard, b.Shard))
	})
	slices.SortFunc(out.Failing, func(a, b Failing) int {
		return cmp.Or(cmp.Compare(a.Receiver, b.Receiver), cmp.Compare(a.Integration, b.Integration), cmp.Compare(a.Reason, b.Reason))
	})
	out.Watchdogs = out.Watchdogs[:min(len(out.Watchdogs), MaxWatchdogs)]
	out.Failing = out.Failing[:min(len(out.Failing), MaxFailing)]
	for i := range out.Failing {
		out.Failing[i].Failed = round(out.Failing[i].Failed)
	}
	return &out
}
