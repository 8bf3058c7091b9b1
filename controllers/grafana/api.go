package grafana

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// What follows is Grafana's API as its documentation has it, below /api: "data_source", "folder", "dashboard",
// "folder_dashboard_search" and "other" in docs/sources/developers/http_api of its repository. Grafana 13 calls it deprecated
// in favour of /apis, which does not exist before Grafana 12, and leaves it as it is.

// health is the answer of GET /api/health, for which no token is needed.
type health struct {
	Database string `json:"database"`
	Version  string `json:"version"`
}

func (c *Client) health(ctx context.Context) (health, error) {
	var out health
	// Newer ones leave out the version for whoever is not signed in, so it is only shown.
	return out, c.do(ctx, http.MethodGet, "/api/health", nil, nil, &out)
}

// dataSource is a datasource as it is read and written. Fields that Hearth has no opinion on are written as they were read:
// an update replaces all of them.
type dataSource struct {
	ID              int64          `json:"id,omitempty"`
	UID             string         `json:"uid"`
	Name            string         `json:"name"`
	Type            string         `json:"type"`
	Access          string         `json:"access"`
	URL             string         `json:"url"`
	User            string         `json:"user"`
	Database        string         `json:"database"`
	BasicAuth       bool           `json:"basicAuth"`
	BasicAuthUser   string         `json:"basicAuthUser"`
	WithCredentials bool           `json:"withCredentials"`
	IsDefault       bool           `json:"isDefault"`
	JSONData        map[string]any `json:"jsonData"`
	Version         int64          `json:"version,omitempty"`
	// ReadOnly and SecureJSONFields are only read: it is provisioned from a file, and which secrets are set.
	ReadOnly         bool            `json:"readOnly,omitempty"`
	SecureJSONFields map[string]bool `json:"secureJsonFields,omitempty"`
	// SecureJSONData is only written. What it does not name stays as it is.
	SecureJSONData map[string]string `json:"secureJsonData,omitempty"`
}

// dataSources are all of the organisation, without their versions and secrets.
func (c *Client) dataSources(ctx context.Context) ([]dataSource, error) {
	var out []dataSource
	return out, c.do(ctx, http.MethodGet, "/api/datasources", nil, nil, &out)
}

func (c *Client) dataSource(ctx context.Context, uid string) (dataSource, error) {
	var out dataSource
	return out, c.do(ctx, http.MethodGet, "/api/datasources/uid/"+uid, nil, nil, &out)
}

// written is what a write of a datasource is answered with.
type written struct {
	DataSource dataSource `json:"datasource"`
}

func (c *Client) createDataSource(ctx context.Context, ds dataSource) (dataSource, error) {
	var out written
	err := c.do(ctx, http.MethodPost, "/api/datasources", nil, ds, &out)
	return out.DataSource, err
}

// updateDataSource is refused with 409 if there is a newer version than the one that is given.
func (c *Client) updateDataSource(ctx context.Context, ds dataSource) (dataSource, error) {
	var out written
	err := c.do(ctx, http.MethodPut, "/api/datasources/uid/"+ds.UID, nil, ds, &out)
	return out.DataSource, err
}

func (c *Client) deleteDataSource(ctx context.Context, uid string) error {
	return c.do(ctx, http.MethodDelete, "/api/datasources/uid/"+uid, nil, nil, nil)
}

// folder is a folder as it is read and written.
type folder struct {
	UID       string `json:"uid"`
	Title     string `json:"title"`
	ParentUID string `json:"parentUid,omitempty"`
	Version   int64  `json:"version,omitempty"`
}

func (c *Client) folder(ctx context.Context, uid string) (folder, error) {
	var out folder
	return out, c.do(ctx, http.MethodGet, "/api/folders/"+uid, nil, nil, &out)
}

func (c *Client) createFolder(ctx context.Context, uid, title string) error {
	return c.do(ctx, http.MethodPost, "/api/folders", nil, folder{UID: uid, Title: title}, nil)
}

// updateFolder is refused with 412 if there is a newer version than the one that is given.
func (c *Client) updateFolder(ctx context.Context, f folder) error {
	return c.do(ctx, http.MethodPut, "/api/folders/"+f.UID, nil, f, nil)
}

// deleteFolder takes everything in it along, so it has to be empty. Alert rules that came into it meanwhile make it fail.
func (c *Client) deleteFolder(ctx context.Context, uid string) error {
	return c.do(ctx, http.MethodDelete, "/api/folders/"+uid, url.Values{"forceDeleteRules": {"false"}}, nil, nil)
}

// folderCounts is how much of each kind there is in a folder and below it.
func (c *Client) folderCounts(ctx context.Context, uid string) (map[string]int64, error) {
	out := map[string]int64{}
	return out, c.do(ctx, http.MethodGet, "/api/folders/"+uid+"/counts", nil, nil, &out)
}

// dashboard is a dashboard as it is read.
type dashboard struct {
	Dashboard map[string]any `json:"dashboard"`
	Meta      struct {
		FolderUID   string `json:"folderUid"`
		Provisioned bool   `json:"provisioned"`
		Updated     string `json:"updated"`
	} `json:"meta"`
}

func (c *Client) dashboard(ctx context.Context, uid string) (dashboard, error) {
	var out dashboard
	return out, c.do(ctx, http.MethodGet, "/api/dashboards/uid/"+uid, nil, nil, &out)
}

// saveDashboard makes a dashboard, or replaces the version that it names. It never overwrites: by that word older Grafanas
// also mean a dashboard of another uid that has the same title. So a newer version is answered with 412.
func (c *Client) saveDashboard(ctx context.Context, model map[string]any, folderUID, message string) (version int64, err error) {
	in := struct {
		Dashboard map[string]any `json:"dashboard"`
		FolderUID string         `json:"folderUid,omitempty"`
		Message   string         `json:"message"`
		Overwrite bool           `json:"overwrite"`
	}{model, folderUID, message, false}
	var out struct {
		Version int64 `json:"version"`
	}
	err = c.do(ctx, http.MethodPost, "/api/dashboards/db", nil, in, &out)
	return out.Version, err
}

func (c *Client) deleteDashboard(ctx context.Context, uid string) error {
	return c.do(ctx, http.MethodDelete, "/api/dashboards/uid/"+uid, nil, nil, nil)
}

// hit is what a search finds.
type hit struct {
	UID       string   `json:"uid"`
	Title     string   `json:"title"`
	Type      string   `json:"type"`
	Tags      []string `json:"tags"`
	FolderUID string   `json:"folderUid"`
}

// Pages of a search. Grafana gives no more than 5000 hits at once; nobody has a hundred pages of our own.
const (
	searchPage  = 1000
	searchPages = 100
)

// search are all hits of a query, page by page.
func (c *Client) search(ctx context.Context, query url.Values) ([]hit, error) {
	var out []hit
	for page := 1; page <= searchPages; page++ {
		query.Set("limit", strconv.Itoa(searchPage))
		query.Set("page", strconv.Itoa(page))
		var hits []hit
		if err := c.do(ctx, http.MethodGet, "/api/search", query, nil, &hits); err != nil {
			return nil, err
		}
		out = append(out, hits...)
		if len(hits) < searchPage {
			break
		}
	}
	return out, nil
}

// number reads a number of a JSON document that was decoded with its digits kept.
func number(v any) int64 {
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	out, err := n.Int64()
	if err != nil {
		return 0
	}
	return out
}
