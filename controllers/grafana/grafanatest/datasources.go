package grafanatest

import (
	"maps"
	"net/http"
)

// DataSource is one. Secrets are what Grafana keeps encrypted and never tells.
type DataSource struct {
	ID              int64
	UID             string
	Name            string
	Type            string
	Access          string
	URL             string
	User            string
	Database        string
	BasicAuth       bool
	BasicAuthUser   string
	WithCredentials bool
	IsDefault       bool
	JSONData        map[string]any
	Secrets         map[string]string
	Version         int64
	ReadOnly        bool
}

// command is what POST and PUT take: the fields of data_source.md's examples.
type command struct {
	UID             string            `json:"uid"`
	Name            string            `json:"name"`
	Type            string            `json:"type"`
	Access          string            `json:"access"`
	URL             string            `json:"url"`
	User            string            `json:"user"`
	Database        string            `json:"database"`
	BasicAuth       bool              `json:"basicAuth"`
	BasicAuthUser   string            `json:"basicAuthUser"`
	WithCredentials bool              `json:"withCredentials"`
	IsDefault       bool              `json:"isDefault"`
	JSONData        map[string]any    `json:"jsonData"`
	SecureJSONData  map[string]string `json:"secureJsonData"`
	Version         int64             `json:"version"`
}

// told is a datasource as GET by uid tells it. The list leaves out the version and which secrets there are: of
// pkg/api/datasources.go, its items have neither.
func (d *DataSource) told(inList bool) map[string]any {
	out := map[string]any{
		"id": d.ID, "orgId": 1, "uid": d.UID, "name": d.Name, "type": d.Type, "typeLogoUrl": "", "access": d.Access, "url": d.URL,
		"user": d.User, "database": d.Database, "basicAuth": d.BasicAuth, "isDefault": d.IsDefault, "jsonData": d.JSONData, "readOnly": d.ReadOnly,
	}
	if inList {
		return out
	}
	set := map[string]bool{}
	for key, secret := range d.Secrets {
		if secret != "" { // an empty one counts as none
			set[key] = true
		}
	}
	out["basicAuthUser"], out["withCredentials"], out["secureJsonFields"], out["version"] = d.BasicAuthUser, d.WithCredentials, set, d.Version
	return out
}

func (c *call) listDataSources() reply {
	out := []map[string]any{}
	for _, uid := range sortedKeys(c.org.dataSources) {
		out = append(out, c.org.dataSources[uid].told(true))
	}
	return ok(out)
}

func (c *call) getDataSource(uid string) reply {
	if d := c.org.dataSources[uid]; d != nil {
		return ok(d.told(false))
	}
	return refuse(http.StatusNotFound, "Data source not found")
}

func (c *call) named(name string) *DataSource {
	for _, d := range c.org.dataSources {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// addDataSource is documented with 409 for a name or a uid that is taken; the texts are pkg/services/datasources/errors.go.
func (c *call) addDataSource() reply {
	var cmd command
	if !c.bind(&cmd) || cmd.Name == "" || cmd.Type == "" || cmd.Access == "" {
		return badRequest()
	}
	switch {
	case c.named(cmd.Name) != nil:
		return refuse(http.StatusConflict, "data source with the same name already exists")
	case badUID(cmd.UID) != "":
		return refuse(http.StatusBadRequest, "Invalid datasource UID") // pkg/services/datasources/service/store.go validates it
	case c.org.dataSources[cmd.UID] != nil:
		return refuse(http.StatusConflict, "data source with the same uid already exists")
	}
	d := &DataSource{ID: c.server.nextID(), UID: cmd.UID, Version: 1, Secrets: map[string]string{}}
	c.store(d, &cmd)
	return ok(map[string]any{"message": "Datasource added", "id": d.ID, "name": d.Name, "datasource": d.told(false)})
}

// store replaces every field but the secrets that are not named: those stay (fillWithSecureJSONData in
// pkg/services/datasources/service/datasource.go). Being made the default takes that from all others (updateIsDefaultFlag in store.go).
func (c *call) store(d *DataSource, cmd *command) {
	d.Name, d.Type, d.Access, d.URL, d.User, d.Database = cmd.Name, cmd.Type, cmd.Access, cmd.URL, cmd.User, cmd.Database
	d.BasicAuth, d.BasicAuthUser, d.WithCredentials, d.IsDefault = cmd.BasicAuth, cmd.BasicAuthUser, cmd.WithCredentials, cmd.IsDefault
	d.JSONData = cmd.JSONData
	if d.JSONData == nil {
		d.JSONData = map[string]any{}
	}
	maps.Copy(d.Secrets, cmd.SecureJSONData)
	if d.IsDefault {
		for _, other := range c.org.dataSources {
			other.IsDefault = false
		}
		d.IsDefault = true
	}
	c.org.dataSources[d.UID] = d
}

// putDataSource: 403 for one that is provisioned; 409 for a name that is taken, or a version that is older than what is there.
// A version of 0 is not checked, and the new one is the one that was sent, plus one (UpdateDataSource in store.go).
func (c *call) putDataSource(uid string) reply {
	var cmd command
	if !c.bind(&cmd) || cmd.Name == "" || cmd.Type == "" || cmd.Access == "" {
		return badRequest()
	}
	d := c.org.dataSources[uid]
	switch {
	case d == nil:
		return refuse(http.StatusNotFound, "Data source not found")
	case d.ReadOnly:
		return refuse(http.StatusForbidden, "Cannot update read-only data source")
	}
	if other := c.named(cmd.Name); other != nil && other != d {
		return refuse(http.StatusConflict, "Failed to update datasource: data source with the same name already exists")
	}
	if cmd.Version != 0 && d.Version > cmd.Version {
		return refuse(http.StatusConflict, "Datasource has already been updated by someone else. Please reload and try again")
	}
	d.Version = cmd.Version + 1
	c.store(d, &cmd)
	return ok(map[string]any{"message": "Datasource updated", "id": d.ID, "name": d.Name, "datasource": d.told(false)})
}

func (c *call) deleteDataSource(uid string) reply {
	d := c.org.dataSources[uid]
	switch {
	case d == nil:
		return refuse(http.StatusNotFound, "Data source not found")
	case d.ReadOnly:
		return refuse(http.StatusForbidden, "Cannot delete read-only data source")
	}
	delete(c.org.dataSources, uid)
	return ok(map[string]any{"message": "Data source deleted", "id": d.ID})
}
