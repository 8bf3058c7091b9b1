package grafanatest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
)

// Dashboard is one.
type Dashboard struct {
	ID        int64
	UID       string
	FolderUID string
	Version   int64
	Model     map[string]any
	// Provisioned is true for one from a file; the API can neither save nor delete it.
	Provisioned bool
}

func (d *Dashboard) title() string {
	title, _ := d.Model["title"].(string)
	return title
}

func (d *Dashboard) tags() []string {
	out := []string{}
	list, _ := d.Model["tags"].([]any)
	for _, v := range list {
		if tag, ok := v.(string); ok {
			out = append(out, tag)
		}
	}
	return out
}

// model is what is given back: what was saved, with Grafana's own id, uid and version in it.
func (c *call) model(d *Dashboard) map[string]any {
	out := maps.Clone(d.Model)
	out["id"], out["uid"], out["version"] = d.ID, d.UID, d.Version
	if !c.server.mode.Rewrites {
		return out
	}
	// apps/dashboard's migrations: on reading, older schemas become the newest one, and defaults are written out.
	out["schemaVersion"], out["fiscalYearStartMonth"], out["graphTooltip"] = 99, 0, 0
	out["annotations"] = map[string]any{"list": []any{map[string]any{"builtIn": 1, "type": "dashboard", "name": "Annotations & Alerts"}}}
	return out
}

func (c *call) getDashboard(uid string) reply {
	d := c.org.dashboards[uid]
	if d == nil {
		return refuse(http.StatusNotFound, "Dashboard not found")
	}
	meta := map[string]any{"isStarred": false, "url": "/d/" + uid, "folderUid": d.FolderUID, "version": d.Version, "provisioned": d.Provisioned}
	return ok(map[string]any{"dashboard": c.model(d), "meta": meta})
}

// saveDashboard is documented in dashboard.md, with what 412 can mean, and done in ValidateDashboardBeforeSave
// (pkg/services/dashboards/database/database.go): what is there is found by id, then by uid, and its version has to be the one
// that is sent, unless overwrite says otherwise. Where titles are unique, overwrite also replaces another dashboard of that title.
func (c *call) saveDashboard() reply {
	var in struct {
		Dashboard map[string]any `json:"dashboard"`
		FolderUID string         `json:"folderUid"`
		Overwrite bool           `json:"overwrite"`
	}
	if !c.bind(&in) || in.Dashboard == nil {
		return badRequest()
	}
	uid, _ := in.Dashboard["uid"].(string)
	if bad := c.unfit(in.Dashboard, uid, in.FolderUID); bad != nil {
		return *bad
	}
	is := c.org.dashboards[uid]
	if bad := c.clashes(is, in.Dashboard, in.Overwrite); bad != nil {
		return *bad
	}
	if other := c.sameTitle(in.Dashboard, uid, in.FolderUID); other != nil && c.server.mode.UniqueTitles {
		if !in.Overwrite {
			return refuseWith(http.StatusPreconditionFailed, "name-exists", "A dashboard with the same name in the folder already exists")
		}
		is = other
	}
	if is == nil {
		is = c.newDashboard(uid)
	}
	// Without a folder it moves to the general one.
	is.Model, is.FolderUID, is.Version = in.Dashboard, in.FolderUID, is.Version+1
	return ok(map[string]any{"status": "success", "slug": "", "version": is.Version, "id": is.ID, "uid": is.UID, "url": "/d/" + is.UID, "folderUid": is.FolderUID})
}

// newDashboard has the uid that is asked for, or one that Grafana makes up.
func (c *call) newDashboard(uid string) *Dashboard {
	id := c.server.nextID()
	if uid == "" {
		uid = fmt.Sprintf("generated%d", id)
	}
	d := &Dashboard{ID: id, UID: uid}
	c.org.dashboards[uid] = d
	return d
}

// clashes are the reasons not to replace what is there.
func (c *call) clashes(is *Dashboard, model map[string]any, overwrite bool) *reply {
	var out reply
	id := integer(model["id"])
	switch {
	case id != 0 && (is == nil || is.ID != id):
		out = refuseWith(http.StatusNotFound, "not-found", "Dashboard not found")
	case is == nil:
		return nil
	case is.Provisioned:
		out = refuse(http.StatusBadRequest, "Cannot save provisioned dashboard")
	case is.Version != integer(model["version"]) && !overwrite:
		out = refuseWith(http.StatusPreconditionFailed, "version-mismatch", "The dashboard has been changed by someone else")
	default:
		return nil
	}
	return &out
}

// unfit is what the service checks first (BuildSaveDashboardCommand in pkg/services/dashboards/service).
func (c *call) unfit(model map[string]any, uid, folder string) *reply {
	no := func(r reply) *reply { return &r }
	switch title, _ := model["title"].(string); {
	case title == "":
		return no(refuseWith(http.StatusBadRequest, "empty-name", "Dashboard title cannot be empty"))
	case badUID(uid) != "":
		return no(refuse(http.StatusBadRequest, badUID(uid)))
	case c.org.folders[uid] != nil:
		return no(refuse(http.StatusBadRequest, "Dashboard cannot be changed to a folder"))
	case folder != "" && c.org.folders[folder] == nil:
		return no(refuse(http.StatusBadRequest, "folder not found"))
	}
	for _, tag := range (&Dashboard{Model: model}).tags() {
		if len(tag) > 50 { // the column dashboard_tag.term; a database that is strict refuses more
			return no(refuse(http.StatusInternalServerError, "Failed to save dashboard"))
		}
	}
	return nil
}

func (c *call) sameTitle(model map[string]any, uid, folder string) *Dashboard {
	for id, d := range c.org.dashboards {
		if id != uid && d.FolderUID == folder && d.title() == model["title"] {
			return d
		}
	}
	return nil
}

func (c *call) deleteDashboard(uid string) reply {
	d := c.org.dashboards[uid]
	switch {
	case d == nil:
		return refuse(http.StatusNotFound, "Dashboard not found")
	case d.Provisioned:
		return refuse(http.StatusBadRequest, "provisioned dashboard cannot be deleted")
	}
	delete(c.org.dashboards, uid)
	return ok(map[string]any{"title": d.title(), "message": "Dashboard " + d.title() + " deleted", "uid": uid})
}

func integer(v any) int64 {
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	out, _ := n.Int64()
	return out
}
