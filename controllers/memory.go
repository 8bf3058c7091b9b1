package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// memory is what this process published last of each server. The cache is behind what was written for a moment, and a
// reconcile in that moment must not give the same revision away twice.
type memory struct {
	mu    sync.Mutex
	files map[types.UID]stack.Published
}

func (m *memory) of(server types.UID) (stack.Published, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.files[server]
	return p, ok
}

func (m *memory) set(server types.UID, files promconfig.Files) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files == nil {
		m.files = map[types.UID]stack.Published{}
	}
	m.files[server] = stack.Published{Manifest: &files.Manifest, Parts: files.Parts}
}
