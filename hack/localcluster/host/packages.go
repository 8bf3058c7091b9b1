package host

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Need is a file or program that comes from a Debian package.
type Need struct {
	Package string
	Program string // looked for in the PATH
	File    string // or this file
}

// Needs is all that a node takes from Debian; everything else is built.
func Needs() []Need {
	return []Need{
		{Package: "containerd", Program: "containerd"},
		{Package: "containerd", Program: "ctr"},
		{Package: "runc", Program: "runc"},
		{Package: "containernetworking-plugins", File: "/usr/lib/cni/ptp"},
		{Package: "nftables", Program: "nft"},
		{Package: "iptables", Program: "iptables"}, // the portmap plugin, for hostPort
		{Package: "iproute2", Program: "ip"},
		{Package: "util-linux", Program: "nsenter"},
		{Package: "mount", Program: "mount"},
		{Package: "coreutils", Program: "sleep"},
	}
}

// Missing are the packages that something needed is missing from.
func Missing(needs []Need) []string {
	var names []string
	for _, n := range needs {
		var err error
		if n.File != "" {
			_, err = os.Stat(n.File)
		} else {
			_, err = exec.LookPath(n.Program)
		}
		if err != nil {
			names = append(names, n.Package)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// InstallMissing installs whatever a node needs and this machine lacks.
func InstallMissing(out io.Writer) error {
	missing := Missing(Needs())
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintf(out, "packages: installing %s\n", strings.Join(missing, " "))
	if err := install(missing, out); err != nil {
		return err
	}
	if still := Missing(Needs()); len(still) > 0 {
		return missingError(still, errors.New("apt-get says that they are installed"))
	}
	return nil
}

const policyFile = "/usr/sbin/policy-rc.d"

// install installs Debian packages. None of their services is started: a node runs a containerd of its own.
func install(names []string, out io.Writer) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return missingError(names, errors.New("this machine has no apt-get"))
	}
	if os.Geteuid() != 0 {
		return missingError(names, errors.New("only root can install them"))
	}
	undo, err := forbidServices()
	if err != nil {
		return err
	}
	defer undo()
	args := append([]string{"install", "-y", "--no-install-recommends", "-q"}, names...)
	err = apt(args...)
	if err != nil {
		// Package lists that are old or were never fetched are the usual reason.
		fmt.Fprintln(out, "packages: apt-get update")
		if err := apt("update", "-q"); err != nil {
			return missingError(names, err)
		}
		err = apt(args...)
	}
	if err != nil {
		return missingError(names, err)
	}
	if slices.Contains(names, "containerd") {
		// Or systemd, if there is one, starts it at the next boot.
		_, _ = Run("systemctl", "disable", "containerd.service")
	}
	return nil
}

func missingError(names []string, err error) error {
	return fmt.Errorf("missing Debian packages: %s (apt-get install %s): %w", strings.Join(names, " "), strings.Join(names, " "), err)
}

func apt(args ...string) error {
	cmd := exec.Command("apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, strings.Join(lines[max(0, len(lines)-8):], "\n"))
	}
	return nil
}

// forbidServices has packages not start their services, the way Debian lets an administrator say so, until undo.
func forbidServices() (undo func(), err error) {
	if _, err := os.Lstat(policyFile); err == nil {
		return func() {}, nil // The machine's own policy stands.
	}
	if err := os.WriteFile(policyFile, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
		return nil, err
	}
	return func() { _ = os.Remove(policyFile) }, nil
}
