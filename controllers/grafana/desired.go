package grafana

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Desired is what a Grafana should have of one server.
type Desired struct {
	DataSources []DataSource
	Folders     []Folder
	Dashboards  []Dashboard
}

// DataSource is a datasource, in Grafana's own words.
type DataSource struct {
	UID, Name, Type, URL string
	// Default makes it what Grafana takes where none is named, which takes that from whichever was it before. Without it,
	// which one that is stays as it is.
	Default       bool
	BasicAuth     bool
	BasicAuthUser string
	JSONData      map[string]any
	// SecureJSONData are secrets. Grafana never tells them again.
	SecureJSONData map[string]string
}

// Folder is a folder for dashboards. In Grafana its uid is followed by the owner's own suffix.
type Folder struct{ UID, Title string }

// Dashboard is a dashboard as Grafana exports it.
type Dashboard struct {
	UID    string
	Folder string // the UID of one of the folders; empty: none
	JSON   []byte
}

// Owner is the server whose things they are.
type Owner struct {
	Namespace, Name string
	// ID is one that no server of any cluster shares: the object's UID.
	ID string
	// Former are IDs of which the things are this server's too: of objects of its name that were there before it.
	Former []string
}

// Of names the server.
func (o Owner) Of() string { return o.Namespace + "/" + o.Name }

func (o Owner) ids() []string { return append([]string{o.ID}, o.Former...) }

// tagHearth is on every dashboard that a Hearth made, and finds them. signedPrefix begins a second tag, which says for whom and for
// which uid: a copy has the tags as well, with another uid, and is whose who made it. Grafana keeps fifty characters of a tag.
const (
	tagHearth    = "hearth"
	signedPrefix = "hearth-"
)

func signature(id, uid string) string { return signedPrefix + digest(id+"\n"+uid, 16) }

func digest(text string, length int) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:length]
}

// folderUID is a folder's uid in Grafana. A folder has nothing else that could say whose it is.
func folderUID(id, uid string) string { return uid + "-" + digest(id, 10) }

// marker is in a datasource's jsonData and says whose it is, and what of it.
type marker struct {
	Server string `json:"server"`
	ID     string `json:"id"`
	// UID is the datasource's: a copy is not the server's.
	UID string `json:"uid"`
	// Keys of jsonData and of the secrets are those that were written, and go when they are no longer wanted. Others stay.
	Keys       []string `json:"keys,omitempty"`
	SecretKeys []string `json:"secretKeys,omitempty"`
	// Secrets tells whether the secrets are the wanted ones, to whoever has the token and to nobody else.
	Secrets string `json:"secrets,omitempty"`
	// Version is the datasource's, once it was written. A higher one means that somebody may have changed the secrets.
	Version int64 `json:"version,omitempty"`
}

const markerKey = "hearth"

// markerOf reads the marker of a datasource.
func markerOf(ds dataSource) (marker, bool) {
	var out marker
	text, err := json.Marshal(ds.JSONData[markerKey])
	if err != nil || json.Unmarshal(text, &out) != nil {
		return marker{}, false
	}
	return out, out.ID != "" && out.UID == ds.UID
}

// seal tells secrets apart. It is keyed with the token, because others may read it, and a plain hash lets guess a password.
func seal(token string, secrets map[string]string) string {
	if len(secrets) == 0 {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(token))
	for _, key := range slices.Sorted(maps.Keys(secrets)) {
		text, _ := json.Marshal([2]string{key, secrets[key]}) // two strings can always be encoded
		mac.Write(text)
	}
	return hex.EncodeToString(mac.Sum(nil))[:32]
}

// isHearths says whether a dashboard was made by a Hearth, and whether for this owner.
func (o Owner) isHearths(uid string, tags []string) (hearths, ours bool) {
	for _, id := range o.ids() {
		if slices.Contains(tags, signature(id, uid)) {
			return true, true
		}
	}
	return slices.Contains(tags, tagHearth) && slices.ContainsFunc(tags, func(tag string) bool { return strings.HasPrefix(tag, signedPrefix) }), false
}
