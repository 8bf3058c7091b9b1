package grafanatest

import "net/http"

// Folder is one.
type Folder struct {
	ID        int64
	UID       string
	Title     string
	ParentUID string
	Version   int64
	// AlertRules is how many of Grafana's own are in it.
	AlertRules int
}

// told is the documented answer of folder.md.
func (f *Folder) told() map[string]any {
	return map[string]any{
		"id": f.ID, "uid": f.UID, "title": f.Title, "url": "/dashboards/f/" + f.UID, "hasAcl": false, "canSave": true,
		"canEdit": true, "canAdmin": true, "createdBy": "sa", "updatedBy": "sa", "version": f.Version, "parentUid": f.ParentUID,
	}
}

// noFolder is pkg/api/apierrors/folder.go.
func noFolder() reply { return refuseWith(http.StatusNotFound, "not-found", "folder not found") }

func (c *call) getFolder(uid string) reply {
	if f := c.org.folders[uid]; f != nil {
		return ok(f.told())
	}
	return noFolder()
}

func (c *call) addFolder() reply {
	var in struct{ UID, Title string }
	if !c.bind(&in) {
		return badRequest()
	}
	switch {
	case in.Title == "":
		return refuse(http.StatusBadRequest, "folder title cannot be empty")
	case badUID(in.UID) != "":
		return refuse(http.StatusBadRequest, badUID(in.UID))
	case c.org.folders[in.UID] != nil || c.org.dashboards[in.UID] != nil:
		return refuse(http.StatusConflict, "a folder/dashboard with the same uid already exists")
	case c.titled(in.Title, "") != nil && c.server.mode.UniqueTitles:
		// The documentation's "409 - Folder already exists".
		return refuse(http.StatusConflict, "a folder or dashboard in the general folder with the same name already exists")
	}
	f := &Folder{ID: c.server.nextID(), UID: in.UID, Title: in.Title, Version: 1}
	c.org.folders[f.UID] = f
	return ok(f.told())
}

func (c *call) titled(title, except string) *Folder {
	for uid, f := range c.org.folders {
		if f.Title == title && uid != except {
			return f
		}
	}
	return nil
}

// putFolder needs the current version, or overwrite; else it answers with 412 and version-mismatch, as documented.
func (c *call) putFolder(uid string) reply {
	var in struct {
		Title     string `json:"title"`
		Version   int64  `json:"version"`
		Overwrite bool   `json:"overwrite"`
	}
	if !c.bind(&in) {
		return badRequest()
	}
	f := c.org.folders[uid]
	switch {
	case f == nil:
		return noFolder()
	case f.Version != in.Version && !in.Overwrite:
		return refuseWith(http.StatusPreconditionFailed, "version-mismatch", "the folder has been changed by someone else")
	case c.titled(in.Title, uid) != nil && c.server.mode.UniqueTitles:
		return refuse(http.StatusConflict, "a folder or dashboard in the general folder with the same name already exists")
	}
	f.Title, f.Version = in.Title, f.Version+1
	return ok(f.told())
}

// deleteFolder takes everything in it along, which can't be undone. With forceDeleteRules=false alert rules in it make it fail
// with 400. All of that is documented.
func (c *call) deleteFolder(uid string) reply {
	f := c.org.folders[uid]
	switch {
	case f == nil:
		return noFolder()
	case f.AlertRules > 0 && c.query.Get("forceDeleteRules") != "true":
		return refuse(http.StatusBadRequest, "folder contains alert rules")
	}
	delete(c.org.folders, uid)
	for id, d := range c.org.dashboards {
		if d.FolderUID == uid {
			delete(c.org.dashboards, id)
		}
	}
	return ok(map[string]any{"message": "Folder deleted", "id": f.ID})
}

// countFolder is GetFolderDescendantCounts in pkg/api/folder.go.
func (c *call) countFolder(uid string) reply {
	f := c.org.folders[uid]
	if f == nil {
		return noFolder()
	}
	dashboards, folders := 0, 0
	for _, d := range c.org.dashboards {
		if d.FolderUID == uid {
			dashboards++
		}
	}
	for _, other := range c.org.folders {
		if other.ParentUID == uid {
			folders++
		}
	}
	return ok(map[string]any{"folder": folders, "dashboard": dashboards, "library_panel": 0, "alertrule": f.AlertRules})
}
