package grafana

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// syncDashboard makes one dashboard.
func (r *run) syncDashboard(ctx context.Context, want *Dashboard, folders []Folder) error {
	what := "dashboard " + want.UID
	model, wrong := r.model(want)
	if wrong != "" {
		r.report.Refused = append(r.report.Refused, what+" "+wrong)
		return nil
	}
	is, err := r.client.dashboard(ctx, want.UID)
	missing := status(err) == http.StatusNotFound
	if err != nil && !missing {
		return r.note(what, err)
	}
	if !missing && !r.mayWrite(what, want.UID, is) {
		return nil
	}
	folder, ok, err := r.folderFor(ctx, want.Folder, folders)
	if err != nil || !ok {
		return err
	}
	wanted := fingerprint(model, folder)
	if !missing {
		if r.isThere(want.UID, is, model, wanted, folder) {
			r.report.Dashboards++
			return nil
		}
		model["id"], model["version"] = is.Dashboard["id"], is.Dashboard["version"]
	}
	return r.saveDashboard(ctx, what, model, folder, wanted, missing)
}

// isThere says that a dashboard is as it is wanted, and remembers it.
func (r *run) isThere(uid string, is dashboard, model map[string]any, wanted, folder string) bool {
	now := seen{wanted, number(is.Dashboard["id"]), number(is.Dashboard["version"])}
	if is.Meta.FolderUID != folder || r.memory.dashboards[uid] != now && !sameDashboard(is.Dashboard, model) {
		return false
	}
	r.memory.dashboards[uid] = now
	return true
}

// mayWrite says whether a dashboard that is there is the owner's, and notes why it is not.
func (r *run) mayWrite(what, uid string, is dashboard) bool {
	title, _ := is.Dashboard["title"].(string)
	hearths, ours := r.owner.isHearths(uid, tagsOf(is.Dashboard))
	switch {
	case is.Meta.Provisioned:
		r.conflict("%s (%q) is provisioned from a file of that Grafana, which alone can change it; take it out there", what, title)
		return false
	case ours:
		return true
	case hearths:
		r.report.Held = append(r.report.Held, uid)
		return false
	}
	r.conflict("%s (%q) is there already and has not Hearth's tags; save it with another uid, if it is to be kept, and delete it", what, title)
	return false
}

func (r *run) saveDashboard(ctx context.Context, what string, model map[string]any, folder, wanted string, missing bool) error {
	uid, _ := model["uid"].(string)
	version, err := r.client.saveDashboard(ctx, model, folder, "kept by Hearth")
	e, _ := asError(err)
	switch {
	case err == nil:
	case e != nil && e.Code == "name-exists":
		r.conflict("%s: %s (%v); rename or delete that one", what, e.Text, model["title"])
		return nil
	case missing && status(err) == http.StatusPreconditionFailed:
		r.report.Retry = true // somebody has made one of this uid just now: the next attempt sees whose it is
		return nil
	default:
		return r.raced(what, err)
	}
	r.report.Dashboards++
	verb := "updated"
	if missing {
		verb = "created"
	}
	r.wrote("%s %s", verb, what)
	// Read once more for the number that Grafana gave it: of what is read then, nothing is taken for drift.
	if is, err := r.client.dashboard(ctx, uid); err == nil && number(is.Dashboard["version"]) == version {
		r.memory.dashboards[uid] = seen{wanted, number(is.Dashboard["id"]), version}
	}
	return nil
}

// removeDashboards removes the owner's that are no longer wanted.
func (r *run) removeDashboards(ctx context.Context, wanted []Dashboard) error {
	hits, err := r.client.search(ctx, url.Values{"tag": {tagHearth}, "type": {"dash-db"}})
	if err != nil {
		return r.note("dashboards", err)
	}
	for _, h := range hits {
		if _, ours := r.owner.isHearths(h.UID, h.Tags); !ours || slices.ContainsFunc(wanted, func(w Dashboard) bool { return w.UID == h.UID }) {
			continue
		}
		if err := r.removeDashboard(ctx, h.UID); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) removeDashboard(ctx context.Context, uid string) error {
	what := "dashboard " + uid
	// What a search finds is what there was a moment ago. By now it may be gone, or somebody's own.
	is, err := r.client.dashboard(ctx, uid)
	if status(err) == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return r.note(what, err)
	}
	if _, ours := r.owner.isHearths(uid, tagsOf(is.Dashboard)); !ours || is.Meta.Provisioned {
		return nil
	}
	if err := r.client.deleteDashboard(ctx, uid); err != nil && status(err) != http.StatusNotFound {
		return r.note(what, err)
	}
	delete(r.memory.dashboards, uid)
	r.wrote("deleted %s", what)
	return nil
}

// model is a dashboard as it is to be in Grafana: with its uid, and marked. What is wrong with it is "" if nothing is.
func (r *run) model(want *Dashboard) (model map[string]any, wrong string) {
	parsed, err := parseDocument(want.JSON)
	if err != nil {
		return nil, "is no JSON: " + err.Error()
	}
	model, ok := parsed.(map[string]any)
	if !ok {
		return nil, "is no JSON object"
	}
	delete(model, "id")
	delete(model, "version")
	model["uid"] = want.UID
	tags := slices.DeleteFunc(tagsOf(model), func(tag string) bool { return tag == tagHearth || strings.HasPrefix(tag, signedPrefix) })
	all := make([]any, 0, len(tags)+2)
	for _, tag := range append(tags, tagHearth, signature(r.owner.ID, want.UID)) {
		all = append(all, tag)
	}
	model["tags"] = all
	note := "Kept by Hearth for PrometheusServer " + r.owner.Of() + ": what is changed here is undone. Save a copy to keep changes."
	if text, _ := model["description"].(string); text != "" {
		note = text + "\n\n" + note
	}
	model["description"] = note
	return model, ""
}

func tagsOf(model map[string]any) []string {
	list, _ := model["tags"].([]any)
	out := make([]string, 0, len(list))
	for _, v := range list {
		if tag, ok := v.(string); ok {
			out = append(out, tag)
		}
	}
	return out
}

// fingerprint tells wanted dashboards apart.
func fingerprint(model map[string]any, folder string) string {
	text, _ := json.Marshal(model) // it came from JSON
	return digest(folder+"\n"+string(text), 32)
}

// sameDashboard compares a dashboard that was read with the one that is wanted. The numbers that Grafana gives it say nothing.
func sameDashboard(is, want map[string]any) bool {
	rest := make(map[string]any, len(is))
	for key, v := range is {
		if key != "id" && key != "version" {
			rest[key] = v
		}
	}
	return equalDocuments(rest, want)
}

// parseDocument reads JSON with the digits of its numbers kept.
func parseDocument(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var out any
	return out, decoder.Decode(&out)
}

// equalDocuments compares two documents. What is nothing is the same as what is not there: servers write defaults out.
func equalDocuments(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && equalObjects(a, b)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equalDocuments)
	case json.Number:
		b, ok := b.(json.Number)
		return ok && (a == b || equalNumbers(a, b))
	}
	return reflect.DeepEqual(a, b)
}

func equalObjects(a, b map[string]any) bool {
	for key, v := range a {
		other, ok := b[key]
		if !ok && !isNothing(v) || ok && !equalDocuments(v, other) && !(isNothing(v) && isNothing(other)) {
			return false
		}
	}
	for key, v := range b {
		if _, ok := a[key]; !ok && !isNothing(v) {
			return false
		}
	}
	return true
}

func equalNumbers(a, b json.Number) bool {
	x, err := a.Float64()
	y, other := b.Float64()
	return err == nil && other == nil && x == y
}

// isNothing is what a field has that is left out.
func isNothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case json.Number:
		return equalNumbers(v, "0")
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}
