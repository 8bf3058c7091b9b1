package grafana

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
)

func asError(err error) (*Error, bool) {
	var e *Error
	return e, errors.As(err, &e)
}

// syncDataSources makes those that are wanted and removes the owner's others.
func (r *run) syncDataSources(ctx context.Context, wanted []DataSource) error {
	all, err := r.client.dataSources(ctx)
	if err != nil {
		return r.note("datasources", err)
	}
	for i := range all {
		m, ok := markerOf(all[i])
		if !ok || !slices.Contains(r.owner.ids(), m.ID) || slices.ContainsFunc(wanted, func(w DataSource) bool { return w.UID == all[i].UID }) {
			continue
		}
		if err := r.removeDataSource(ctx, all[i]); err != nil {
			return err
		}
	}
	for i := range wanted {
		if err := r.syncDataSource(ctx, &wanted[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) removeDataSource(ctx context.Context, ds dataSource) error {
	what := "datasource " + ds.UID
	if err := r.client.deleteDataSource(ctx, ds.UID); err != nil && status(err) != http.StatusNotFound {
		return r.note(what, err)
	}
	delete(r.memory.dataSources, ds.UID)
	r.wrote("deleted %s", what)
	return nil
}

func (r *run) syncDataSource(ctx context.Context, want *DataSource) error {
	what := "datasource " + want.UID
	is, err := r.client.dataSource(ctx, want.UID)
	if status(err) == http.StatusNotFound {
		return r.createDataSource(ctx, what, want)
	}
	if err != nil {
		return r.note(what, err)
	}
	m, marked := markerOf(is)
	switch {
	case !marked:
		r.conflict("%s (%q) is there already and not Hearth's; give it another uid, or delete it", what, is.Name)
		return nil
	case !slices.Contains(r.owner.ids(), m.ID):
		r.conflict("%s (%q) belongs to PrometheusServer %s (%s) of another cluster or of before; %s", what, is.Name, m.Server, m.ID, adoptHint(r.owner, m.ID))
		return nil
	case is.ReadOnly:
		r.conflict("%s (%q) is provisioned from a file of that Grafana, which alone can change it; take it out there", what, is.Name)
		return nil
	}
	now := r.compose(is, want, m)
	if r.sameDataSource(is, now, want, m) {
		r.report.DataSources++
		return nil
	}
	return r.updateDataSource(ctx, what, now)
}

// adoptHint is how a server takes over what has the mark of another.
func adoptHint(o Owner, id string) string {
	return fmt.Sprintf("delete it, or let this server take over what is that one's: kubectl -n %s annotate --overwrite prometheusserver %s %s=%s", o.Namespace, o.Name, AnnotationAdopt, id)
}

// AnnotationAdopt on a PrometheusServer names the ID of another one, of another cluster or of before, whose things in Grafana
// are this one's from now on.
const AnnotationAdopt = "monitoring.hearth.dev/adopt-grafana"

func (r *run) createDataSource(ctx context.Context, what string, want *DataSource) error {
	now := r.compose(dataSource{UID: want.UID}, want, marker{})
	made, err := r.client.createDataSource(ctx, now)
	if status(err) == http.StatusConflict {
		r.conflict("%s: %s (%q); rename or delete that one", what, errorText(err), want.Name)
		return nil
	}
	if err != nil {
		return r.note(what, err)
	}
	r.memory.dataSources[want.UID] = made.Version
	r.report.DataSources++
	r.wrote("created %s", what)
	return nil
}

func (r *run) updateDataSource(ctx context.Context, what string, now dataSource) error {
	made, err := r.client.updateDataSource(ctx, now)
	if status(err) == http.StatusConflict {
		// Either the name is taken, or somebody was faster. The next attempt shows which, since by then the version is known.
		r.report.Retry = true
		if made, rerr := r.client.dataSource(ctx, now.UID); rerr == nil && made.Version == now.Version {
			r.report.Retry = false
			r.conflict("%s: %s (%q); rename or delete the other one", what, errorText(err), now.Name)
		}
		return nil
	}
	if err != nil {
		return r.raced(what, err)
	}
	r.memory.dataSources[now.UID] = made.Version
	r.report.DataSources++
	r.wrote("updated %s", what)
	return nil
}

// compose is what to write: what is wanted, over what is there.
func (r *run) compose(is dataSource, want *DataSource, before marker) dataSource {
	now := is
	now.Name, now.Type, now.Access, now.URL = want.Name, want.Type, "proxy", want.URL
	now.BasicAuth, now.BasicAuthUser = want.BasicAuth, want.BasicAuthUser
	now.IsDefault = is.IsDefault || want.Default
	now.JSONData = maps.Clone(is.JSONData)
	if now.JSONData == nil {
		now.JSONData = map[string]any{}
	}
	for _, key := range before.Keys {
		delete(now.JSONData, key)
	}
	maps.Copy(now.JSONData, want.JSONData)
	now.SecureJSONData = maps.Clone(want.SecureJSONData)
	for _, key := range before.SecretKeys {
		if _, ok := want.SecureJSONData[key]; !ok {
			if now.SecureJSONData == nil {
				now.SecureJSONData = map[string]string{}
			}
			now.SecureJSONData[key] = "" // that is how one is taken away: what is left out stays
		}
	}
	now.JSONData[markerKey] = marker{
		Server: r.owner.Of(), ID: r.owner.ID, UID: want.UID, Version: is.Version + 1,
		Keys: slices.Sorted(maps.Keys(want.JSONData)), SecretKeys: slices.Sorted(maps.Keys(want.SecureJSONData)),
		Secrets: seal(r.client.token, want.SecureJSONData),
	}
	now.SecureJSONFields = nil
	return now
}

// sameDataSource says that writing would change nothing.
func (r *run) sameDataSource(is, now dataSource, want *DataSource, before marker) bool {
	for key := range want.SecureJSONData {
		if !is.SecureJSONFields[key] {
			return false
		}
	}
	// Secrets can't be read. As long as nobody has written the datasource since, they are those that were written.
	if len(want.SecureJSONData) > 0 && is.Version != before.Version && is.Version != r.memory.dataSources[is.UID] {
		return false
	}
	wanted, ok := now.JSONData[markerKey].(marker)
	if !ok {
		return false
	}
	wanted.Version = before.Version
	if !reflect.DeepEqual(wanted, before) {
		return false
	}
	a, b := is, now
	a.JSONData, b.JSONData = maps.Clone(a.JSONData), maps.Clone(b.JSONData)
	delete(a.JSONData, markerKey)
	delete(b.JSONData, markerKey)
	same := sameJSON(a.JSONData, b.JSONData)
	a.JSONData, b.JSONData, a.SecureJSONFields, b.SecureJSONData = nil, nil, nil, nil
	return same && reflect.DeepEqual(a, b)
}

// sameJSON compares what came from JSON with what will be written as such.
func sameJSON(a, b any) bool {
	return equalDocuments(document(a), document(b))
}

// document is a value as it is after a way through JSON.
func document(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	out, err := parseDocument(text)
	if err != nil {
		return nil
	}
	return out
}
