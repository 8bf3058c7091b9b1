// Package build makes the binaries that a cluster and its images are of: each target is one `go build` of a pinned module,
// skipped when nothing it depends on has changed, and reported while it runs, because the first one takes minutes.
package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hearth-monitoring/hearth/hack/localcluster/host"
)

// Builder builds targets of the repository at Root, reporting to Out.
type Builder struct {
	Root string
	Out  io.Writer
}

// Bin is the folder that results go to.
func (b Builder) Bin() string { return filepath.Join(b.Root, "bin") }

func (b Builder) module() string { return filepath.Join(b.Root, "hack", "localcluster") }

func (b Builder) stampFile(t Target) string { return filepath.Join(b.Bin(), ".stamps", t.Name) }

// Build makes the named targets, in order, each only if what it was made from has changed.
func (b Builder) Build(ctx context.Context, names ...string) error {
	for _, name := range names {
		t, err := Find(name)
		if err != nil {
			return err
		}
		if err := b.ensure(ctx, t); err != nil {
			return fmt.Errorf("build %s: %w", name, err)
		}
	}
	return nil
}

// Current reports whether a target is built, from what its sources are now.
func (b Builder) Current(name string) (bool, error) {
	t, err := Find(name)
	if err != nil {
		return false, err
	}
	stamp, err := b.stamp(t)
	return err == nil && b.current(t, stamp), err
}

func (b Builder) ensure(ctx context.Context, t Target) error {
	stamp, err := b.stamp(t)
	if err != nil {
		return err
	}
	if b.current(t, stamp) {
		return nil
	}
	unlock, err := host.Lock("build-"+t.Name, b.Out)
	if err != nil {
		return err
	}
	defer unlock()
	if b.current(t, stamp) {
		return nil // Another built it while we waited.
	}
	start := time.Now()
	if err := b.compile(ctx, t); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(b.stampFile(t)), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(b.stampFile(t), []byte(stamp), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(b.Out, "build %s: done in %s\n", t.Name, time.Since(start).Round(time.Second))
	return nil
}

// current reports whether every file of the target is there and was made from the same input. go build would find out too,
// but takes seconds to look at thousands of packages.
func (b Builder) current(t Target, stamp string) bool {
	was, err := os.ReadFile(b.stampFile(t))
	if err != nil || string(was) != stamp {
		return false
	}
	for _, name := range slices.Concat(t.binaries(), t.Links) {
		if _, err := os.Stat(filepath.Join(b.Bin(), t.Dest, name)); err != nil {
			return false
		}
	}
	return true
}

// stamp is a hash of all that decides what the target's binaries are.
func (b Builder) stamp(t Target) (string, error) {
	version, err := exec.Command("go", "env", "GOVERSION", "GOARCH").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s %q", version, t.args(""))
	for _, pattern := range t.Sources {
		files, err := filepath.Glob(filepath.Join(b.module(), pattern))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			if !strings.HasSuffix(file, "_test.go") {
				fmt.Fprintf(h, "%s %x\n", filepath.Base(file), sha256.Sum256(content))
			}
		}
	}
	return fmt.Sprintf("%x\n", h.Sum(nil)), nil
}

// compile builds into a folder of its own and then renames, so that nobody ever runs a half-written binary.
func (b Builder) compile(ctx context.Context, t Target) error {
	dest := filepath.Join(b.Bin(), t.Dest)
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(b.Bin(), ".build-"+t.Name+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if err := b.run(ctx, t, tmp); err != nil {
		return err
	}
	for _, name := range t.binaries() {
		if err := os.Rename(filepath.Join(tmp, name), filepath.Join(dest, name)); err != nil {
			return err
		}
	}
	for _, link := range t.Links {
		path := filepath.Join(dest, link)
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.Symlink(t.binaries()[0], path); err != nil {
			return err
		}
	}
	return nil
}

func (b Builder) run(ctx context.Context, t Target, out string) error {
	cmd := exec.CommandContext(ctx, "go", t.args(out)...)
	cmd.Dir = filepath.Join(b.module(), t.Dir)
	// Static, so that the binaries run in images that hold nothing else; and by this module's pins, whatever workspace
	// the caller is in.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	p := newProgress(b.Out, t.Name)
	cmd.Stdout, cmd.Stderr = p, p
	fmt.Fprintf(b.Out, "build %s: go build %s (the first time takes minutes; go's cache makes the next ones short)\n",
		t.Name, strings.Join(t.Packages, " "))
	stop := p.tick(20 * time.Second)
	err := cmd.Run()
	stop()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, p.tail())
	}
	return nil
}
