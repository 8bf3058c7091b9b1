package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxBuckets is the largest power of two that leaves room for the files in MaxObjects.
const maxBuckets = MaxObjects / 2

// errTooLarge is why a number of buckets does not do.
var errTooLarge = errors.New("too large")

// Publisher makes revisions, and remembers the packed parts of the last one so that an edit packs only the bucket it
// touches. The zero value is ready; it holds on to what it was given, which must not be changed afterwards. One server,
// one Publisher, one goroutine at a time.
type Publisher struct {
	config configPart
	// rules are what is in the buckets, in the order in which they were given.
	rules   []File
	buckets []bucket
	// found are the files that Remember found, by path, until the first Publish.
	found map[string]File
	seeds map[string]bucket

	archiver archiver
}

type configPart struct {
	files  map[string][]byte
	packed []byte
	sum    string
}

// bucket is a packed bucket and what it was packed from, by path.
type bucket struct {
	files  []File
	packed []byte
	sum    string
}

// Publish is what a Publisher without memories publishes.
func Publish(prev *Manifest, prefix string, config, rules map[string][]byte, rulesCount int) (Manifest, map[string][]byte, error) {
	return new(Publisher).Publish(prev, prefix, config, Files(rules), rulesCount)
}

// Publish packs the files into the objects they are published as: packed bytes by object name, the manifest not among
// them. config files are named by their path from the root of the tree.
//
// The revision is that of prev (the manifest found in the cluster, nil when there is none) if the content is the same,
// and the next one otherwise. The number of buckets stays that of prev unless there is too much for it, or so little
// that a quarter of it would do: rules that come and go around a border do not move everything each time.
func (p *Publisher) Publish(prev *Manifest, prefix string, config map[string][]byte, rules []File, rulesCount int) (Manifest, map[string][]byte, error) {
	if err := checkApart(config); err != nil {
		return Manifest{}, nil, err
	}
	files, err := p.packConfig(config)
	if err != nil {
		return Manifest{}, nil, fmt.Errorf("files: %w", err)
	}
	before := 0
	if prev != nil {
		before = prev.Buckets(prefix)
	}
	buckets, err := p.bucketsAfter(before, prefix, rules)
	if err != nil {
		return Manifest{}, nil, fmt.Errorf("rules: %w", err)
	}

	p.config, p.rules, p.buckets, p.found, p.seeds = files, rules, buckets, nil, nil
	m := Manifest{Revision: 1, Rules: rulesCount, Objects: []Object{{Name: FilesName(prefix), SHA256: files.sum}}}
	packed := map[string][]byte{FilesName(prefix): files.packed}
	for i, b := range buckets {
		name := RulesName(prefix, i)
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

// Remember takes what is published already, by object name, for what this Publisher published last: what has not changed
// since is neither packed nor written again. What can't be unpacked is as good as not published.
//
// While buckets are being split or joined a file is in two of them, and the one that the manifest names counts.
func (p *Publisher) Remember(manifest *Manifest, parts map[string][]byte) {
	named := map[string]bool{}
	if manifest != nil {
		for _, name := range manifest.Names() {
			named[name] = true
		}
	}
	p.found, p.seeds = map[string]File{}, map[string]bucket{}
	for _, mustBeNamed := range []bool{false, true} {
		for _, name := range slices.Sorted(maps.Keys(parts)) {
			if named[name] == mustBeNamed {
				p.remember(name, parts[name])
			}
		}
	}
}

func (p *Publisher) remember(name string, packed []byte) {
	texts, err := Unpack(packed)
	if err != nil {
		return
	}
	b := bucket{packed: packed, sum: Sum(packed)}
	for path, text := range texts {
		if path, ok := strings.CutPrefix(path, RulesDir+"/"); ok {
			f := File{Path: path, Content: NewContent(text), Rules: -1}
			p.found[path] = f
			b.files = append(b.files, f)
		}
	}
	if len(b.files) == len(texts) {
		sortFiles(b.files)
		p.seeds[name] = b
	}
}

// File is a rule file that is published, and whether there is one of this path.
func (p *Publisher) File(path string) (File, bool) {
	if p.found != nil {
		f, ok := p.found[path]
		return f, ok
	}
	if len(p.buckets) == 0 {
		return File{}, false
	}
	files := p.buckets[bucketOf(path, len(p.buckets))].files
	i, ok := slices.BinarySearchFunc(files, path, func(f File, path string) int { return strings.Compare(f.Path, path) })
	if !ok {
		return File{}, false
	}
	return files[i], true
}

// Buckets shares files out to the smallest power-of-two number of buckets of which none is packed larger than limit. A
// file's bucket depends on its name and the number of buckets only. A file that alone is larger is named in the error.
func Buckets(files map[string][]byte, limit int) ([][]File, error) {
	buckets, err := new(Publisher).grow(1, "", Files(files), limit, limit)
	if err != nil {
		return nil, err
	}
	out := make([][]File, len(buckets))
	for i, b := range buckets {
		out[i] = b.files
	}
	return out, nil
}

// bucketsAfter packs the rules with hysteresis: before is the number of buckets so far, 0 when there is none.
func (p *Publisher) bucketsAfter(before int, prefix string, rules []File) ([]bucket, error) {
	if before < 1 || before > maxBuckets || before&(before-1) != 0 {
		return p.grow(1, prefix, rules, PartAim, PartLimit)
	}
	buckets, err := p.grow(before, prefix, rules, PartAim, PartLimit)
	if err != nil || len(buckets) > before {
		return buckets, err
	}
	total := 0
	for _, b := range buckets {
		total += len(b.packed)
	}
	if before < 4 || total > before/4*PartAim {
		return buckets, nil
	}
	fewer, err := p.grow(1, prefix, rules, PartAim, PartLimit)
	if err != nil || len(fewer) > before/4 {
		return buckets, err
	}
	return fewer, nil
}

// grow doubles n until the buckets are aim large on average and none is larger than limit.
func (p *Publisher) grow(n int, prefix string, files []File, aim, limit int) ([]bucket, error) {
	for ; ; n *= 2 {
		buckets, err := p.packAll(prefix, p.split(files, n), aim, limit)
		if !errors.Is(err, errTooLarge) {
			return buckets, err
		}
		// More buckets cannot help a file that is too large alone. Looking for it is dear, so only once it is likely.
		if n > len(files) || n >= maxBuckets {
			if err := p.checkAlone(files, limit); err != nil {
				return nil, err
			}
		}
		if n >= maxBuckets {
			return nil, fmt.Errorf("%d files do not fit into %d buckets of %d bytes", len(files), n, limit)
		}
	}
}

// packAll stops at the first sign that the buckets are too few.
func (p *Publisher) packAll(prefix string, shares [][]File, aim, limit int) ([]bucket, error) {
	buckets := make([]bucket, len(shares))
	total := 0
	for i, files := range shares {
		b, err := p.pack(prefix, i, len(shares), files, limit)
		if err != nil {
			return nil, err
		}
		total += len(b.packed)
		if aim < limit && len(shares) < maxBuckets && total > aim*len(shares) {
			return nil, errTooLarge
		}
		buckets[i] = b
	}
	return buckets, nil
}

// pack packs the i-th of n buckets, unless that was packed before.
func (p *Publisher) pack(prefix string, i, n int, files []File, limit int) (bucket, error) {
	known := p.seeds[RulesName(prefix, i)]
	if p.seeds == nil && n == len(p.buckets) {
		known = p.buckets[i]
	}
	if known.packed != nil && len(known.packed) <= limit && sameFiles(known.files, files) {
		// Of two equal contents, those that others hold as well are kept.
		known.files = files
		return known, nil
	}
	packed, err := p.packFiles(files)
	if err != nil {
		return bucket{}, err
	}
	if len(packed) > limit {
		return bucket{}, fmt.Errorf("%d files are %d bytes packed, more than %d: %w", len(files), len(packed), limit, errTooLarge)
	}
	return bucket{files: files, packed: packed, sum: Sum(packed)}, nil
}

// packFiles packs rule files below RulesDir.
func (p *Publisher) packFiles(files []File) ([]byte, error) {
	texts := make(map[string][]byte, len(files))
	for _, f := range files {
		text, err := f.Content.Text()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		texts[RulesDir+"/"+f.Path] = text
	}
	if len(texts) != len(files) {
		return nil, errors.New("two files have the same path")
	}
	return p.archiver.pack(texts)
}

func (p *Publisher) packConfig(files map[string][]byte) (configPart, error) {
	if p.config.packed != nil && maps.EqualFunc(p.config.files, files, bytes.Equal) {
		return p.config, nil
	}
	packed, err := p.archiver.pack(files)
	if err != nil {
		return configPart{}, err
	}
	if len(packed) > PartLimit {
		return configPart{}, fmt.Errorf("%d files are %d bytes packed, more than %d: %w", len(files), len(packed), PartLimit, errTooLarge)
	}
	return configPart{files: files, packed: packed, sum: Sum(packed)}, nil
}

func (p *Publisher) checkAlone(files []File, limit int) error {
	for _, f := range files {
		// Packing never saves so much that looking at small files is worth it, nor adds more than a few hundred bytes.
		if f.Content.Size()+1024 < limit {
			continue
		}
		packed, err := p.packFiles([]File{f})
		if err != nil {
			return err
		}
		if len(packed) > limit {
			return fmt.Errorf("file %q alone is %d bytes packed, more than the %d that one object can hold", f.Path, len(packed), limit)
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
