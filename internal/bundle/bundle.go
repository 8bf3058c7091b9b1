// Package bundle is the format in which a server's files travel from the operator, which packs them, to the reloader
// beside the server, which unpacks them.
//
// A server's files are published as ConfigMaps with names that never change while the set stays the same size:
//
//	<prefix>-config     data["manifest.json"]: the Manifest. Written last; the one object the reloader watches.
//	<prefix>-files      binaryData["files.tar.gz"]: the files at the root of the tree (prometheus.yml, ...)
//	<prefix>-rules-<i>  binaryData["files.tar.gz"]: one bucket of rule files, which lie below rules/ in the tree
//
// manifest.json:
//
//	{"revision":7,"hash":"<sha256 over objects>","rules":12,"objects":[
//	  {"name":"prometheus-main-files","sha256":"<sha256 of the packed bytes>"},
//	  {"name":"prometheus-main-rules-0","sha256":"..."}]}
//
// files.tar.gz is a gzip'd tar of regular files and nothing else: clean relative paths, sorted, mode 0644, zero times,
// so that the same files always give the same bytes and an unchanged object is not written.
//
// Objects are overwritten in place, so a reader may see a manifest and the parts of its successor. The hashes say so,
// and the reader's answer is to wait for the manifest that belongs to what it saw, not to complain.
//
// A rule file's bucket depends on its name alone, and the number of buckets is a power of two that follows the amount
// of rules. An edit therefore rewrites one bucket and the manifest, whatever else is published.
package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

const (
	// ManifestKey is the data key of the manifest ConfigMap.
	ManifestKey = "manifest.json"
	// PartKey is the binaryData key of every part ConfigMap.
	PartKey = "files.tar.gz"
	// RulesDir is the directory of the tree in which rule files lie.
	RulesDir = "rules"

	// PartLimit is the most bytes a packed part may have. An API object's data may be 1 MiB; the rest is headroom for
	// metadata and for the base64 that JSON makes of it on the way.
	PartLimit = 900 << 10
	// PartAim is the size buckets are kept around. It is far below PartLimit because an edit packs, sends, stores and
	// fetches its whole bucket: small buckets make a fast edit, and a hundred of them cost nothing.
	PartAim = 16 << 10

	// MaxObjects bounds the parts that a manifest may name.
	MaxObjects = 4096
)

// Manifest names everything that makes up one revision of a server's files.
type Manifest struct {
	// Revision counts published contents, from 1. It grows by one with every change.
	Revision int64 `json:"revision"`
	// Hash is the sha256, in hex, over the names and hashes of Objects in their order.
	Hash string `json:"hash"`
	// Rules is how many rules (not files) are published, for comparison with what the server says it evaluates.
	Rules int `json:"rules"`
	// Shards is over how many of them the files distribute targets, where that is more than one.
	Shards int32 `json:"shards,omitempty"`
	// Objects are the parts: first the files, then the rule buckets in order.
	Objects []Object `json:"objects"`
}

// Object is one part of a revision.
type Object struct {
	// Name is the ConfigMap that holds the part.
	Name string `json:"name"`
	// SHA256 is that of the packed bytes, in hex.
	SHA256 string `json:"sha256"`
}

// ErrMismatch says that the parts are not those that the manifest names: someone is in the middle of writing them.
var ErrMismatch = errors.New("the parts are not those of the manifest")

// ManifestName is the name of the ConfigMap that holds the manifest.
func ManifestName(prefix string) string { return prefix + "-config" }

// FilesName is the name of the ConfigMap that holds the files at the root of the tree.
func FilesName(prefix string) string { return prefix + "-files" }

// RulesName is the name of the ConfigMap that holds the i-th bucket of rule files.
func RulesName(prefix string, i int) string { return fmt.Sprintf("%s-rules-%d", prefix, i) }

// Marshal is the text of manifest.json: the same manifest always gives the same text.
func (m Manifest) Marshal() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

// ParseManifest reads manifest.json and refuses one that contradicts itself.
func ParseManifest(text []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", ManifestKey, err)
	}
	if err := m.check(); err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", ManifestKey, err)
	}
	return m, nil
}

// Names are the names of the parts, in order.
func (m Manifest) Names() []string {
	names := make([]string, len(m.Objects))
	for i, o := range m.Objects {
		names[i] = o.Name
	}
	return names
}

// Buckets is the number of rule buckets that the manifest of the given prefix names.
func (m Manifest) Buckets(prefix string) int {
	n := 0
	for n < len(m.Objects)-1 && m.Objects[n+1].Name == RulesName(prefix, n) {
		n++
	}
	return n
}

// Verify checks packed parts, by object name, against the manifest. What does not fit wraps ErrMismatch.
func (m Manifest) Verify(objects map[string][]byte) error {
	for _, o := range m.Objects {
		packed, ok := objects[o.Name]
		if !ok {
			return fmt.Errorf("revision %d: %s is missing: %w", m.Revision, o.Name, ErrMismatch)
		}
		if got := Sum(packed); got != o.SHA256 {
			return fmt.Errorf("revision %d: %s has sha256 %.12s, not %.12s: %w", m.Revision, o.Name, got, o.SHA256, ErrMismatch)
		}
	}
	return nil
}

// Sum is the sha256 of packed bytes as manifests write it.
func Sum(packed []byte) string {
	sum := sha256.Sum256(packed)
	return hex.EncodeToString(sum[:])
}

func (m Manifest) check() error {
	if m.Revision < 1 {
		return fmt.Errorf("revision %d is not positive", m.Revision)
	}
	if m.Rules < 0 {
		return fmt.Errorf("rules %d is negative", m.Rules)
	}
	if len(m.Objects) == 0 || len(m.Objects) > MaxObjects {
		return fmt.Errorf("%d objects: want 1 to %d", len(m.Objects), MaxObjects)
	}
	seen := make(map[string]bool, len(m.Objects))
	for _, o := range m.Objects {
		if err := o.check(); err != nil {
			return err
		}
		if seen[o.Name] {
			return fmt.Errorf("object %q is named twice", o.Name)
		}
		seen[o.Name] = true
	}
	if want := hashOf(m.Objects); m.Hash != want {
		return fmt.Errorf("hash %.12q is not that of the objects, %.12q", m.Hash, want)
	}
	return nil
}

// check keeps out names that would lead a request elsewhere: the reloader puts them into an API path.
func (o Object) check() error {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-."
	if o.Name == "" || len(o.Name) > 253 || strings.Trim(o.Name, allowed) != "" || strings.Trim(o.Name, "-.") != o.Name {
		return fmt.Errorf("%q is not an object name", o.Name)
	}
	if sum, err := hex.DecodeString(o.SHA256); err != nil || len(sum) != sha256.Size || strings.ToLower(o.SHA256) != o.SHA256 {
		return fmt.Errorf("object %q: %q is not a sha256", o.Name, o.SHA256)
	}
	return nil
}

func hashOf(objects []Object) string {
	h := sha256.New()
	for _, o := range objects {
		fmt.Fprintf(h, "%s %s\n", o.Name, o.SHA256)
	}
	return hex.EncodeToString(h.Sum(nil))
}
