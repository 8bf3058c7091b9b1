package build

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// progress reads what `go build -v` prints (a line for each package as its compilation starts, a line for each module as its
// download does, and the errors) and says from time to time how far it is.
type progress struct {
	out   io.Writer
	name  string
	start time.Time

	mu         sync.Mutex
	partial    []byte
	packages   int
	downloads  int
	last       string
	unexpected []string // lines that are neither: what went wrong
}

func newProgress(out io.Writer, name string) *progress {
	return &progress{out: out, name: name, start: time.Now()}
}

// Write takes go's output as it comes.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partial = append(p.partial, b...)
	for {
		line, rest, found := bytes.Cut(p.partial, []byte("\n"))
		if !found {
			return len(b), nil
		}
		p.line(string(line))
		p.partial = append([]byte(nil), rest...)
	}
}

func (p *progress) line(line string) {
	switch {
	case line == "":
	case strings.HasPrefix(line, "go: downloading "):
		p.downloads++
		p.last = strings.TrimPrefix(line, "go: ")
	case strings.HasPrefix(line, "#") || strings.ContainsAny(line, " :\t"):
		p.unexpected = append(p.unexpected, line)
	default:
		p.packages++
		p.last = line
	}
}

func (p *progress) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := fmt.Sprintf("build %s: %s", p.name, time.Since(p.start).Round(time.Second))
	if p.downloads > 0 {
		s += fmt.Sprintf(", %d modules downloaded", p.downloads)
	}
	if p.packages == 0 {
		return s + ", nothing to compile so far: reading go's cache, or linking"
	}
	s += fmt.Sprintf(", %d packages compiled", p.packages)
	if p.last != "" {
		s += ", now " + p.last
	}
	return s
}

// tick prints a line at each interval until the function it returns is called.
func (p *progress) tick(every time.Duration) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				fmt.Fprintln(p.out, p)
			case <-done:
				return
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// tail is the end of what go complained about.
func (p *progress) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.partial) > 0 {
		p.unexpected = append(p.unexpected, string(p.partial))
	}
	return strings.Join(p.unexpected[max(0, len(p.unexpected)-20):], "\n")
}
