package main

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// forgetStart unmaps the pages of the program itself, which starting has brought in nearly all: flags, every package's
// tables, TLS. What a scrape needs of them is mapped again when it is next used, from the page cache, and that is half. A
// third of the resident memory was code that never runs again. Where it can't be done nothing is lost.
func forgetStart() {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range bytes.Lines(maps) {
		var begin, end uintptr
		var mode, path string
		if n, _ := fmt.Sscanf(string(line), "%x-%x %s %s %s %s %s", &begin, &end, &mode, new(string), new(string), new(string), &path); n < 7 {
			continue
		}
		if path == self && mode[:2] != "rw" { // what can be written is not in the file
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, begin, end-begin, syscall.MADV_DONTNEED)
		}
	}
}
