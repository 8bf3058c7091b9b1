package collector

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

// mount is a line of mountinfo, and the labels of its samples as long as it answers.
type mount struct {
	device, point, kind, major, minor string
	readonly                          bool

	path         string // where we find it
	labels, info text.Labels
}

// parseMounts turns mountinfo's lines into mounts. What is mounted twice in the same place from the same device is one.
func parseMounts(b []byte, root string) ([]*mount, error) {
	type key struct{ device, point, kind string }
	seen := map[key]bool{}
	var mounts []*mount
	n := 0
	for len(b) > 0 {
		var line []byte
		line, b = scan.Line(b)
		n++
		m, err := parseMount(string(line), root)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if k := (key{m.device, m.point, m.kind}); !seen[k] {
			seen[k] = true
			mounts = append(mounts, m)
		}
	}
	return mounts, nil
}

// parseMount reads a line as proc_pid_mountinfo(5) has it:
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
func parseMount(line, root string) (*mount, error) {
	place, source, ok := strings.Cut(line, " - ")
	if !ok {
		return nil, fmt.Errorf("%q is not a mount", line)
	}
	at, from := strings.Split(place, " "), strings.SplitN(source, " ", 3)
	if len(at) < 6 || len(from) < 3 {
		return nil, fmt.Errorf("%q has too few fields for a mount", line)
	}
	major, minor, _ := bytes.Cut([]byte(at[2]), []byte(":"))
	_, okMajor := scan.Uint(major)
	_, okMinor := scan.Uint(minor)
	if !okMajor || !okMinor {
		return nil, fmt.Errorf("mount %s: %q is not a device number", at[0], at[2])
	}
	options := slices.Concat(strings.Split(at[5], ","), strings.Split(from[2], ","))
	return &mount{
		device: from[1], kind: from[0], major: string(major), minor: string(minor),
		point:    stripRoot(root, strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(at[4])),
		readonly: slices.Contains(options, "ro") || slices.Contains(options, "emergency_ro"),
	}, nil
}

// stripRoot takes the place where the host's root is mounted off a mount point, which starts with it if what was read
// is the mount table of a container that has the host's root mounted.
func stripRoot(root, point string) string {
	root = filepath.Clean(root)
	if rest, ok := strings.CutPrefix(point, root); ok && root != "/" {
		switch {
		case rest == "":
			return "/"
		case rest[0] == '/':
			return rest
		}
	}
	return point
}
