package grafanatest

import "maps"

// Org is an organisation in the hands of its users, in an Edit.
type Org struct {
	server *Server
	org    *org
}

// DataSource is the one of a uid, nil if there is none. Who changes it has to raise its version, as Grafana does.
func (o *Org) DataSource(uid string) *DataSource { return o.org.dataSources[uid] }

// Folder is the one of a uid, nil if there is none.
func (o *Org) Folder(uid string) *Folder { return o.org.folders[uid] }

// Dashboard is the one of a uid, nil if there is none.
func (o *Org) Dashboard(uid string) *Dashboard { return o.org.dashboards[uid] }

// AddDataSource adds one that somebody made.
func (o *Org) AddDataSource(d DataSource) {
	d.ID, d.Version = o.server.nextID(), 1
	if d.JSONData == nil {
		d.JSONData = map[string]any{}
	}
	if d.Secrets == nil {
		d.Secrets = map[string]string{}
	}
	o.org.dataSources[d.UID] = &d
}

// AddFolder adds one that somebody made.
func (o *Org) AddFolder(f Folder) {
	f.ID, f.Version = o.server.nextID(), 1
	o.org.folders[f.UID] = &f
}

// AddDashboard adds one that somebody made.
func (o *Org) AddDashboard(d Dashboard) {
	d.ID, d.Version = o.server.nextID(), 1
	o.org.dashboards[d.UID] = &d
}

// SaveDashboard is what a user does who edits one and saves it.
func (o *Org) SaveDashboard(uid string, edit func(model map[string]any)) {
	d := o.org.dashboards[uid]
	d.Model = maps.Clone(d.Model)
	edit(d.Model)
	d.Version++
}

// Copy is what a user does who saves one under another name: everything in it is copied, tags too.
func (o *Org) Copy(uid, as string) {
	d := o.org.dashboards[uid]
	o.AddDashboard(Dashboard{UID: as, FolderUID: d.FolderUID, Model: maps.Clone(d.Model)})
}

// Delete removes whatever has the uid.
func (o *Org) Delete(uid string) {
	delete(o.org.dataSources, uid)
	delete(o.org.folders, uid)
	delete(o.org.dashboards, uid)
}

// Names are the uids of all there is, each with its kind before it.
func (o *Org) Names() []string {
	var out []string
	for _, uid := range sortedKeys(o.org.dashboards) {
		out = append(out, "dashboard "+uid)
	}
	for _, uid := range sortedKeys(o.org.dataSources) {
		out = append(out, "datasource "+uid)
	}
	for _, uid := range sortedKeys(o.org.folders) {
		out = append(out, "folder "+uid)
	}
	return out
}
