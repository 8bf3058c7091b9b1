// Package tree keeps revisions of a server's files on disk:
//
//	<dir>/rev-<revision>-<hash>/...   one directory per revision; rule files in rules/
//	<dir>/current                     symlink to the revision that the server reads
//	<dir>/good                        symlink to the revision that the server last acknowledged
//	<dir>/.spare                      a revision that nobody needs, of which the next one is made
//
// A revision is written beside the others and comes into use by renaming a symlink, so the server never sees half of
// one, and never a path other than <dir>/current/...: Prometheus keeps the state of a rule group by the path of its file.
package tree

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

const (
	currentLink = "current"
	goodLink    = "good"
	noteFile    = ".revision.json"
	tempPrefix  = ".new-"
	spareDir    = ".spare"
	revPrefix   = "rev-"
)

// Revision is a published manifest and the object it was found in.
type Revision struct {
	// UID is the manifest object's own. One that was deleted and made again counts its revisions from the start.
	UID      string          `json:"uid"`
	Manifest bundle.Manifest `json:"manifest"`
}

// None says that there is no such revision.
func (r Revision) None() bool { return r.Manifest.Revision == 0 }

// Same says whether both are the same content under the same number.
func (r Revision) Same(o Revision) bool {
	return r.UID == o.UID && r.Manifest.Revision == o.Manifest.Revision && r.Manifest.Hash == o.Manifest.Hash
}

// Supersedes says whether r is to be taken in place of o. A lower number of the same object never is.
func (r Revision) Supersedes(o Revision) bool {
	if r.None() {
		return false
	}
	return o.None() || r.UID != o.UID || r.Manifest.Revision > o.Manifest.Revision ||
		r.Manifest.Revision == o.Manifest.Revision && r.Manifest.Hash != o.Manifest.Hash
}

func (r Revision) dir() string {
	return fmt.Sprintf("%s%d-%.8s", revPrefix, r.Manifest.Revision, r.Manifest.Hash)
}

// note is kept in each revision's directory: what it is, and which files came with which part.
type note struct {
	Revision
	// Files are each part's, by the part's sha256.
	Files map[string][]file `json:"files"`
	// content is what each path holds.
	content map[string]string
}

// file is a path in a tree and the start of the sha256, in hex, of what lies there.
type file struct {
	Path string `json:"path"`
	Sum  string `json:"sum"`
}

func (n note) files() iter.Seq[file] {
	return func(yield func(file) bool) {
		for _, files := range n.Files {
			for _, f := range files {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// Store is the directory. It is used by one goroutine at a time.
type Store struct {
	dir    string
	expand *strings.Replacer
	held   map[string]note
	// spare is what spareDir holds; it has no files while there is none.
	spare note
}

// Open takes up what an earlier run left. Values replace $(NAME) in the files at the root of a tree: what differs
// between replicas that share one configuration.
func Open(dir string, values map[string]string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var pairs []string
	for name, value := range values {
		pairs = append(pairs, "$("+name+")", value)
	}
	s := &Store{dir: dir, expand: strings.NewReplacer(pairs...), held: map[string]note{}}
	if err := s.readNotes(); err != nil {
		return nil, err
	}
	// A run that ended between swap and answer leaves a revision in place of which nobody knows whether it works.
	if good := s.Good(); !good.None() && !good.Same(s.Current()) {
		if err := s.link(currentLink, good.dir()); err != nil {
			return nil, err
		}
	}
	return s, s.Sweep()
}

func (s *Store) readNotes() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), revPrefix) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(s.dir, e.Name(), noteFile))
		if err != nil {
			continue
		}
		var n note
		// A note that does not fit its directory is not ours; Sweep removes the directory.
		if json.Unmarshal(text, &n) == nil && n.dir() == e.Name() {
			n.content = map[string]string{}
			for f := range n.files() {
				n.content[f.Path] = f.Sum
			}
			s.held[e.Name()] = n
		}
	}
	return nil
}

// Current is the revision that the server reads.
func (s *Store) Current() Revision { return s.linked(currentLink) }

// Good is the revision that the server last acknowledged.
func (s *Store) Good() Revision { return s.linked(goodLink) }

func (s *Store) linked(link string) Revision {
	target, err := os.Readlink(filepath.Join(s.dir, link))
	if err != nil {
		return Revision{}
	}
	return s.held[target].Revision
}

// Missing are the parts of a revision that no revision on disk has.
func (s *Store) Missing(m bundle.Manifest) []bundle.Object {
	var missing []bundle.Object
	for _, o := range m.Objects {
		if _, ok := s.find(o.SHA256); !ok {
			missing = append(missing, o)
		}
	}
	return missing
}

// find returns the files of a part, if a revision on disk has it.
func (s *Store) find(sum string) (files []file, ok bool) {
	for _, n := range s.held {
		if files, ok := n.Files[sum]; ok {
			return files, true
		}
	}
	return nil, false
}

func (s *Store) keep(name, dir string, n note) error {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, noteFile+".new")
	if err := os.WriteFile(temp, text, 0o644); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(dir, noteFile)); err != nil {
		return err
	}
	s.held[name] = n
	return nil
}

// Use makes a revision the one that the server reads.
func (s *Store) Use(rev Revision) error {
	if _, ok := s.held[rev.dir()]; !ok {
		return fmt.Errorf("revision %d is not on disk", rev.Manifest.Revision)
	}
	return s.link(currentLink, rev.dir())
}

// Acknowledge notes that the server has loaded the current revision.
func (s *Store) Acknowledge(rev Revision) error { return s.link(goodLink, rev.dir()) }

func (s *Store) link(name, target string) error {
	temp := filepath.Join(s.dir, tempPrefix+name)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, temp); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(s.dir, name))
}

// Sweep clears away every revision but the current one, the good one and those given, and what a killed run left half done. The
// newest of those it clears away becomes the spare.
func (s *Store) Sweep(keep ...Revision) error {
	kept := map[string]bool{spareDir: s.spare.content != nil}
	for _, rev := range append(keep, s.Current(), s.Good()) {
		if !rev.None() {
			kept[rev.dir()] = true
		}
	}
	if err := s.makeSpare(kept); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		ours := strings.HasPrefix(name, revPrefix) || strings.HasPrefix(name, tempPrefix) || name == spareDir
		if !ours || kept[name] {
			continue
		}
		delete(s.held, name)
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// makeSpare makes the newest revision that is not kept the spare, unless there is one.
func (s *Store) makeSpare(kept map[string]bool) error {
	if kept[spareDir] {
		return nil
	}
	newest := ""
	for name, n := range s.held {
		if !kept[name] && (newest == "" || n.Manifest.Revision > s.held[newest].Manifest.Revision) {
			newest = name
		}
	}
	if newest == "" {
		return nil
	}
	// That of an earlier run.
	if err := os.RemoveAll(filepath.Join(s.dir, spareDir)); err != nil {
		return err
	}
	n := s.held[newest]
	delete(s.held, newest)
	if err := os.Rename(filepath.Join(s.dir, newest), filepath.Join(s.dir, spareDir)); err != nil {
		return err
	}
	s.spare, kept[spareDir] = n, true
	return nil
}

// Spare makes a spare of the good revision, unless there is one, so that not even the first edit after a start waits for all files
// to be made. It goes on until there is something else to do; what it has by then serves as well.
func (s *Store) Spare(busy func() bool) error {
	good, ok := s.held[s.Good().dir()]
	if !ok || s.spare.content != nil {
		return nil
	}
	dir := filepath.Join(s.dir, spareDir)
	// That of an earlier run.
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	s.spare = note{content: map[string]string{}}
	for path, sum := range good.content {
		if busy() {
			return nil
		}
		if err := s.put(dir, path, sum, nil); err != nil {
			s.spare = note{} // what there is of the file is not known
			return err
		}
		s.spare.content[path] = sum
	}
	return nil
}
