package promconfig

import (
	"fmt"

	"github.com/hearth-monitoring/hearth/internal/amconfig"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// AlertmanagerRenderer makes the files of one server's Alertmanager, and remembers what it packed last. The zero value is
// ready; one goroutine at a time.
type AlertmanagerRenderer struct {
	publisher bundle.Publisher
	// last is what was made, or found in the cluster.
	last *Files
}

// Remember takes what is published already, parts by object name, if it is whole.
func (r *AlertmanagerRenderer) Remember(manifest *bundle.Manifest, parts map[string][]byte) {
	if manifest == nil || manifest.Verify(parts) != nil {
		return
	}
	known := Files{Manifest: *manifest, Parts: map[string][]byte{}}
	for _, name := range manifest.Names() {
		known.Parts[name] = parts[name]
	}
	r.last = &known
}

// Known is what was made last or found in the cluster, nil if nothing.
func (r *AlertmanagerRenderer) Known() *Files { return r.last }

// Render makes the files of the Alertmanager of a server that has one. While somebody's routes are not known yet, as after
// a start of the operator, what is published stays: they may be in it.
func (r *AlertmanagerRenderer) Render(s *stack.Stack) (*Files, error) {
	published := s.Alertmanager.Published
	if s.Routing.Pending && r.last != nil && published != nil && r.last.is(published) {
		return r.last, nil
	}
	texts, err := amconfig.Render(&s.Routing.Config)
	if err != nil {
		return nil, err
	}
	manifest, parts, err := r.publisher.PublishFiles(published, s.Alertmanager.Names.Base, texts)
	if err != nil {
		return nil, fmt.Errorf("pack files of the Alertmanager: %w", err)
	}
	r.last = &Files{Manifest: manifest, Parts: parts}
	return r.last, nil
}
