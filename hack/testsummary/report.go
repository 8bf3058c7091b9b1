package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
)

// report prints each part, every skip and every failure, and last of all one line for all of them.
func report(w io.Writer, dir string, parts []string) error {
	results, err := read(dir, parts)
	if err != nil {
		return err
	}
	var sum result
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tab, "PART\tPASSED\tFAILED\tSKIPPED\tTOOK\t")
	for _, r := range results {
		fmt.Fprintf(tab, "%s\t%d\t%d\t%d\t%s\t\n", r.Part, r.Passed, r.Failed, r.Skipped, seconds(r.Took))
		sum.Passed += r.Passed
		sum.Failed += r.Failed
		sum.Skipped += r.Skipped
		sum.Skips = append(sum.Skips, r.Skips...)
		sum.Failures = append(sum.Failures, r.Failures...)
		sum.Second = append(sum.Second, r.Second...)
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	for _, s := range sum.Skips {
		fmt.Fprintf(w, "skipped: %s: %s\n", s.Test, s.Reason)
	}
	for _, f := range sum.Second {
		fmt.Fprintf(w, "FAILED ONCE, passed in a second run, to be mended: %s\n", f)
	}
	for _, f := range sum.Failures {
		fmt.Fprintf(w, "failed: %s\n", f)
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped", sum.Passed, sum.Failed, sum.Skipped)
	if n := len(sum.Second); n > 0 {
		fmt.Fprintf(w, "; %d of them only in a second run", n)
	}
	fmt.Fprintln(w)
	if sum.Failed > 0 {
		return errFailed
	}
	return nil
}

// read returns the parts' results. A part without a file failed before its tests began.
func read(dir string, parts []string) ([]result, error) {
	results := make([]result, len(parts))
	for i, part := range parts {
		data, err := os.ReadFile(filepath.Join(dir, part+".json"))
		if errors.Is(err, fs.ErrNotExist) {
			results[i] = result{Part: part, Failed: 1, Failures: []string{part + ": did not get as far as its tests"}}
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &results[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", part, err)
		}
	}
	return results, nil
}
