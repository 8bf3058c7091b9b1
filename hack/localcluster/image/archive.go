package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"
)

// epoch is every date in an image, so that the same files give the same image.
func epoch() time.Time { return time.Unix(0, 0).UTC() }

// config is the part of an image's configuration that a runtime reads.
type config struct {
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Created      time.Time `json:"created"`
	Config       struct {
		User       string
		Env        []string
		Entrypoint []string
		WorkingDir string
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// manifest is the entry of manifest.json that ties the archive together.
type manifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// Write writes the image as an archive to the file out, and returns its ID: the hash of its configuration.
func Write(s Spec, out string) (id string, err error) {
	layer, err := os.CreateTemp("", "hearth-layer-")
	if err != nil {
		return "", err
	}
	defer func() {
		_ = layer.Close()
		_ = os.Remove(layer.Name())
	}()
	diff := sha256.New()
	if err := writeLayer(s, io.MultiWriter(layer, diff)); err != nil {
		return "", err
	}
	cfg, err := configuration(s, "sha256:"+hex.EncodeToString(diff.Sum(nil)))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(cfg)
	id = hex.EncodeToString(sum[:])
	man, err := json.Marshal([]manifest{{Config: id + ".json", RepoTags: []string{s.Ref}, Layers: []string{"layer.tar"}}})
	if err != nil {
		return "", err
	}
	return id, writeArchive(out, map[string][]byte{"manifest.json": man, id + ".json": cfg}, layer)
}

func configuration(s Spec, diffID string) ([]byte, error) {
	c := config{Architecture: runtime.GOARCH, OS: "linux", Created: epoch()}
	c.Config.User = s.User
	c.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp"}
	c.Config.Entrypoint = []string{s.Entry}
	c.Config.WorkingDir = "/"
	c.RootFS.Type = "layers"
	c.RootFS.DiffIDs = []string{diffID}
	return json.Marshal(c)
}

func writeArchive(out string, small map[string][]byte, layer *os.File) (err error) {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	w := tar.NewWriter(f)
	names := []string{}
	for name := range small {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := addFile(w, name, 0o644, int64(len(small[name])), strings.NewReader(string(small[name]))); err != nil {
			return err
		}
	}
	size, err := layer.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := layer.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := addFile(w, "layer.tar", 0o644, size, layer); err != nil {
		return err
	}
	return w.Close()
}

// writeLayer writes the file system: the binaries, a /tmp that anyone may write, and the users' names for programs that look
// themselves up.
func writeLayer(s Spec, out io.Writer) error {
	w := tar.NewWriter(out)
	uid, gid, _ := strings.Cut(s.User, ":")
	etc := map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:" + uid + ":" + gid + ":nonroot:/tmp:/sbin/nologin\n",
		"etc/group":  "root:x:0:\nnonroot:x:" + gid + ":\n",
	}
	for _, dir := range directories(s) {
		mode := int64(0o755)
		if dir == "tmp/" {
			mode = 0o1777
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: mode, ModTime: epoch()}); err != nil {
			return err
		}
	}
	for _, name := range []string{"etc/group", "etc/passwd"} {
		if err := addFile(w, name, 0o644, int64(len(etc[name])), strings.NewReader(etc[name])); err != nil {
			return err
		}
	}
	for _, file := range s.Files {
		if err := addBinary(w, file); err != nil {
			return fmt.Errorf("image %s: %w", s.Ref, err)
		}
	}
	return w.Close()
}

// directories are all folders of the image, parents first.
func directories(s Spec) []string {
	dirs := []string{"etc/", "tmp/"}
	for _, f := range s.Files {
		for d := path.Dir(f.Path); d != "/"; d = path.Dir(d) {
			dirs = append(dirs, strings.TrimPrefix(d, "/")+"/")
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

func addBinary(w *tar.Writer, file File) error {
	f, err := os.Open(file.Source)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", file.Source)
	}
	return addFile(w, strings.TrimPrefix(file.Path, "/"), 0o755, info.Size(), f)
}

func addFile(w *tar.Writer, name string, mode, size int64, content io.Reader) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: size, ModTime: epoch()}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(w, content)
	return err
}
