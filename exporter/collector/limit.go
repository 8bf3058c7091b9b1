package collector

import "github.com/hearth-monitoring/hearth/exporter/text"

// trim cuts the families to limit series together and returns how many it cut off. Each keeps its first series, as many as
// any other keeps that has more: where the families speak of the same devices, the first devices stay and stay whole, and
// they are the same ones in each scrape, since collectors add them in the host's order or sorted.
func trim(families []*text.Family, limit int) (dropped int) {
	const short = 8 // a line of a sample is hardly shorter; counting the lines of every scrape would cost more than this
	size := 0
	for _, f := range families {
		size += f.Size()
	}
	if limit <= 0 || size/short <= limit {
		return 0
	}
	counts := make([]int, len(families))
	total := 0
	for i, f := range families {
		counts[i] = f.Len()
		total += counts[i]
	}
	if total <= limit {
		return 0
	}
	each := share(counts, limit)
	for i, f := range families {
		if counts[i] > each {
			f.Cut(each)
			dropped += counts[i] - each
		}
	}
	return dropped
}

// share is the largest number that can be kept of each, so that all together are no more than limit.
func share(counts []int, limit int) int {
	low, high := 0, limit
	for low < high {
		each := (low + high + 1) / 2
		kept := 0
		for _, n := range counts {
			kept += min(n, each)
		}
		if kept <= limit {
			low = each
		} else {
			high = each - 1
		}
	}
	return low
}
