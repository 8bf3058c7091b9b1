package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// quiet is how long nothing may be printed before a line says what is still running.
const quiet = time.Minute

// slow is how long a test takes that is worth a line of its own.
const slow = time.Second

// run runs a go test -json, prints what fails as it fails, runs that again where again allows it, and writes the result to
// dir/part.json.
func run(w io.Writer, dir, part string, args []string) error {
	start := time.Now()
	t := newTally()
	err := execute(w, t, args)
	if err != nil && !exited(err) {
		return err
	}
	second, failure := again(w, t, args)
	if failure != nil {
		return failure
	}
	r := t.result()
	r.Second = second
	switch {
	case err != nil && r.Failed == 0 && len(second) == 0:
		r.Failed++
		r.Failures = append(r.Failures, fmt.Sprintf("%s: %v", strings.Join(args, " "), err))
	case r.Passed+r.Failed+r.Skipped == 0:
		r.Failed++
		r.Failures = append(r.Failures, strings.Join(args, " ")+": ran no test")
	}
	r.Part, r.Took = part, time.Since(start)
	fmt.Fprintf(w, "%s took %s: passed %d, failed %d, skipped %d\n", part, seconds(r.Took), r.Passed, r.Failed, r.Skipped)
	if err := write(filepath.Join(dir, part+".json"), r); err != nil {
		return err
	}
	if r.Failed > 0 {
		return errFailed
	}
	return nil
}

// execute runs a go test -json and adds to the tally what it says.
func execute(w io.Writer, t *tally, args []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	follow(w, t, lines(out))
	return cmd.Wait()
}

// exited says whether a command ran and returned an exit status other than 0.
func exited(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit)
}

func write(file string, r result) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// lines sends each line of r, and closes the channel at its end.
func lines(r io.Reader) <-chan []byte {
	ch := make(chan []byte)
	go func() {
		defer close(ch)
		for br := bufio.NewReader(r); ; {
			line, err := br.ReadBytes('\n')
			if len(line) > 0 {
				ch <- line
			}
			if err != nil {
				return
			}
		}
	}()
	return ch
}

// follow adds every event to the tally and prints what a person who waits wants to see.
func follow(w io.Writer, t *tally, lines <-chan []byte) {
	start := time.Now()
	running := map[testID]bool{}
	timer := time.NewTicker(quiet)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			fmt.Fprintf(w, "  ... %s: %s\n", seconds(time.Since(start)), describe(running))
		case line, ok := <-lines:
			if !ok {
				return
			}
			var e event
			if err := json.Unmarshal(line, &e); err != nil {
				// Not an event: go itself has something to say.
				fmt.Fprintf(w, "  %s\n", bytes.TrimSpace(line))
				continue
			}
			t.add(e)
			note(running, e)
			if t.show(w, e) {
				timer.Reset(quiet)
			}
		}
	}
}

// note keeps the set of top-level tests and packages that are running.
func note(running map[testID]bool, e event) {
	id := testID{pkg: e.Package, test: e.Test}
	switch {
	case strings.Contains(e.Test, "/"):
	case e.Action == "run":
		running[id] = true
	case e.Action == "pass" || e.Action == "fail" || e.Action == "skip":
		delete(running, id)
	}
}

func describe(running map[testID]bool) string {
	for id := range running {
		if len(running) == 1 {
			return id.String() + " is running"
		}
		return fmt.Sprintf("%s and %d more are running", id, len(running)-1)
	}
	return "building, or between two packages"
}

// show prints an event if it is worth a line: a failure with all that was said, a skip, a slow test, a package's end.
func (t *tally) show(w io.Writer, e event) bool {
	id := testID{pkg: e.Package, test: e.Test}
	took := time.Duration(e.Elapsed * float64(time.Second))
	switch {
	case e.Action == "build-fail":
		id.pkg, _, _ = strings.Cut(e.ImportPath, " ")
		fmt.Fprintf(w, "  DOES NOT BUILD %s\n%s", id, indent(t.tests[id].output))
	case e.Action == "fail":
		fmt.Fprintf(w, "  FAILED  %6s  %s\n%s", seconds(took), id, indent(t.tests[id].output))
	case e.Action == "skip" && e.Test != "":
		fmt.Fprintf(w, "  skipped %6s  %s: %s\n", seconds(took), id, t.tests[id].reason())
	case e.Action == "pass" && (e.Test == "" || took >= slow && !strings.Contains(e.Test, "/")):
		fmt.Fprintf(w, "  passed  %6s  %s\n", seconds(took), id)
	default:
		return false
	}
	return true
}

func indent(output []string) string {
	var b strings.Builder
	for _, line := range output {
		b.WriteString("      | " + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

func seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}
