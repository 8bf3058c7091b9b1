package collector

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

type uname struct {
	host Host
	info *text.Family
}

func declareUname(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &uname{host: h, info: text.Gauge("node_uname_info", "Labeled system information as provided by the uname system call.",
			"sysname", "release", "version", "machine", "nodename", "domainname")}, nil
	}
}

func (c *uname) Families() []*text.Family { return []*text.Family{c.info} }

func (c *uname) Update(context.Context) error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Errorf("uname: %w", err)
	}
	node, err := c.nodename(u)
	if err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	c.info.Add(1, unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]),
		unix.ByteSliceToString(u.Version[:]), unix.ByteSliceToString(u.Machine[:]), node, unix.ByteSliceToString(u.Domainname[:]))
	return nil
}

// nodename is the host's name. In a pod uname answers with the pod's, and so does sys/kernel/hostname of the host's own
// /proc: the kernel looks at the namespace of who reads, not at the mount. Process 1's namespace or root would need
// ptrace rights. What is left without any privilege is the name the host starts with, /etc/hostname below the mounted
// root. If that can't be read the collector fails: a pod's name in its place would be wrong on every dashboard. The
// domain name needs no such care, a pod's namespace starts as a copy of the host's.
func (c *uname) nodename(u unix.Utsname) (string, error) {
	if !c.host.mounted() {
		return unix.ByteSliceToString(u.Nodename[:]), nil
	}
	b, err := c.host.readRoot("etc/hostname")
	if err != nil {
		return "", err
	}
	name := parseHostname(b)
	if name == "" {
		return "", fmt.Errorf("%s: no name in it", filepath.Join(c.host.Root, "etc/hostname"))
	}
	return name, nil
}

// parseHostname reads hostname(5): the first line that is neither empty nor a comment.
func parseHostname(b []byte) string {
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return line
		}
	}
	return ""
}
