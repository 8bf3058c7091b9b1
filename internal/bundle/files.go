package bundle

import "fmt"

// PublishFiles is Publish for a server without rules: all files are in one part.
func (p *Publisher) PublishFiles(prev *Manifest, prefix string, files map[string][]byte) (Manifest, map[string][]byte, error) {
	part, err := p.packConfig(files)
	if err != nil {
		return Manifest{}, nil, fmt.Errorf("files: %w", err)
	}
	p.config = part
	m := Manifest{Revision: 1, Objects: []Object{{Name: FilesName(prefix), SHA256: part.sum}}}
	m.Hash = hashOf(m.Objects)
	if prev != nil {
		m.Revision = prev.Revision
		if m.Hash != prev.Hash {
			m.Revision++
		}
	}
	return m, map[string][]byte{FilesName(prefix): part.packed}, nil
}
