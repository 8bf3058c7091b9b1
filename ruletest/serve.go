package ruletest

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxMemory is how much the tests of one object can have, beside what the program itself takes.
	maxMemory = 128 << 20
	// maxAddresses bounds the addresses of the process, of which Go reserves far more than it uses.
	maxAddresses = 4 << 30
	// look is how often that is looked at.
	look = 20 * time.Millisecond
)

// A program that has this package is one that runs tests if its environment says so: whoever calls Run, tests included, has
// that program at hand, and no other has to be built, found or configured.
func init() { //nolint:gochecknoinits // it has to come before main, whose program it replaces
	if os.Getenv(marker) == "" {
		return
	}
	debug.SetMemoryLimit(maxMemory)
	// What asks for terabytes at once is not seen by looking at what is used: it never comes to use it.
	if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: maxAddresses, Max: maxAddresses}); err != nil {
		fmt.Fprintln(os.Stderr, "ruletest: limit the memory:", err)
		os.Exit(1)
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ruletest:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// answer is what a process says to a request: which test it begins with, for each of them, and the Result at the end.
type answer struct {
	Begin int `json:",omitempty"` // counted from 1

	Result *Result `json:",omitempty"`
	// Last is true if the process has to end, because the test it speaks of still runs in it.
	Last bool `json:",omitempty"`
}

// serve answers requests until there are no more.
func serve(in io.Reader, out io.Writer) error {
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var r request
		if err := requests.Decode(&r); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := answerOne(r, answers); err != nil {
			return err
		}
	}
}

// answerOne runs the tests, and watches what they take. Exactly one answer is given: by the tests, or by the watch, which
// ends the process with it.
func answerOne(r request, answers *json.Encoder) error {
	var mu sync.Mutex
	current, answered := 0, false
	done := make(chan struct{})
	defer close(done)
	go watch(done, time.Now().Add(r.Limits.Time+grace/2), func(text func(Limits) string) {
		mu.Lock() // and kept: nothing else is said
		if answered {
			mu.Unlock()
			return
		}
		result := Result{Tests: len(r.Spec.Tests)}.stop(current, nameOf(r.Spec, current)+": "+text(r.Limits))
		_ = answers.Encode(answer{Result: &result, Last: true}) // who asked sees that the process has ended
		os.Exit(3)
	})
	result := here(r, func(i int) {
		mu.Lock()
		defer mu.Unlock()
		current = i
		_ = answers.Encode(answer{Begin: i + 1}) // if nobody listens, nobody does at the end either
	})
	mu.Lock()
	defer mu.Unlock()
	answered = true
	return answers.Encode(answer{Result: &result})
}

// watch calls end when the tests take too long or too much.
func watch(done <-chan struct{}, deadline time.Time, end func(func(Limits) string)) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-ticker.C:
			metrics.Read(sample)
			if sample[0].Value.Uint64() > maxMemory {
				end(func(Limits) string {
					return fmt.Sprintf("took more than %d MiB of memory: use fewer series, a smaller eval_time or a longer interval", maxMemory>>20)
				})
			}
			if now.After(deadline) {
				end(tooLong)
			}
		}
	}
}
