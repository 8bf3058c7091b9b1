package build

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hearth-monitoring/hearth/hack/localcluster/image"
)

// Image is an image that localcluster knows how to make: the target that builds its binaries, and what goes where.
type Image struct {
	Name   string // what `localcluster load` calls it
	Ref    string // what pods call it
	Target string
	Files  map[string]string // path in the image: path below the repository's bin
	Entry  string
	User   string
}

// Images are all built-in images. One more is a row here and one in Targets.
func Images() []Image {
	return []Image{
		{
			Name: "pause", Ref: PauseRef, Target: "pause",
			Files: map[string]string{"/pause": "images/pause"}, Entry: "/pause", User: "65535:65535",
		},
		{
			Name: "coredns", Ref: CoreDNSRef, Target: "coredns",
			Files: map[string]string{"/coredns": "images/coredns"}, Entry: "/coredns", User: "65532:65532",
		},
		{
			Name: "prometheus", Ref: "prom/prometheus:v" + Prometheus, Target: "prometheus",
			Files: map[string]string{"/bin/prometheus": "prometheus", "/bin/promtool": "promtool"},
			Entry: "/bin/prometheus", User: "65534:65534",
		},
		{
			Name: "alertmanager", Ref: "prom/alertmanager:v" + Alertmanager, Target: "alertmanager",
			Files: map[string]string{"/bin/alertmanager": "alertmanager", "/bin/amtool": "amtool"},
			Entry: "/bin/alertmanager", User: "65534:65534",
		},
	}
}

// The images that a cluster itself runs.
const (
	PauseRef   = "hearth-localcluster/pause:" + Pause
	CoreDNSRef = "hearth-localcluster/coredns:v" + CoreDNS
)

// FindImage is the built-in image called name.
func FindImage(name string) (Image, error) {
	images := Images()
	i := slices.IndexFunc(images, func(i Image) bool { return i.Name == name })
	if i < 0 {
		var names []string
		for _, i := range images {
			names = append(names, i.Name)
		}
		return Image{}, fmt.Errorf("no built-in image %q; there are: %s (or say NAME:TAG=FILE[:/path/in/image][,FILE...])",
			name, strings.Join(names, " "))
	}
	return images[i], nil
}

// Spec is the image as files of the repository's bin.
func (i Image) Spec(bin string) image.Spec {
	s := image.Spec{Ref: i.Ref, Entry: i.Entry, User: i.User}
	for path, file := range i.Files {
		s.Files = append(s.Files, image.File{Source: filepath.Join(bin, file), Path: path})
	}
	slices.SortFunc(s.Files, func(a, b image.File) int { return strings.Compare(a.Path, b.Path) })
	return s
}
