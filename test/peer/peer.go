// Package peer builds and runs node_exporter, from its own module as tools/node_exporter/go.mod pins it, and ours beside
// it, for the tests and the bench that compare the two. Nothing of node_exporter is copied.
package peer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const module = "github.com/prometheus/node_exporter"

// Dir is where node_exporter's module is, with its fixtures and golden output.
func Dir(ctx context.Context) (string, error) {
	home, err := repository(ctx)
	if err != nil {
		return "", err
	}
	// go list says nothing of a module that is not in the cache; download says where it is in any case.
	if _, err := output(ctx, "go", "-C", pin(home), "mod", "download", module); err != nil {
		return "", err
	}
	dir, err := output(ctx, "go", "-C", pin(home), "list", "-m", "-f", "{{.Dir}}", module)
	if err == nil && dir == "" {
		err = fmt.Errorf("%s is not in the module cache", module)
	}
	return dir, err
}

// Build builds node_exporter into dir and returns the binary. It has no cgo, as it has none in its released image.
func Build(ctx context.Context, dir string) (string, error) {
	home, err := repository(ctx)
	if err != nil {
		return "", err
	}
	return build(ctx, pin(home), filepath.Join(dir, "theirs"), module)
}

// BuildOurs builds our exporter into dir, the same way.
func BuildOurs(ctx context.Context, dir string) (string, error) {
	home, err := repository(ctx)
	if err != nil {
		return "", err
	}
	return build(ctx, home, filepath.Join(dir, "ours"), "./exporter")
}

func build(ctx context.Context, in, binary, what string) (string, error) {
	_, err := output(ctx, "go", "-C", in, "build", "-trimpath", "-o", binary, what)
	return binary, err
}

func pin(home string) string { return filepath.Join(home, "tools/node_exporter") }

// repository is the root of this repository, which the working directory is in.
func repository(ctx context.Context) (string, error) {
	file, err := output(ctx, "go", "env", "GOMOD")
	return filepath.Dir(file), err
}

func output(ctx context.Context, command ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // ours to choose
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var said, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, &complaint)
	}
	return strings.TrimSpace(said.String()), nil
}

// An Exporter is one that runs on loopback.
type Exporter struct {
	URL string // of its metrics
	PID int

	cmd *exec.Cmd
	log *logged
}

// Start starts a binary and waits until it answers. It stops with Stop or with ctx.
func Start(ctx context.Context, binary string, flags ...string) (*Exporter, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	e := &Exporter{URL: "http://" + address + "/metrics", log: &logged{}}
	e.cmd = exec.CommandContext(ctx, binary, append(flags, "--web.listen-address="+address)...) //nolint:gosec // what was built above
	e.cmd.Stderr = e.log
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	e.PID = e.cmd.Process.Pid
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, err = e.Get(ctx); err == nil {
			return e, nil
		}
	}
	e.Stop()
	return nil, fmt.Errorf("%s does not answer: %w\n%s", binary, err, e.log)
}

// freeAddress is not one that the kernel gives to whoever asks for any, of whom there are many while tests run: one of them could
// be quicker than the process that is about to start.
func freeAddress() (string, error) {
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))); err == nil { //nolint:gosec // no secret
			defer l.Close()
			return l.Addr().String(), nil
		}
	}
	return "", err
}

// Stop ends the exporter and waits for its end.
func (e *Exporter) Stop() {
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait()
}

// Log is what the exporter has logged.
func (e *Exporter) Log() string { return e.log.String() }

// Get scrapes: all collectors, or those that are named.
func (e *Exporter) Get(ctx context.Context, collectors ...string) ([]byte, error) {
	address := e.URL
	if len(collectors) > 0 {
		address += "?" + url.Values{"collect[]": collectors}.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", address, answer.Status, body)
	}
	return body, err
}

// logged keeps what a process writes, for one who reads while it still does.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
