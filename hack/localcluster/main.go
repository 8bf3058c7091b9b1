// Command localcluster runs a real Kubernetes cluster on a machine without Docker: it builds the programs from their pinned
// Go modules, takes containerd from Debian, and gives each node namespaces of its own. `localcluster help` lists the commands.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hearth-monitoring/hearth/hack/localcluster/build"
	"github.com/hearth-monitoring/hearth/hack/localcluster/cluster"
	"github.com/hearth-monitoring/hearth/hack/localcluster/host"
)

const usage = `localcluster: a real Kubernetes cluster on this machine, without Docker

  localcluster up [--nodes N]       start it (or what is missing of it), or add nodes
  localcluster down                 stop it and leave nothing behind
  localcluster status               what runs; fails unless all of it is healthy
  localcluster load IMAGE...        give all nodes an image: NAME:TAG=FILE[:/path/in/image][,FILE...] made of static
                                    binaries (the first is what it runs), or a built-in one: %s
  localcluster kubeconfig [--print] where the admin's kubeconfig is, or what is in it
  localcluster kubectl ARGS...      the bundled kubectl, on this cluster
  localcluster build [TARGET...]    only build: %s
  localcluster packages             only install the Debian packages that are missing; up does both by itself

flags of every command, after its name:
`

// options are the flags, of which every command takes the first four.
type options struct {
	name, state, subnet, root string
	nodes                     int
	print                     bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	default:
		fmt.Fprintln(os.Stderr, "localcluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	command := "help"
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	var o options
	flags := flag.NewFlagSet("localcluster "+command, flag.ContinueOnError)
	flags.StringVar(&o.name, "name", cmp.Or(os.Getenv("HEARTH_CLUSTER"), cluster.DefaultName), "of the cluster; $HEARTH_CLUSTER gives it too")
	flags.StringVar(&o.state, "state", "", "folder of all it writes, which down removes (default "+cluster.StateParent+"/NAME)")
	flags.StringVar(&o.subnet, "subnet", "", "a /16 for nodes, pods and services (default: made of the name)")
	flags.StringVar(&o.root, "root", "", "the repository (default: found from the program's place and the working directory)")
	flags.Usage = func() { help(flags) }
	switch command {
	case "up":
		flags.IntVar(&o.nodes, "nodes", 0, "how many nodes (default: as many as it has, or 1)")
	case "kubeconfig":
		flags.BoolVar(&o.print, "print", false, "its content instead of its path")
	case "help", "-h", "--help":
		help(flags)
		return nil
	}
	own, rest := args, []string(nil)
	if command == "kubectl" {
		own, rest = split(flags, args)
	}
	if err := flags.Parse(own); err != nil {
		return err
	}
	if o.root == "" {
		root, err := findRoot()
		if err != nil {
			return err
		}
		o.root = root
	}
	return dispatch(ctx, command, o, append(flags.Args(), rest...))
}

// split parts the flags that are ours from kubectl's arguments, which begin with the first that is not.
func split(flags *flag.FlagSet, args []string) (own, rest []string) {
	for i := 0; i < len(args); i++ {
		name, _, joined := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if !strings.HasPrefix(args[i], "--") || flags.Lookup(name) == nil {
			return args[:i], args[i:]
		}
		if !joined {
			i++
		}
	}
	return args, nil
}

func dispatch(ctx context.Context, command string, o options, args []string) error {
	switch command {
	case "build":
		return buildTargets(ctx, o.root, args)
	case "packages":
		return packages()
	}
	c, err := cluster.New(cluster.Options{Name: o.name, State: o.state, Subnet: o.subnet, Root: o.root, Out: os.Stdout})
	if err != nil {
		return err
	}
	switch command {
	case "up":
		return locked(o.name, func() error { return c.Up(ctx, o.nodes) })
	case "down":
		return locked(o.name, c.Down)
	case "load":
		if len(args) == 0 {
			return errors.New("load: which image?")
		}
		return locked(o.name, func() error { return c.Load(ctx, args...) })
	case "status":
		return c.Status()
	case "kubeconfig":
		return kubeconfig(c, o.print)
	case "kubectl":
		return kubectl(c, args)
	}
	return fmt.Errorf("no command %q: see localcluster help", command)
}

func locked(name string, do func() error) error {
	unlock, err := host.Lock(name, os.Stdout)
	if err != nil {
		return err
	}
	defer unlock()
	return do()
}

func buildTargets(ctx context.Context, root string, names []string) error {
	b := build.Builder{Root: root, Out: os.Stdout}
	if len(names) == 0 {
		for _, t := range build.Targets() {
			names = append(names, t.Name)
		}
	}
	return b.Build(ctx, names...)
}

func packages() error {
	unlock, err := host.Lock("packages", os.Stdout)
	if err != nil {
		return err
	}
	defer unlock()
	return host.InstallMissing(os.Stdout)
}

func kubeconfig(c *cluster.Cluster, show bool) error {
	if _, err := c.Nodes(); err != nil {
		return err
	}
	if !show {
		fmt.Println(c.Kubeconfig())
		return nil
	}
	text, err := os.ReadFile(c.Kubeconfig())
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}

// kubectl becomes kubectl, so that signals and the terminal are its own.
func kubectl(c *cluster.Cluster, args []string) error {
	if _, err := c.Nodes(); err != nil {
		return err
	}
	argv := c.KubectlArgs(args...)
	return syscall.Exec(argv[0], argv, os.Environ())
}

func help(flags *flag.FlagSet) {
	var images, targets []string
	for _, i := range build.Images() {
		images = append(images, i.Name)
	}
	for _, t := range build.Targets() {
		targets = append(targets, t.Name)
	}
	fmt.Printf(usage, strings.Join(images, " "), strings.Join(targets, " "))
	flags.SetOutput(os.Stdout)
	flags.PrintDefaults()
}

// findRoot is the repository that this program, or else the working directory, is in.
func findRoot() (string, error) {
	var starts []string
	if exe, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(exe))
	}
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	for _, dir := range starts {
		for ; ; dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "hack", "localcluster", "go.mod")); err == nil {
				return dir, nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", errors.New("found no folder with hack/localcluster/go.mod above this program or the working directory: say --root")
}
