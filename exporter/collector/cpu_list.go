package collector

import (
	"bytes"
	"fmt"

	"github.com/hearth-monitoring/hearth/exporter/scan"
)

// eachCPURange reads a list of CPUs such as 1,4-7, as the kernel has several.
func eachCPURange(list []byte, take func(first, last uint64)) error {
	const most = 1 << 20 // more than any kernel can be built for
	for len(list) > 0 {
		var part []byte
		part, list, _ = bytes.Cut(list, []byte(","))
		from, to, isRange := bytes.Cut(part, []byte("-"))
		if !isRange {
			to = from
		}
		first, okFirst := scan.Uint(from)
		last, okLast := scan.Uint(to)
		if !okFirst || !okLast || last > most || first > last {
			return fmt.Errorf("%q is not a list of CPUs", part)
		}
		take(first, last)
	}
	return nil
}
