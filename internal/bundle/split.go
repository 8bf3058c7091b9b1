package bundle

import (
	"hash/fnv"
	"slices"
	"strings"
)

// split shares files out to n buckets, n a power of two, each sorted. Where there are as many buckets as before only those are made
// anew of which a file has changed: an edit is about one of ten thousand.
func (p *Publisher) split(files []File, n int) [][]File {
	if n != len(p.buckets) {
		return splitAll(files, n)
	}
	buckets := make([][]File, n)
	for i := range buckets {
		buckets[i] = p.buckets[i].files
	}
	gone, came := difference(p.rules, files)
	own := make([]bool, n)
	home := func(path string) int {
		i := bucketOf(path, n)
		if !own[i] {
			own[i], buckets[i] = true, slices.Clone(buckets[i])
		}
		return i
	}
	for path := range gone {
		i := home(path)
		buckets[i] = slices.DeleteFunc(buckets[i], func(f File) bool { return f.Path == path })
	}
	for _, f := range came {
		i := home(f.Path)
		at, _ := slices.BinarySearchFunc(buckets[i], f, byPath)
		buckets[i] = slices.Insert(buckets[i], at, f)
	}
	return buckets
}

// difference is what a has and b has not, by path, and what b has and a has not. It looks between the first and the last that differ.
func difference(a, b []File) (gone map[string]File, came []File) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	gone = make(map[string]File, len(a))
	for _, f := range a {
		gone[f.Path] = f
	}
	for _, f := range b {
		if gone[f.Path] == f {
			delete(gone, f.Path) // only its place is another one
		} else {
			came = append(came, f)
		}
	}
	return gone, came
}

// splitAll needs nothing from before.
func splitAll(files []File, n int) [][]File {
	if !slices.IsSortedFunc(files, byPath) {
		files = slices.Clone(files)
		sortFiles(files)
	}
	if n == 1 {
		return [][]File{files}
	}
	homes := make([]int32, len(files))
	sizes := make([]int, n)
	for i := range files {
		home := bucketOf(files[i].Path, n)
		homes[i] = int32(home)
		sizes[home]++
	}
	buckets := make([][]File, n)
	for i := range buckets {
		buckets[i] = make([]File, 0, sizes[i])
	}
	for i, home := range homes {
		buckets[home] = append(buckets[home], files[i])
	}
	return buckets
}

// sameFiles says whether both have the same files with the same contents in the same order.
func sameFiles(a, b []File) bool {
	if len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) {
		return true
	}
	return slices.EqualFunc(a, b, File.same)
}

func bucketOf(name string, n int) int {
	h := fnv.New64a()
	h.Write([]byte(RulesDir + "/" + name))
	sum := h.Sum64()
	// FNV's low bits see little of the first letters; folding lets names that differ anywhere land anywhere.
	return int((sum ^ sum>>32) & uint64(n-1))
}

func sortFiles(files []File) { slices.SortFunc(files, byPath) }

func byPath(a, b File) int { return strings.Compare(a.Path, b.Path) }
