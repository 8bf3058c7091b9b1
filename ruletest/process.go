package ruletest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

const (
	// atOnce is how many objects are tested side by side.
	atOnce = 2
	// idle is how long a process waits for more tests.
	idle = 10 * time.Second
	// grace is what a process gets beyond the limit of time to say for itself that it took too long.
	grace = 5 * time.Second
	// marker in the environment makes a process one that runs tests.
	marker = "HEARTH_RULETEST"
)

// shared are the processes of everybody who has tests run, so that there are never more than a few.
var shared = &pool{slots: make(chan struct{}, atOnce)} //nolint:gochecknoglobals // a bound on processes holds for the whole program or not at all

// pool keeps processes that run tests: starting one takes longer than most tests do.
type pool struct {
	slots chan struct{}
	mu    sync.Mutex
	free  []*process
}

// request is what a process is asked.
type request struct {
	Spec   *v1alpha1.AlertRuleSpec
	Limits Limits
	// Dir is a directory for what the tests write. Who asks removes it, since who is asked may not live to do it.
	Dir string
}

func (p *pool) run(ctx context.Context, r request) Result {
	failed := Result{Tests: len(r.Spec.Tests)}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return failed.stop(0, fmt.Sprintf("spec.tests: not run: %v", context.Cause(ctx)))
	}
	dir, err := os.MkdirTemp("", "ruletest")
	if err != nil {
		return failed.stop(0, fmt.Sprintf("spec.tests: unit tests need a directory that can be written to: %v", err))
	}
	defer func() { _ = os.RemoveAll(dir) }() // nothing depends on it
	r.Dir = dir
	return p.runIn(ctx, r, failed)
}

func (p *pool) runIn(ctx context.Context, r request, failed Result) Result {
	one, err := p.take()
	if err != nil {
		return failed.notStarted(err)
	}
	limited, cancel := context.WithTimeout(ctx, r.Limits.Time+grace)
	defer cancel()
	one, last, err := askOrReplace(limited, one, r)
	if one == nil {
		return failed.notStarted(err)
	}
	switch {
	case err == nil && !last.Last:
		p.give(one)
		return *last.Result
	case err == nil: // it said what happened, and ends
		one.kill()
		return *last.Result
	}
	state := one.kill()
	text := fmt.Sprintf("the process that ran it ended (%s): it took too much memory, or hit a bug in Prometheus' engine", state)
	switch {
	case ctx.Err() != nil:
		text = fmt.Sprintf("stopped: %v", context.Cause(ctx))
	case limited.Err() != nil:
		text = tooLong(r.Limits)
	}
	current := max(last.Begin-1, 0)
	return failed.stop(current, nameOf(r.Spec, current)+": "+text)
}

// notStarted is the result when there is no process to run anything.
func (out Result) notStarted(err error) Result {
	return out.stop(0, fmt.Sprintf("spec.tests: the process that runs them can't be started: %v", err))
}

// askOrReplace asks a process, and a new one if this one had ended while nobody asked it anything: no test is to blame for
// that. It returns the process that answered or failed to, or none if the new one can't be started.
func askOrReplace(ctx context.Context, one *process, r request) (*process, answer, error) {
	last, err := one.ask(ctx, r)
	if err == nil || last.Begin != 0 || ctx.Err() != nil {
		return one, last, err
	}
	one.kill()
	one, err = start()
	if err != nil {
		return nil, answer{}, err
	}
	last, err = one.ask(ctx, r)
	return one, last, err
}

// take returns a free process, or starts one.
func (p *pool) take() (*process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.free) > 0 {
		last := p.free[len(p.free)-1]
		p.free = p.free[:len(p.free)-1]
		if last.retire.Stop() {
			return last, nil
		}
		// It is being ended at this moment.
	}
	return start()
}

// give takes a process back, and ends it if nobody asks for it for a while.
func (p *pool) give(one *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one.retire = time.AfterFunc(idle, func() {
		p.mu.Lock()
		for i, other := range p.free {
			if other == one {
				p.free = append(p.free[:i], p.free[i+1:]...)
				break
			}
		}
		p.mu.Unlock()
		one.kill()
	})
	p.free = append(p.free, one)
}

// process is one that runs tests: this same program, which serve makes a different one.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *json.Decoder
	retire *time.Timer
}

func start() (*process, error) {
	cmd := exec.Command("/proc/self/exe")
	// One core, and nothing of the operator's own environment.
	cmd.Env = []string{marker + "=1", "GOMAXPROCS=1"}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, in: in, out: json.NewDecoder(out)}, nil
}

// ask sends a request and waits for the result. When ctx ends the process does, too. With an error comes the test that had
// begun.
func (p *process) ask(ctx context.Context, r request) (answer, error) {
	var last answer
	stop := context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() }) // it may have ended already
	defer stop()
	if err := json.NewEncoder(p.in).Encode(r); err != nil {
		return last, err
	}
	for last.Result == nil {
		var next answer
		if err := p.out.Decode(&next); err != nil {
			return last, err
		}
		last = next
	}
	if !stop() {
		return last, ctx.Err() // it is being killed and can't be asked again
	}
	return last, nil
}

// kill ends the process and says how it ended.
func (p *process) kill() string {
	_ = p.in.Close()         // it may have ended already
	_ = p.cmd.Process.Kill() // the same
	_ = p.cmd.Wait()         // what it returns is in ProcessState
	return p.cmd.ProcessState.String()
}
