package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/controllers/grafana"
	model "github.com/hearth-monitoring/hearth/internal/grafana"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// grafanaAttempted is one attempt to make what a server has in Grafanas what it should have.
type grafanaAttempted struct {
	grafanas *ExistingGrafanas
	server   types.NamespacedName
	known    *toldGrafana
	ps       *v1alpha1.PrometheusServer // without a UID, if it is gone
	wanted   *stack.GrafanaExisting     // nil: nothing
	log      logr.Logger
	// failed is true if it is to be attempted again soon.
	failed bool
}

func (a *grafanaAttempted) gone() bool { return a.ps.UID == "" }

// make writes down where it is about to write, before it does. Its error is one of the cluster; what a Grafana says is an outcome.
func (a *grafanaAttempted) make(ctx context.Context) (*status.ExistingGrafana, error) {
	before, err := a.grafanas.readRecord(ctx, a.server, a.known)
	if err != nil {
		return nil, err
	}
	if a.gone() && a.known.failures > 0 && !a.grafanas.recordExists(ctx, a.server) {
		before = &grafanaRecord{} // somebody has deleted it, or the namespace: then that is it
	}
	record := a.noted(before)
	if err := a.keep(ctx, before, record); err != nil {
		return nil, err
	}
	before = record.clone()
	left := a.leave(ctx, record)
	var outcome *status.ExistingGrafana
	if a.wanted != nil {
		outcome = a.fill(ctx, record)
		if outcome.OK && left != "" {
			outcome.Message += "; " + left
		}
	}
	return outcome, a.keep(ctx, before, record)
}

// noted is the record with what is wanted in it.
func (a *grafanaAttempted) noted(before *grafanaRecord) *grafanaRecord {
	out := before.clone()
	now := time.Now().UTC().Truncate(time.Second)
	for i := range out.Places {
		p := &out.Places[i]
		if p.Left == nil && (a.wanted == nil || p.URL != a.wanted.URL) {
			p.Left = &now
		}
	}
	if a.wanted == nil {
		return out
	}
	if id := string(a.ps.UID); !slices.Contains(out.IDs, id) {
		out.IDs = append(out.IDs, id)
	}
	// For good, also when the annotation goes: a folder's uid stays the one that was taken over.
	if adopt := a.ps.Annotations[grafana.AnnotationAdopt]; adopt != "" && !slices.Contains(out.IDs, adopt) {
		out.IDs = slices.Insert(out.IDs, 0, adopt)
	}
	a.enter(out)
	return out
}

// enter notes where things are wanted, with all folders that were ever made there.
func (a *grafanaAttempted) enter(record *grafanaRecord) {
	p := record.place(a.wanted.URL)
	if p == nil {
		record.Places = append(record.Places, grafanaPlace{URL: a.wanted.URL})
		p = &record.Places[len(record.Places)-1]
	}
	p.Token, p.TLS, p.Left = a.wanted.Token, a.wanted.TLS, nil
	folders := slices.Clone(p.Folders)
	for _, f := range a.wanted.Contents.Folders {
		if !slices.Contains(folders, f.UID) {
			folders = append(folders, f.UID)
		}
	}
	p.Folders = folders
}

func (a *grafanaAttempted) keep(ctx context.Context, before, record *grafanaRecord) error {
	if reflect.DeepEqual(before, record) {
		a.known.record = record
		return nil
	}
	return a.grafanas.writeRecord(ctx, a.server, a.known, record)
}

// leave removes what the server has where nothing is wanted any more, and says what could not be removed.
func (a *grafanaAttempted) leave(ctx context.Context, record *grafanaRecord) string {
	var left []string
	record.Places = slices.DeleteFunc(record.Places, func(p grafanaPlace) bool {
		if p.Left == nil {
			return false
		}
		why := a.clear(ctx, &p, record)
		if why == "" {
			return true
		}
		if time.Since(*p.Left) > a.grafanas.giveUp {
			a.log.Info("given up to remove what a server had in a Grafana; it stays there", "url", p.URL, "why", why)
			return true
		}
		if a.known.failures == 0 {
			a.log.Info("cannot remove yet what a server had in a Grafana", "url", p.URL, "why", why)
		}
		a.failed = true
		left = append(left, fmt.Sprintf("what was made at %s before is still there: %s", p.URL, why))
		return false
	})
	return strings.Join(left, "; ")
}

// clear removes all that is the server's from a place. It is "" if that is done.
func (a *grafanaAttempted) clear(ctx context.Context, p *grafanaPlace, record *grafanaRecord) string {
	options, problem := a.access(ctx, p)
	if problem != "" {
		return problem
	}
	report, err := a.sync(ctx, options, record, grafana.Desired{}, p.Folders)
	switch {
	case err != nil:
		return err.Error()
	case !report.Clean():
		return strings.Join(slices.Concat(report.Denied, report.Refused), "; ")
	}
	delete(a.known.memory, p.URL)
	delete(a.known.access, p.URL)
	return ""
}

// access is how to reach a place that was left. The Secret may have gone with the server: then it is as it was reached last.
func (a *grafanaAttempted) access(ctx context.Context, p *grafanaPlace) (options grafana.Options, problem string) {
	secrets, unread := a.grafanas.secrets(ctx, a.server.Namespace, secretsOf(p.Token, p.TLS, nil))
	if unread == nil {
		options, err := connection(p.URL, p.Token, p.TLS, secrets)
		if err == nil {
			return options, ""
		}
		problem = err.Error()
	} else {
		problem = unread.Error()
	}
	if before, ok := a.known.access[p.URL]; ok {
		return before, ""
	}
	return options, problem
}

// fill makes what the wanted Grafana has what it should have.
func (a *grafanaAttempted) fill(ctx context.Context, record *grafanaRecord) *status.ExistingGrafana {
	w := a.wanted
	place := record.place(w.URL)
	out := a.attempt(ctx, w, place, record)
	a.failed = a.failed || !out.OK
	if out.OK {
		place.Folders = nil
		for _, f := range w.Contents.Folders {
			place.Folders = append(place.Folders, f.UID)
		}
	}
	return out
}

func (a *grafanaAttempted) attempt(ctx context.Context, w *stack.GrafanaExisting, place *grafanaPlace, record *grafanaRecord) *status.ExistingGrafana {
	secrets, unread := a.grafanas.secrets(ctx, a.server.Namespace, secretsOf(w.Token, w.TLS, w.Contents.Datasources))
	if unread != nil {
		return &status.ExistingGrafana{Reason: unread.reason, Message: unread.text(ctx, a.grafanas, a.server)}
	}
	options, err := connection(w.URL, w.Token, w.TLS, secrets)
	if err != nil {
		return &status.ExistingGrafana{Reason: v1alpha1.ReasonSecretsMissing, Message: err.Error()}
	}
	desired := desiredOf(w.Contents, secrets)
	report, err := a.sync(ctx, options, record, desired, place.Folders)
	if err != nil {
		return a.unreached(w, err)
	}
	a.known.access[w.URL] = options
	return a.told(w, &report)
}

func (a *grafanaAttempted) sync(ctx context.Context, options grafana.Options, record *grafanaRecord, desired grafana.Desired, formerly []string) (grafana.Report, error) {
	options.Local = a.grafanas.local
	client, err := grafana.New(options)
	if err != nil {
		return grafana.Report{}, err
	}
	defer client.Close()
	memory := a.known.memory[options.URL]
	if memory == nil {
		memory = grafana.NewMemory()
		a.known.memory[options.URL] = memory
	}
	report, err := grafana.Sync(ctx, client, a.owner(record), desired, formerly, memory)
	if len(report.Written) > 0 {
		a.log.Info("wrote to a Grafana", "url", options.URL, "written", report.Written)
	}
	return report, err
}

// owner is the server as it is marked in Grafana. What objects of its name had that were there before it is its own.
func (a *grafanaAttempted) owner(record *grafanaRecord) grafana.Owner {
	out := grafana.Owner{Namespace: a.server.Namespace, Name: a.server.Name, ID: string(a.ps.UID)}
	if a.gone() && len(record.IDs) > 0 {
		out.ID = record.IDs[len(record.IDs)-1]
	}
	out.Former = slices.DeleteFunc(slices.Clone(record.IDs), func(id string) bool { return id == out.ID })
	return out
}

// unreached is the outcome where Grafana did not answer, or takes the token from nobody.
func (a *grafanaAttempted) unreached(w *stack.GrafanaExisting, err error) *status.ExistingGrafana {
	var e *grafana.Error
	if errors.As(err, &e) && e.Status == http.StatusUnauthorized {
		return &status.ExistingGrafana{Reason: v1alpha1.ReasonUnauthorized, Message: fmt.Sprintf(
			"Grafana at %s does not take the token in key %s of Secret %s: %s. Make a token for a service account with the role Admin there, and put it into the Secret with\n%s",
			w.URL, w.Token.Key, w.Token.Secret, e.Text, tokenCommand(a.server.Namespace, w.Token))}
	}
	return &status.ExistingGrafana{Reason: v1alpha1.ReasonUnreachable, Message: fmt.Sprintf(
		"Grafana at %s: %s. What it has stays as it is, and nothing else waits for it; it is tried again", w.URL, err)}
}

// told is the outcome where Grafana answered.
func (a *grafanaAttempted) told(w *stack.GrafanaExisting, r *grafana.Report) *status.ExistingGrafana {
	version := ""
	if r.Version != "" {
		version = " " + r.Version
	}
	at := fmt.Sprintf("Grafana%s at %s", version, w.URL)
	var others []string
	if len(r.Refused) > 0 {
		others = append(others, "it refuses "+strings.Join(r.Refused, "; "))
	}
	if r.Retry {
		others = append(others, "somebody changed something at that moment, and it is tried again")
	}
	switch {
	case len(r.Denied) > 0:
		return &status.ExistingGrafana{Reason: v1alpha1.ReasonUnauthorized, Message: fmt.Sprintf(
			"%s does not let the service account of Secret %s do all it has to: %s. Give it the role Admin, or these permissions", at, w.Token.Secret, strings.Join(r.Denied, "; "))}
	case len(r.Conflicts) > 0:
		return &status.ExistingGrafana{Reason: v1alpha1.ReasonConflict, Message: at + " has something of others in the place of what is declared, and it is left alone: " + strings.Join(append(r.Conflicts, others...), "; ")}
	case len(others) > 0:
		return &status.ExistingGrafana{Reason: v1alpha1.ReasonRefused, Message: at + ": " + strings.Join(others, "; ")}
	}
	text := fmt.Sprintf("%s has %s and %s", at, plural(r.DataSources, "datasource"), plural(r.Dashboards, "dashboard"))
	if len(r.Held) > 0 {
		text += fmt.Sprintf("; %s there by another PrometheusServer, which serve this one too", kept(len(r.Held)))
	}
	return &status.ExistingGrafana{OK: true, Reason: v1alpha1.ReasonReady, Message: text}
}

func kept(n int) string {
	if n == 1 {
		return "1 more is kept"
	}
	return fmt.Sprintf("%d more are kept", n)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// desiredOf are the contents with their secrets in them.
func desiredOf(c model.Contents, secrets secretData) grafana.Desired {
	var out grafana.Desired
	for i := range c.Datasources {
		d := &c.Datasources[i]
		to := grafana.DataSource{UID: d.UID, Name: d.Name, Type: d.Type, URL: d.URL, Default: d.Default, JSONData: map[string]any{}}
		text, err := json.Marshal(d.JSON)
		if err == nil {
			_ = json.Unmarshal(text, &to.JSONData) // what was just encoded can be decoded
		}
		if d.BasicAuthUser != nil {
			to.BasicAuth, to.BasicAuthUser = true, secrets.text(*d.BasicAuthUser)
		}
		for field, key := range d.Secure {
			if to.SecureJSONData == nil {
				to.SecureJSONData = map[string]string{}
			}
			to.SecureJSONData[field] = secrets.text(key)
		}
		out.DataSources = append(out.DataSources, to)
	}
	uids := map[string]string{}
	for _, f := range c.Folders {
		out.Folders = append(out.Folders, grafana.Folder{UID: f.UID, Title: f.Title})
		uids[f.Title] = f.UID
	}
	for _, d := range c.Dashboards {
		out.Dashboards = append(out.Dashboards, grafana.Dashboard{UID: d.UID, Folder: uids[d.Folder], JSON: d.JSON})
	}
	return out
}
