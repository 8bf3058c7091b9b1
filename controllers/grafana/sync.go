package grafana

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// Report is what a Grafana has of a server, and what is in the way.
type Report struct {
	// Version is the Grafana's, empty if it does not tell.
	Version string
	// DataSources and Dashboards are how many of those that are wanted are there as they are wanted.
	DataSources, Dashboards int
	// Held are wanted dashboards that another Hearth server keeps there. They choose their datasource by a variable, so one of
	// each is enough.
	Held []string
	// Written is what was written, in words.
	Written []string
	// Kept are folders that stay although they are no longer wanted, because somebody else has something in them.
	Kept []string
	// Conflicts are what somebody else has in the place of what is wanted, and what can be done about it.
	Conflicts []string
	// Denied is what the token's service account may not do, and Refused what Grafana does not take for another reason.
	Denied, Refused []string
	// Retry is true if something was changed by somebody at that very moment.
	Retry bool
}

// Clean is true if everything is as it is wanted.
func (r *Report) Clean() bool {
	return len(r.Conflicts)+len(r.Denied)+len(r.Refused) == 0 && !r.Retry
}

// Memory is what is known of a server's things in one Grafana from one Sync to the next. It only saves writes: without it, a
// dashboard that Grafana gives back in other words than it was given is written once more.
type Memory struct {
	dashboards  map[string]seen
	dataSources map[string]int64
}

// seen is a dashboard as it was after it was last written, or found to be as it is wanted.
type seen struct {
	wanted      string
	id, version int64
}

// NewMemory knows nothing.
func NewMemory() *Memory {
	return &Memory{dashboards: map[string]seen{}, dataSources: map[string]int64{}}
}

// run is one Sync.
type run struct {
	client *Client
	owner  Owner
	memory *Memory
	report Report
	// folders are those that are known to be there, by the uid that is wanted.
	folders map[string]string
}

// Sync makes what the Grafana has of the owner what is desired. Formerly are folders that were desired before, by their UID:
// nothing in Grafana lists them. One thing that can't be had keeps no other from being had; that Grafana does not answer, or
// takes the token from nobody, is an error, and ends it.
func Sync(ctx context.Context, c *Client, owner Owner, desired Desired, formerly []string, memory *Memory) (Report, error) {
	r := &run{client: c, owner: owner, memory: memory, folders: map[string]string{}}
	err := r.sync(ctx, desired, formerly)
	return r.report, err
}

func (r *run) sync(ctx context.Context, desired Desired, formerly []string) error {
	healthy, err := r.client.health(ctx)
	if err != nil {
		return err
	}
	r.report.Version = healthy.Version
	if err := r.syncDataSources(ctx, desired.DataSources); err != nil {
		return err
	}
	for i := range desired.Dashboards {
		if err := r.syncDashboard(ctx, &desired.Dashboards[i], desired.Folders); err != nil {
			return err
		}
	}
	if err := r.removeDashboards(ctx, desired.Dashboards); err != nil {
		return err
	}
	for _, uid := range formerly {
		if slices.ContainsFunc(desired.Folders, func(f Folder) bool { return f.UID == uid }) {
			continue
		}
		if err := r.removeFolder(ctx, uid); err != nil {
			return err
		}
	}
	return nil
}

// note files an error that concerns one thing, what, and returns those that concern all.
func (r *run) note(what string, err error) error {
	text := what + ": " + errorText(err)
	switch code := status(err); {
	case err == nil:
		return nil
	case code == 0, code == http.StatusUnauthorized, code == http.StatusTooManyRequests, code >= 500:
		return err
	case code == http.StatusForbidden:
		r.report.Denied = append(r.report.Denied, text)
	default:
		r.report.Refused = append(r.report.Refused, text)
	}
	return nil
}

// errorText is what Grafana said.
func errorText(err error) string {
	if e, ok := asError(err); ok {
		return e.Text
	}
	return fmt.Sprint(err)
}

func (r *run) conflict(format string, args ...any) {
	r.report.Conflicts = append(r.report.Conflicts, fmt.Sprintf(format, args...))
}

func (r *run) wrote(format string, args ...any) {
	r.report.Written = append(r.report.Written, fmt.Sprintf(format, args...))
}

// folderFor is the uid of a dashboard's folder in Grafana, made if there is none, and false if it can't be had. A server whose
// dashboards another one keeps needs no folder, so they are made only here.
func (r *run) folderFor(ctx context.Context, uid string, wanted []Folder) (string, bool, error) {
	if uid == "" {
		return "", true, nil
	}
	if there, ok := r.folders[uid]; ok {
		return there, there != "", nil
	}
	i := slices.IndexFunc(wanted, func(f Folder) bool { return f.UID == uid })
	title := uid
	if i >= 0 {
		title = wanted[i].Title
	}
	there, err := r.syncFolder(ctx, uid, title)
	if err != nil {
		return "", false, err
	}
	r.folders[uid] = there
	return there, there != "", nil
}

// syncFolder makes one folder. It is "" if that can't be.
func (r *run) syncFolder(ctx context.Context, base, title string) (string, error) {
	what := fmt.Sprintf("folder %q", title)
	for _, id := range r.owner.ids() {
		uid := folderUID(id, base)
		is, err := r.client.folder(ctx, uid)
		if status(err) == http.StatusNotFound {
			continue
		}
		if err != nil {
			return "", r.note(what, err)
		}
		if is.Title == title {
			return uid, nil
		}
		is.Title = title
		if err := r.client.updateFolder(ctx, is); err != nil {
			return uid, r.raced(what, err)
		}
		r.wrote("updated %s", what)
		return uid, nil
	}
	uid := folderUID(r.owner.ID, base)
	err := r.client.createFolder(ctx, uid, title)
	if code := status(err); code == http.StatusConflict || code == http.StatusPreconditionFailed {
		r.conflict("%s: %s; rename or delete the one that is there", what, errorText(err))
		return "", nil
	}
	if err != nil {
		return "", r.note(what, err)
	}
	r.wrote("created %s", what)
	return uid, nil
}

// raced files an error of an update: if somebody else was faster, it is tried again with what they wrote.
func (r *run) raced(what string, err error) error {
	if e, ok := asError(err); ok && (e.Code == "version-mismatch" || e.Status == http.StatusPreconditionFailed && e.Code == "" || e.Status == http.StatusNotFound) {
		r.report.Retry = true
		return nil
	}
	return r.note(what, err)
}

// removeFolder removes a folder that is the owner's by its uid, if nothing at all is in it: Grafana would take it along.
func (r *run) removeFolder(ctx context.Context, base string) error {
	for _, id := range r.owner.ids() {
		uid := folderUID(id, base)
		is, err := r.client.folder(ctx, uid)
		if status(err) == http.StatusNotFound {
			continue
		}
		what := fmt.Sprintf("folder %q", is.Title)
		if err != nil {
			return r.note("folder "+uid, err)
		}
		empty, err := r.isEmpty(ctx, uid)
		if err != nil {
			return r.note(what, err)
		}
		if !empty {
			r.report.Kept = append(r.report.Kept, is.Title)
			continue
		}
		if err := r.client.deleteFolder(ctx, uid); err != nil && status(err) != http.StatusNotFound {
			return r.note(what, err)
		}
		r.wrote("deleted %s", what)
	}
	return nil
}

// isEmpty asks twice, because older Grafanas count nothing and newer ones search in an index that is a moment behind.
func (r *run) isEmpty(ctx context.Context, uid string) (bool, error) {
	hits, err := r.client.search(ctx, url.Values{"folderUIDs": {uid}})
	if err != nil {
		return false, err
	}
	// What was deleted a moment ago may still be found.
	hits = slices.DeleteFunc(hits, func(h hit) bool {
		_, ours := r.owner.isHearths(h.UID, h.Tags)
		return ours || h.UID == uid
	})
	if len(hits) > 0 {
		return false, nil
	}
	counts, err := r.client.folderCounts(ctx, uid)
	if status(err) == http.StatusNotFound || status(err) == http.StatusForbidden {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	for _, n := range counts {
		if n > 0 {
			return false, nil
		}
	}
	return true, nil
}
