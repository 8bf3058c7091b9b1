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
	// Files are the paths of each part's files, by the part's sha256.
	Files map[string][]string `json:"files"`
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
		if _, _, ok := s.find(o.SHA256); !ok {
			missing = append(missing, o)
		}
	}
	return missing
}

func (s *Store) find(sum string) (dir string, files []string, ok bool) {
	for dir, n := range s.held {
		if files, ok := n.Files[sum]; ok {
			return dir, files, true
		}
	}
	return "", nil, false
}

// Write puts a revision on disk, without using it: from the packed parts given by object name, and by hard links for the
// parts that another revision has already, so that an edit to one rule among ten thousand writes one bucket. Where there is a
// spare, not even the links of the others are made again: what differs from it is taken out and put in.
func (s *Store) Write(rev Revision, parts map[string][]byte) error {
	n := note{Revision: rev, Files: map[string][]string{}}
	name := rev.dir()
	if held, ok := s.held[name]; ok {
		// The same content, perhaps of an object that was made again: only the note differs.
		n.Files = held.Files
		return s.keep(name, filepath.Join(s.dir, name), n)
	}
	temp, err := os.MkdirTemp(s.dir, tempPrefix)
	if err != nil {
		return err
	}
	// What is left of a failed one is swept later.
	defer func() { _ = os.RemoveAll(temp) }()
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	there, err := s.takeSpare(temp, rev.Manifest)
	if err != nil {
		return fmt.Errorf("revision %d: %w", rev.Manifest.Revision, err)
	}
	for _, o := range rev.Manifest.Objects {
		files, ok := there[o.SHA256]
		if !ok {
			if files, err = s.writePart(temp, o, parts[o.Name]); err != nil {
				return fmt.Errorf("revision %d: %s: %w", rev.Manifest.Revision, o.Name, err)
			}
		}
		n.Files[o.SHA256] = files
	}
	if err := s.keep(name, temp, n); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
		delete(s.held, name)
		return err
	}
	if err := os.Rename(temp, filepath.Join(s.dir, name)); err != nil {
		delete(s.held, name)
		return err
	}
	return nil
}

// takeSpare puts the spare in place of the empty directory dir, without the files of the parts that m does not name, and returns
// those that it still has, by the part's sha256. It is used up, whatever comes of it. Files that are there are never written to:
// other revisions have the same.
func (s *Store) takeSpare(dir string, m bundle.Manifest) (map[string][]string, error) {
	spare := s.spare.Files
	s.spare = note{}
	if spare == nil {
		return nil, nil
	}
	if err := os.Remove(dir); err != nil {
		return nil, err
	}
	if err := os.Rename(filepath.Join(s.dir, spareDir), dir); err != nil {
		return nil, err
	}
	there := map[string][]string{}
	for _, o := range m.Objects {
		if files, ok := spare[o.SHA256]; ok {
			there[o.SHA256] = files
			delete(spare, o.SHA256)
		}
	}
	for _, files := range spare {
		for _, name := range files {
			if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
				return nil, err
			}
		}
	}
	return there, nil
}

func (s *Store) writePart(temp string, o bundle.Object, packed []byte) ([]string, error) {
	if packed == nil {
		dir, names, ok := s.find(o.SHA256)
		if !ok {
			return nil, bundle.ErrMismatch
		}
		return names, s.linkFiles(filepath.Join(s.dir, dir), temp, names)
	}
	files, err := bundle.Unpack(packed)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(files))
	for name, data := range files {
		if !strings.Contains(name, "/") {
			data = []byte(s.expand.Replace(string(data)))
		}
		if err := writeNew(filepath.Join(temp, filepath.FromSlash(name)), data); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// linkFiles is safe because nothing ever writes into a file of a tree.
func (s *Store) linkFiles(from, to string, names []string) error {
	for _, name := range names {
		target := filepath.Join(to, filepath.FromSlash(name))
		err := os.Link(filepath.Join(from, filepath.FromSlash(name)), target)
		if errors.Is(err, fs.ErrNotExist) {
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				return err
			}
			err = os.Link(filepath.Join(from, filepath.FromSlash(name)), target)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeNew refuses a file that is there: two parts that bring the same one.
func writeNew(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
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
	kept := map[string]bool{spareDir: s.spare.Files != nil}
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
