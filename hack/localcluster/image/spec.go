// Package image makes container images out of static binaries: one layer, the same bytes for the same files, in the
// archive format that containerd imports. There is no registry and no base image.
package image

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Spec says what is in an image.
type Spec struct {
	Ref   string // NAME:TAG as pods write it; containerd normalises it as it does theirs
	Files []File
	Entry string // the path in the image of what it runs
	User  string // UID:GID
}

// File is a file on this machine and its path in the image.
type File struct {
	Source string
	Path   string
}

const defaultUser = "65532:65532"

// reference is NAME:TAG, where the name may have a registry and folders before it.
var reference = regexp.MustCompile(`^[a-z0-9]([a-z0-9._/:-]*[a-z0-9])?:[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// Parse reads NAME:TAG=FILE[:/path/in/image][,FILE...].
func Parse(arg string) (Spec, error) {
	ref, list, found := strings.Cut(arg, "=")
	if !found || list == "" {
		return Spec{}, fmt.Errorf("image %q: want NAME:TAG=FILE[:/path/in/image][,FILE...]", arg)
	}
	if !reference.MatchString(ref) {
		return Spec{}, fmt.Errorf("image %q: %q is not NAME:TAG (lower-case name, and a tag)", arg, ref)
	}
	s := Spec{Ref: ref, User: defaultUser}
	seen := map[string]bool{}
	for _, item := range strings.Split(list, ",") {
		source, target, _ := strings.Cut(item, ":")
		if source == "" {
			return Spec{}, fmt.Errorf("image %q: a file's name is empty", arg)
		}
		if target == "" {
			target = "/" + filepath.Base(source)
		}
		if !path.IsAbs(target) || path.Clean(target) != target || target == "/" {
			return Spec{}, fmt.Errorf("image %q: %q is not an absolute path of a file in the image", arg, target)
		}
		if seen[target] {
			return Spec{}, fmt.Errorf("image %q: two files want to be %s in the image", arg, target)
		}
		seen[target] = true
		s.Files = append(s.Files, File{Source: source, Path: target})
	}
	s.Entry = s.Files[0].Path
	return s, nil
}
