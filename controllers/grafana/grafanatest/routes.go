package grafanatest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// call is one request of somebody who is known.
type call struct {
	server *Server
	org    *org
	may    func(permission string) bool
	query  url.Values
	body   string
}

// needs answers without calling handle, if the permission is missing. The names are those of the documentation.
func (c *call) needs(permission string, handle func() reply) reply {
	if !c.may(permission) {
		return denied(permission)
	}
	return handle()
}

func (c *call) route(method string, path []string) reply {
	switch path[0] {
	case "datasources":
		return c.routeDataSources(method, path[1:])
	case "folders":
		return c.routeFolders(method, path[1:])
	case "dashboards":
		return c.routeDashboards(method, path[1:])
	case "search":
		return c.search()
	}
	return refuse(http.StatusNotFound, "Not found")
}

func (c *call) routeDataSources(method string, path []string) reply {
	uid := ""
	if len(path) == 2 && path[0] == "uid" {
		uid = path[1]
	}
	switch {
	case method == http.MethodGet && len(path) == 0:
		return c.needs("datasources:read", c.listDataSources)
	case method == http.MethodPost && len(path) == 0:
		return c.needs("datasources:create", c.addDataSource)
	case uid == "":
	case method == http.MethodGet:
		return c.needs("datasources:read", func() reply { return c.getDataSource(uid) })
	case method == http.MethodPut:
		return c.needs("datasources:write", func() reply { return c.putDataSource(uid) })
	case method == http.MethodDelete:
		return c.needs("datasources:delete", func() reply { return c.deleteDataSource(uid) })
	}
	return refuse(http.StatusNotFound, "Not found")
}

func (c *call) routeFolders(method string, path []string) reply {
	switch {
	case len(path) == 0 && method == http.MethodPost:
		return c.needs("folders:create", c.addFolder)
	case len(path) == 2 && path[1] == "counts" && method == http.MethodGet:
		return c.needs("folders:read", func() reply { return c.countFolder(path[0]) })
	case len(path) != 1:
	case method == http.MethodGet:
		return c.needs("folders:read", func() reply { return c.getFolder(path[0]) })
	case method == http.MethodPut:
		return c.needs("folders:write", func() reply { return c.putFolder(path[0]) })
	case method == http.MethodDelete:
		return c.needs("folders:delete", func() reply { return c.deleteFolder(path[0]) })
	}
	return refuse(http.StatusNotFound, "Not found")
}

func (c *call) routeDashboards(method string, path []string) reply {
	switch {
	case len(path) == 1 && path[0] == "db" && method == http.MethodPost:
		return c.needs("dashboards:write", c.saveDashboard)
	case len(path) != 2 || path[0] != "uid":
	case method == http.MethodGet:
		return c.needs("dashboards:read", func() reply { return c.getDashboard(path[1]) })
	case method == http.MethodDelete:
		return c.needs("dashboards:delete", func() reply { return c.deleteDashboard(path[1]) })
	}
	return refuse(http.StatusNotFound, "Not found")
}

// bind reads what was sent; pkg/web's Bind refuses what is none with 400.
func (c *call) bind(into any) bool {
	decoder := json.NewDecoder(strings.NewReader(c.body))
	decoder.UseNumber()
	return decoder.Decode(into) == nil
}

func badRequest() reply { return refuse(http.StatusBadRequest, "bad request data") }

// badUID is pkg/util/shortid_generator.go: letters, digits, - and _, at most 40 of them.
func badUID(uid string) string {
	if len(uid) > 40 {
		return "uid too long, max 40 characters"
	}
	for _, r := range uid {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", r) {
			return "uid contains illegal characters"
		}
	}
	return ""
}

// hit is one of a search, as documented in folder_dashboard_search.md.
type hit struct {
	ID        int64    `json:"id"`
	UID       string   `json:"uid"`
	Title     string   `json:"title"`
	Type      string   `json:"type"`
	Tags      []string `json:"tags"`
	FolderUID string   `json:"folderUid,omitempty"`
}

func (o *org) hits() []hit {
	var out []hit
	for _, uid := range sortedKeys(o.folders) {
		f := o.folders[uid]
		out = append(out, hit{ID: f.ID, UID: uid, Title: f.Title, Type: "dash-folder", Tags: []string{}, FolderUID: f.ParentUID})
	}
	for _, uid := range sortedKeys(o.dashboards) {
		d := o.dashboards[uid]
		out = append(out, hit{ID: d.ID, UID: uid, Title: d.title(), Type: "dash-db", Tags: d.tags(), FolderUID: d.FolderUID})
	}
	return out
}

// search answers with what the account may read only, a thousand hits a page unless limit says otherwise, at most 5000.
func (c *call) search() reply {
	all := c.org.hits()
	if c.server.mode.SearchBehind {
		all = c.org.indexed
	}
	limit, page := 1000, 1
	if n, err := strconv.Atoi(c.query.Get("limit")); err == nil && n > 0 {
		limit = min(n, 5000)
	}
	if n, err := strconv.Atoi(c.query.Get("page")); err == nil && n > 0 {
		page = n
	}
	found := []hit{}
	for _, h := range all {
		if c.finds(h) {
			found = append(found, h)
		}
	}
	from := min((page-1)*limit, len(found))
	return ok(found[from:min(from+limit, len(found))])
}

func (c *call) finds(h hit) bool {
	if h.Type == "dash-db" && !c.may("dashboards:read") || h.Type == "dash-folder" && !c.may("folders:read") {
		return false
	}
	if kind := c.query.Get("type"); kind != "" && kind != h.Type {
		return false
	}
	if in := c.query["folderUIDs"]; len(in) > 0 && !contains(in, h.FolderUID) {
		return false
	}
	for _, tag := range c.query["tag"] {
		if !contains(h.Tags, tag) {
			return false
		}
	}
	return true
}

func contains(list []string, s string) bool {
	for _, in := range list {
		if in == s {
			return true
		}
	}
	return false
}
