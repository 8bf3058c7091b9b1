// Command testsummary runs parts of the tests with go test -json, shows how they get on, and adds the parts up.
//
//	testsummary run DIR PART COMMAND...    runs COMMAND (a go test -json) and writes what came of it to DIR/PART.json
//	testsummary report DIR PART...         prints the parts together, and last of all one line for all of them
//
// One or two tests that fail are run once more, alone, and count as passed if they pass then; the report names them.
// Both exit with 1 if anything else failed. A part that should have run and left no file counts as a failure.
package main

import (
	"errors"
	"fmt"
	"os"
)

// errFailed is returned where everything there is to say has been printed already.
var errFailed = errors.New("tests failed")

func main() {
	err := command(os.Args[1:])
	if err == nil {
		return
	}
	if !errors.Is(err, errFailed) {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
	}
	os.Exit(1)
}

func command(args []string) error {
	switch {
	case len(args) >= 4 && args[0] == "run":
		return run(os.Stdout, args[1], args[2], args[3:])
	case len(args) >= 3 && args[0] == "report":
		return report(os.Stdout, args[1], args[2:])
	}
	return errors.New("usage: testsummary run DIR PART COMMAND, or testsummary report DIR PART")
}
