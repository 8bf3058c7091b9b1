package tree

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// Write puts a revision on disk, without using it: from the packed parts given by object name, and from the parts that another
// revision has already. A file system takes its time to make a file, and not much less to make a link. So the spare is taken if
// there is one, and only what differs from it is taken out and put in; what another revision has is linked; and only what none
// has is written. Of a burst each revision writes what is new in it, and an edit to one rule among ten thousand writes one file.
func (s *Store) Write(rev Revision, parts map[string][]byte) error {
	name := rev.dir()
	if held, ok := s.held[name]; ok {
		// The same content, perhaps of an object that was made again: only the note differs.
		held.Revision = rev
		return s.keep(name, filepath.Join(s.dir, name), held)
	}
	n, texts, err := s.contents(rev, parts)
	if err != nil {
		return fmt.Errorf("revision %d: %w", rev.Manifest.Revision, err)
	}
	temp, err := os.MkdirTemp(s.dir, tempPrefix)
	if err != nil {
		return err
	}
	// What is left of a failed one is swept later.
	defer func() { _ = os.RemoveAll(temp) }()
	if err := s.fill(temp, n, texts); err != nil {
		return fmt.Errorf("revision %d: %w", rev.Manifest.Revision, err)
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

// contents says what a revision's files are, and returns the text of those whose part was given.
func (s *Store) contents(rev Revision, parts map[string][]byte) (note, map[string][]byte, error) {
	n := note{Revision: rev, Files: map[string][]file{}, content: map[string]string{}}
	texts := map[string][]byte{}
	for _, o := range rev.Manifest.Objects {
		files, err := s.filesOf(o, parts[o.Name], texts)
		if err != nil {
			return note{}, nil, fmt.Errorf("%s: %w", o.Name, err)
		}
		for _, f := range files {
			if _, taken := n.content[f.Path]; taken {
				return note{}, nil, fmt.Errorf("%s: another part has %s too", o.Name, f.Path)
			}
			n.content[f.Path] = f.Sum
		}
		n.Files[o.SHA256] = files
	}
	return n, texts, nil
}

// filesOf are the files of one part; what they hold is added to texts if the part is given.
func (s *Store) filesOf(o bundle.Object, packed []byte, texts map[string][]byte) ([]file, error) {
	if packed == nil {
		files, ok := s.find(o.SHA256)
		if !ok {
			return nil, bundle.ErrMismatch
		}
		return files, nil
	}
	unpacked, err := bundle.Unpack(packed)
	if err != nil {
		return nil, err
	}
	files := make([]file, 0, len(unpacked))
	for path, text := range unpacked {
		if !strings.Contains(path, "/") {
			text = []byte(s.expand.Replace(string(text)))
		}
		sum := sha256.Sum256(text)
		files = append(files, file{path, hex.EncodeToString(sum[:16])})
		texts[path] = text
	}
	return files, nil
}

// fill makes the empty directory dir hold what n says.
func (s *Store) fill(dir string, n note, texts map[string][]byte) error {
	there, err := s.takeSpare(dir, n)
	if err != nil {
		return err
	}
	// Those of a process that runs as somebody else read it.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for path, sum := range n.content {
		if there[path] == sum {
			continue
		}
		if err := s.put(dir, path, sum, texts); err != nil {
			return err
		}
	}
	return nil
}

// put makes a file below dir, and the directory it lies in where that is not there yet.
func (s *Store) put(dir, path, sum string, texts map[string][]byte) error {
	target := filepath.Join(dir, filepath.FromSlash(path))
	err := s.linkOrWrite(target, path, sum, texts)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return s.linkOrWrite(target, path, sum, texts)
}

// linkOrWrite links a file that a revision on disk has at the same path, and writes one that none has. Links are safe because nothing ever
// writes into a file of a tree.
func (s *Store) linkOrWrite(target, path, sum string, texts map[string][]byte) error {
	for name, held := range s.held {
		if held.content[path] == sum {
			return os.Link(filepath.Join(s.dir, name, filepath.FromSlash(path)), target)
		}
	}
	text, ok := texts[path]
	if !ok {
		return fmt.Errorf("%s: %w", path, bundle.ErrMismatch)
	}
	f, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// takeSpare puts the spare, without the files that n does not have, in place of the empty directory dir, and returns what is there.
// The spare is used up, whatever comes of it.
func (s *Store) takeSpare(dir string, n note) (map[string]string, error) {
	spare := s.spare.content
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
	for path, sum := range spare {
		if n.content[path] != sum {
			if err := os.Remove(filepath.Join(dir, filepath.FromSlash(path))); err != nil {
				return nil, err
			}
		}
	}
	return spare, nil
}
