package secrets

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

// Mounted keeps files of Secrets that the cluster mounts beside the reloader, as far as they are there. The server does not
// read the mount itself: a file that is missing there, or no certificate, would have it refuse all of its configuration.
type Mounted struct {
	// list names the Secrets, in the tree that the server reads; they are mounted below from and go below dir.
	list, from, dir string

	told    func([]replica.Secret)
	log     *slog.Logger
	stopgap []byte

	mu   sync.Mutex
	last []replica.Secret
	// said is true once it was told what became of them.
	said bool
}

// NewMounted makes a keeper of what the file list names: it is mounted below from, and goes below dir as <name>/<key>. What
// became of each Secret is told when that changes.
func NewMounted(list, from, dir string, told func([]replica.Secret), log *slog.Logger) (*Mounted, error) {
	stopgap, err := newStopgap()
	if err != nil {
		return nil, err
	}
	return &Mounted{list: list, from: from, dir: dir, told: told, log: log, stopgap: stopgap}, nil
}

// Run keeps the files current until ctx ends.
func (m *Mounted) Run(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		m.Sync(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Sync brings the files to what is mounted now. What is no longer mounted stays as it was: it may be on its way, and whoever
// asked for it refuses it if it no longer counts.
func (m *Mounted) Sync(context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text, err := os.ReadFile(m.list)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Dir(m.list)); err != nil {
			return // there is no revision yet
		}
		text, err = nil, nil
	}
	var wanted []bundle.WantedSecret
	if err == nil {
		wanted, err = bundle.ParseSecrets(text)
	}
	if err != nil {
		// The operator writes the list; the files stay as they are.
		m.log.Error("cannot read which Secrets are wanted", "error", err)
		return
	}
	verdicts := make([]replica.Secret, 0, len(wanted))
	for _, w := range wanted {
		verdicts = append(verdicts, m.keep(w))
	}
	if m.said && slices.EqualFunc(verdicts, m.last, func(a, b replica.Secret) bool { return a.Name == b.Name && a.Problem == b.Problem }) {
		return
	}
	for _, v := range verdicts {
		m.log.Info("Secret", "name", v.Name, "problem", v.Problem)
	}
	m.last, m.said = verdicts, true
	m.told(slices.Clone(verdicts))
}

// keep brings one Secret into its files, and says what is wrong with it.
func (m *Mounted) keep(w bundle.WantedSecret) replica.Secret {
	verdict := replica.Secret{Namespace: w.Namespace, Name: w.Name}
	data := map[string][]byte{}
	for _, key := range w.Keys {
		// One that can't be read is as good as none.
		if content, err := os.ReadFile(filepath.Join(m.from, w.Name, key)); err == nil {
			data[key] = content
		}
	}
	verdict.MissingKeys = without(data, w.Keys)
	data, unfit := fit(data, w.TLS)
	forTLS := map[string]bool{}
	for _, use := range w.TLS {
		forTLS[use.CA], forTLS[use.Cert], forTLS[use.Key] = true, true, true
	}
	for _, key := range w.Keys {
		if err := m.write(filepath.Join(m.dir, w.Name, key), data[key], forTLS[key]); err != nil {
			verdict.Problem = "cannot write its files: " + err.Error()
		}
	}
	switch {
	case verdict.Problem != "":
	case len(verdict.MissingKeys) == len(w.Keys):
		verdict.Problem = "it does not exist, or has none of the keys " + strings.Join(w.Keys, ", ")
	case len(verdict.MissingKeys) > 0:
		verdict.Problem = "it has no key " + strings.Join(verdict.MissingKeys, ", ")
	default:
		verdict.Problem = unfit
	}
	return verdict
}

// write gives a file its content. Where there is none, what is there stays; a certificate that was never there has the
// stopgap, without which the server loads nothing. A password or token is left out: to send another one instead would be
// refused for good, and what is sent be lost.
func (m *Mounted) write(path string, content []byte, forTLS bool) error {
	before, err := os.ReadFile(path)
	if len(content) == 0 {
		if err == nil || !forTLS {
			return nil
		}
		content = m.stopgap
	}
	if err == nil && string(before) == string(content) {
		return nil
	}
	return replace(m.dir, path, content)
}
