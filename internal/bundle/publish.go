package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
)

// maxBuckets is the largest power of two that leaves room for the files in MaxObjects.
const maxBuckets = MaxObjects / 2

// errTooLarge is why a number of buckets does not do.
var errTooLarge = errors.New("too large")

// Publisher makes revisions, and remembers the packed parts of the last one so that an edit packs only the bucket it
// touches. The zero value is ready; it holds on to the byte slices it was given, which must not be changed afterwards.
// One server, one Publisher, one goroutine at a time.
type Publisher struct {
	parts map[string]part
}

// part is a packed part and what it was packed from.
type part struct {
	files  map[string][]byte
	packed []byte
	sum    string
}

// Publish is what a Publisher without memories publishes.
func Publish(prev *Manifest, prefix string, config, rules map[string][]byte, rulesCount int) (Manifest, map[string][]byte, error) {
	return new(Publisher).Publish(prev, prefix, config, rules, rulesCount)
}

// Publish packs the files into the objects they are published as: packed bytes by object name, the manifest not among
// them. config files are named by their path from the root of the tree, rule files by their path below RulesDir.
//
// The revision is that of prev (the manifest found in the cluster, nil when there is none) if the content is the same,
// and the next one otherwise. The number of buckets stays that of prev unless there is too much for it, or so little
// that a quarter of it would do: rules that come and go around a border do not move everything each time.
func (p *Publisher) Publish(prev *Manifest, prefix string, config, rules map[string][]byte, rulesCount int) (Manifest, map[string][]byte, error) {
	if err := checkApart(config); err != nil {
		return Manifest{}, nil, err
	}
	files, err := p.pack(FilesName(prefix), config, PartLimit)
	if err != nil {
		return Manifest{}, nil, fmt.Errorf("files: %w", err)
	}
	before := 0
	if prev != nil {
		before = prev.Buckets(prefix)
	}
	buckets, err := p.bucketsAfter(before, prefix, below(RulesDir, rules))
	if err != nil {
		return Manifest{}, nil, fmt.Errorf("rules: %w", err)
	}

	// Replaced as a whole: what is no longer published must not be remembered.
	p.parts = map[string]part{FilesName(prefix): files}
	m := Manifest{Revision: 1, Rules: rulesCount, Objects: []Object{{Name: FilesName(prefix), SHA256: files.sum}}}
	packed := map[string][]byte{FilesName(prefix): files.packed}
	for i, b := range buckets {
		name := RulesName(prefix, i)
		p.parts[name] = b
		packed[name] = b.packed
		m.Objects = append(m.Objects, Object{Name: name, SHA256: b.sum})
	}
	m.Hash = hashOf(m.Objects)
	if prev != nil {
		m.Revision = prev.Revision
		if m.Hash != prev.Hash {
			m.Revision++
		}
	}
	return m, packed, nil
}

// Buckets shares files out to the smallest power-of-two number of buckets of which none is packed larger than limit. A
// file's bucket depends on its name and the number of buckets only. A file that alone is larger is named in the error.
func Buckets(files map[string][]byte, limit int) ([]map[string][]byte, error) {
	parts, err := new(Publisher).grow(1, "", files, limit, limit)
	if err != nil {
		return nil, err
	}
	buckets := make([]map[string][]byte, len(parts))
	for i, p := range parts {
		buckets[i] = p.files
	}
	return buckets, nil
}

// bucketsAfter packs the rules with hysteresis: before is the number of buckets so far, 0 when there is none.
func (p *Publisher) bucketsAfter(before int, prefix string, rules map[string][]byte) ([]part, error) {
	if before < 1 || before > maxBuckets || before&(before-1) != 0 {
		return p.grow(1, prefix, rules, PartAim, PartLimit)
	}
	parts, err := p.grow(before, prefix, rules, PartAim, PartLimit)
	if err != nil || len(parts) > before {
		return parts, err
	}
	total := 0
	for _, b := range parts {
		total += len(b.packed)
	}
	if before < 4 || total > before/4*PartAim {
		return parts, nil
	}
	fewer, err := p.grow(1, prefix, rules, PartAim, PartLimit)
	if err != nil || len(fewer) > before/4 {
		return parts, err
	}
	return fewer, nil
}

// grow doubles n until the buckets are aim large on average and none is larger than limit.
func (p *Publisher) grow(n int, prefix string, files map[string][]byte, aim, limit int) ([]part, error) {
	for ; ; n *= 2 {
		parts, err := p.packAll(prefix, split(files, n), aim, limit)
		if !errors.Is(err, errTooLarge) {
			return parts, err
		}
		// More buckets cannot help a file that is too large alone. Looking for it is dear, so only once it is likely.
		if n > len(files) || n >= maxBuckets {
			if err := checkAlone(files, limit); err != nil {
				return nil, err
			}
		}
		if n >= maxBuckets {
			return nil, fmt.Errorf("%d files do not fit into %d buckets of %d bytes", len(files), n, limit)
		}
	}
}

// packAll stops at the first sign that the buckets are too few.
func (p *Publisher) packAll(prefix string, buckets []map[string][]byte, aim, limit int) ([]part, error) {
	parts := make([]part, len(buckets))
	total := 0
	for i, files := range buckets {
		b, err := p.pack(RulesName(prefix, i), files, limit)
		if err != nil {
			return nil, err
		}
		total += len(b.packed)
		if aim < limit && len(buckets) < maxBuckets && total > aim*len(buckets) {
			return nil, errTooLarge
		}
		parts[i] = b
	}
	return parts, nil
}

func (p *Publisher) pack(name string, files map[string][]byte, limit int) (part, error) {
	if known, ok := p.parts[name]; ok && maps.EqualFunc(known.files, files, bytes.Equal) && len(known.packed) <= limit {
		return known, nil
	}
	packed, err := Pack(files)
	if err != nil {
		return part{}, err
	}
	if len(packed) > limit {
		return part{}, fmt.Errorf("%d files are %d bytes packed, more than %d: %w", len(files), len(packed), limit, errTooLarge)
	}
	return part{files: files, packed: packed, sum: Sum(packed)}, nil
}

// split shares files out to n buckets, n a power of two.
func split(files map[string][]byte, n int) []map[string][]byte {
	buckets := make([]map[string][]byte, n)
	for i := range buckets {
		buckets[i] = make(map[string][]byte, len(files)/n+1)
	}
	for name, data := range files {
		buckets[bucketOf(name, n)][name] = data
	}
	return buckets
}

func bucketOf(name string, n int) int {
	h := fnv.New64a()
	h.Write([]byte(name))
	sum := h.Sum64()
	// FNV's low bits see little of the first letters; folding lets names that differ anywhere land anywhere.
	return int((sum ^ sum>>32) & uint64(n-1))
}

func checkAlone(files map[string][]byte, limit int) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		// Packing never saves so much that looking at small files is worth it, nor adds more than a few hundred bytes.
		if len(files[name])+1024 < limit {
			continue
		}
		packed, err := Pack(map[string][]byte{name: files[name]})
		if err != nil {
			return err
		}
		if len(packed) > limit {
			return fmt.Errorf("file %q alone is %d bytes packed, more than the %d that one object can hold", name, len(packed), limit)
		}
	}
	return nil
}

func checkApart(config map[string][]byte) error {
	for name := range config {
		if name == RulesDir || len(name) > len(RulesDir) && name[:len(RulesDir)+1] == RulesDir+"/" {
			return fmt.Errorf("files: %q lies in the rules' directory", name)
		}
	}
	return nil
}

func below(dir string, files map[string][]byte) map[string][]byte {
	moved := make(map[string][]byte, len(files))
	for name, data := range files {
		moved[dir+"/"+name] = data
	}
	return moved
}
