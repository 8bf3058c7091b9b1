// Package secrets brings Secrets of other namespaces into files for the server beside the reloader. It reads each by name,
// as the pod's own ServiceAccount, which the Secret's namespace has to allow; the operator reads none.
//
// Contents are written to the given directory, which should be in memory, and nowhere else: not into a log, an error or the
// report.
package secrets

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

const (
	parallel   = 4
	getTimeout = 5 * time.Second
	// refresh is how old what was read may get. Each Secret is asked for by name: being allowed to watch one takes a right
	// to list them, which a namespace should not have to give.
	refresh = 30 * time.Second
	// retryMin is how soon a Secret that could not be read is tried again, which doubles up to refresh.
	retryMin = time.Second
	// tick is how often it is looked whether one is due.
	tick = time.Second
)

// Keeper keeps the files.
type Keeper struct {
	client rest.Interface
	// list is the file that names the Secrets, in the tree that the server reads.
	list string
	dir  string
	told func([]replica.Secret)
	log  *slog.Logger
	// stopgap is what a file has that cannot be had.
	stopgap []byte
	changed func()
	// clients is the text of which the jobs were made that are beside the Secrets.
	clients []byte

	mu    sync.Mutex
	held  map[string]*held
	ready bool
}

// held is one Secret.
type held struct {
	wanted bundle.WantedSecret
	// answered is true once the API has said what there is, or that we may not know.
	answered bool
	verdict  replica.Secret
	next     time.Time
	backoff  time.Duration
}

// New makes a keeper of what the file list names, in dir. What became of each Secret is told whenever it was looked at.
func New(client rest.Interface, list, dir string, told func([]replica.Secret), log *slog.Logger) (*Keeper, error) {
	stopgap, err := newStopgap()
	if err != nil {
		return nil, err
	}
	return &Keeper{client: client, list: list, dir: dir, told: told, log: log, stopgap: stopgap, changed: func() {}, held: map[string]*held{}}, nil
}

// Run keeps the files current until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		k.Sync(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Sync brings the files to what the list names now: what is new in it or due is read, what is no longer in it removed.
func (k *Keeper) Sync(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	wanted, err := k.wanted()
	if errors.Is(err, errNotYet) {
		return
	}
	if err != nil {
		// The operator writes the list; the files stay as they are.
		k.log.Error("cannot read which Secrets are wanted", "error", err)
		return
	}
	others := k.take(wanted) || !k.ready
	due := k.due(time.Now())
	k.read(ctx, due)
	if others {
		k.sweep()
	}
	looked := others || len(due) > 0
	k.identify(looked)
	if looked {
		k.ready = true
		k.told(k.report())
	}
}

// errNotYet says that there is no tree yet.
var errNotYet = errors.New("there is no revision yet")

func (k *Keeper) wanted() ([]bundle.WantedSecret, error) {
	text, err := os.ReadFile(k.list)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Dir(k.list)); err != nil {
			return nil, errNotYet
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return bundle.ParseSecrets(text)
}

// take makes the list the one that is held, and says whether that is another than before.
func (k *Keeper) take(wanted []bundle.WantedSecret) bool {
	changed := false
	now := make(map[string]*held, len(wanted))
	for _, w := range wanted {
		id := w.ID()
		h := k.held[id]
		if h == nil || !slices.Equal(h.wanted.Keys, w.Keys) || !slices.Equal(h.wanted.TLS, w.TLS) {
			changed = true
			h = &held{wanted: w, verdict: replica.Secret{Namespace: w.Namespace, Name: w.Name, ConfigMap: w.ConfigMap}}
		}
		now[id] = h
	}
	changed = changed || len(now) != len(k.held)
	k.held = now
	return changed
}

func (k *Keeper) due(now time.Time) []*held {
	var out []*held
	for _, h := range k.held {
		if !now.Before(h.next) {
			out = append(out, h)
		}
	}
	return out
}

func (k *Keeper) read(ctx context.Context, due []*held) {
	slots := make(chan struct{}, parallel)
	var group sync.WaitGroup
	for _, h := range due {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			k.readOne(ctx, h)
		})
	}
	group.Wait()
}

// readOne asks for a Secret and writes its files. Where the API gives no answer, what is there stays.
func (k *Keeper) readOne(ctx context.Context, h *held) {
	before := h.verdict
	data, err := k.get(ctx, h.wanted)
	verdict, answered := verdictOf(h.wanted, err)
	if !answered && h.answered {
		verdict = before
	}
	unfit := ""
	if err == nil {
		verdict.MissingKeys = without(data, h.wanted.Keys)
		data, unfit = fit(data, h.wanted.TLS)
	}
	if err := k.writeAll(h.wanted, data, answered); err != nil {
		verdict.Problem = "cannot write its files: " + err.Error()
	}
	if len(verdict.MissingKeys) > 0 && verdict.Problem == "" {
		verdict.Problem = "it has no key " + strings.Join(verdict.MissingKeys, ", ")
	}
	if verdict.Problem == "" {
		verdict.Problem = unfit
	}
	h.answered = h.answered || answered
	h.verdict = verdict
	h.schedule(time.Now())
	if verdict.Problem != before.Problem {
		k.log.Info("Secret", "resource", h.wanted.Resource(), "namespace", verdict.Namespace, "name", verdict.Name, "problem", verdict.Problem)
	}
}

// verdictOf is what an answer of the API says of a Secret, and whether it is one: a refusal is an answer, for the Secret may
// not be used any longer, and an outage is none.
func verdictOf(w bundle.WantedSecret, err error) (verdict replica.Secret, answered bool) {
	verdict = replica.Secret{Namespace: w.Namespace, Name: w.Name, ConfigMap: w.ConfigMap}
	switch {
	case err == nil:
	case apierrors.IsForbidden(err):
		verdict.Forbidden, verdict.Problem = true, "the namespace has not granted it: "+err.Error()
	case apierrors.IsNotFound(err):
		verdict.Problem = "it does not exist"
	default:
		verdict.Problem = "the API gives no answer: " + err.Error()
		return verdict, false
	}
	return verdict, true
}

// without are the keys that data has no content for. An empty one would be a file that the server refuses.
func without(data map[string][]byte, keys []string) []string {
	var out []string
	for _, key := range keys {
		if len(data[key]) == 0 {
			out = append(out, key)
		}
	}
	return out
}

// schedule says when the Secret is due again. One with a problem is due sooner, so that a grant takes effect at once, but
// ever less often, so that a mistake that stays costs the API server little.
func (h *held) schedule(now time.Time) {
	if h.verdict.Problem == "" {
		h.backoff, h.next = 0, now.Add(refresh)
		return
	}
	h.backoff = min(max(2*h.backoff, retryMin), refresh)
	h.next = now.Add(h.backoff)
}

func (k *Keeper) get(ctx context.Context, w bundle.WantedSecret) (map[string][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, getTimeout)
	defer cancel()
	answer := k.client.Get().Namespace(w.Namespace).Resource(w.Resource()).Name(w.Name).Do(ctx)
	if w.ConfigMap {
		return configMapOf(answer)
	}
	var secret corev1.Secret
	if err := answer.Into(&secret); err != nil {
		return nil, err
	}
	return secret.Data, nil
}

func configMapOf(answer rest.Result) (map[string][]byte, error) {
	var found corev1.ConfigMap
	if err := answer.Into(&found); err != nil {
		return nil, err
	}
	// A key is in one of the two.
	out := map[string][]byte{}
	maps.Copy(out, found.BinaryData)
	for key, text := range found.Data {
		out[key] = []byte(text)
	}
	return out, nil
}

// report has every Secret that is wanted, those that were read too.
func (k *Keeper) report() []replica.Secret {
	out := make([]replica.Secret, 0, len(k.held))
	for _, h := range k.held {
		out = append(out, h.verdict)
	}
	return out
}

func (k *Keeper) path(w bundle.WantedSecret, key string) string {
	return filepath.Join(k.dir, w.Namespace, w.Dir(), key)
}

// writeAll writes every file that can be, whatever became of the others: each that is missing would keep the server from
// loading anything. The error is the last one.
func (k *Keeper) writeAll(w bundle.WantedSecret, data map[string][]byte, answered bool) error {
	var last error
	for _, key := range w.Keys {
		if err := k.write(w, key, data[key], answered); err != nil {
			last = err
		}
	}
	return last
}

// write gives a key's file its content, or the stopgap where there is none. Without an answer a file that is there stays.
func (k *Keeper) write(w bundle.WantedSecret, key string, content []byte, answered bool) error {
	path := k.path(w, key)
	before, err := os.ReadFile(path)
	if err == nil && !answered {
		return nil
	}
	if len(content) == 0 {
		content = k.stopgap
	}
	if err == nil && string(before) == string(content) {
		return nil
	}
	return replace(k.dir, path, content)
}

// replace writes a file below dir so that whoever reads it meanwhile reads all of the old or of the new.
func replace(dir, path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, tempPrefix+"*")
	if err != nil {
		return err
	}
	_, err = temp.Write(content)
	// The server may run as another user of the same group.
	if err := errors.Join(err, temp.Chmod(0o440), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// tempPrefix begins with what no namespace begins with.
const tempPrefix = "_"

// sweep removes every file that is not wanted.
func (k *Keeper) sweep() {
	wanted := map[string]bool{filepath.Join(k.dir, bundle.ClientsName): true}
	for _, h := range k.held {
		for _, key := range h.wanted.Keys {
			path := k.path(h.wanted, key)
			wanted[path], wanted[filepath.Dir(path)], wanted[filepath.Dir(filepath.Dir(path))] = true, true, true
		}
	}
	var unwanted []string
	err := filepath.WalkDir(k.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == k.dir || wanted[path] {
			return err
		}
		unwanted = append(unwanted, path)
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	for _, path := range unwanted {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		k.log.Error("cannot remove files of Secrets that are no longer wanted", "error", err)
	}
}
