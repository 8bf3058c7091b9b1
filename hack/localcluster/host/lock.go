package host

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// Lock lets one process at a time do something. The lock is an abstract socket: it leaves no file, and the kernel lets go of it
// when its holder ends, however it ends.
func Lock(name string, out io.Writer) (unlock func(), err error) {
	for first := true; ; first = false {
		l, err := net.Listen("unix", "@hearth-localcluster/"+name)
		if err == nil {
			return func() { _ = l.Close() }, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		if first {
			fmt.Fprintf(out, "another localcluster command works on %s: waiting for it\n", name)
		}
		time.Sleep(500 * time.Millisecond)
	}
}
