// Kubectl-hearth is a plugin of kubectl's: kubectl hearth adopt reports what Hearth would take of what another operator runs. It
// reads the cluster and changes nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/hearth-monitoring/hearth/internal/adopt"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// version is stamped by the build.
var version = "dev"

// The exit codes.
const (
	exitComplete = 0 // everything that is selected would be taken
	exitFailed   = 1 // there is no report
	exitPartly   = 2 // something that is selected would not be taken
)

const usage = `Usage: kubectl hearth adopt [flags]

Reports what Hearth would take of what prometheus-operator runs in this cluster, and with what difference. Nothing is changed.
It exits with 0 if everything that is selected would be taken, with 2 if something would not be, and with 1 if it cannot be said.

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code, err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubectl-hearth:", err)
	}
	os.Exit(code)
}

// flags are those of adopt.
type flags struct {
	kubeconfig, context, namespace, output string
}

func run(ctx context.Context, args []string, out io.Writer) (int, error) {
	if len(args) == 1 && (args[0] == "version" || args[0] == "--version") {
		fmt.Fprintln(out, "kubectl-hearth", version)
		return exitComplete, nil
	}
	if len(args) == 0 || args[0] != "adopt" {
		fmt.Fprint(out, usage+"  kubectl hearth adopt --help lists them\n")
		return exitFailed, errors.New("name a command: adopt")
	}
	f, err := parse(args[1:], out)
	if errors.Is(err, flag.ErrHelp) {
		return exitComplete, nil
	}
	if err != nil {
		return exitFailed, err
	}
	config, err := f.config()
	if err != nil {
		return exitFailed, fmt.Errorf("find the cluster: %w", err)
	}
	return report(ctx, config, f, out)
}

func parse(args []string, out io.Writer) (flags, error) {
	var f flags
	fs := flag.NewFlagSet("kubectl hearth adopt", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() {
		fmt.Fprint(out, usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&f.kubeconfig, "kubeconfig", "", "file of the cluster; default: as kubectl finds it")
	fs.StringVar(&f.context, "context", "", "context of the kubeconfig")
	fs.StringVar(&f.namespace, "n", "", "report only on the Prometheuses of this namespace; what they select may be anywhere")
	fs.StringVar(&f.output, "o", "table", "table, or yaml for PrometheusServers to apply")
	if err := fs.Parse(args); err != nil {
		return f, err
	}
	if fs.NArg() > 0 || f.output != "table" && f.output != "yaml" {
		return f, fmt.Errorf("adopt takes flags alone, and -o is table or yaml: %v", args)
	}
	return f, nil
}

func (f flags) config() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: f.context}).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 50, 100
	return config, nil
}

func report(ctx context.Context, config *rest.Config, f flags, out io.Writer) (int, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return exitFailed, err
	}
	read := &reader{client: client}
	cluster, err := read.cluster(ctx, f.namespace)
	if err != nil {
		return exitFailed, err
	}
	// These decide nothing that is reported: a declaration names its versions, or the operator's own are used.
	cluster.Images = stack.Images{Hearth: "hearth", PrometheusVersion: "3.15.0", AlertmanagerVersion: "0.31.1"}
	r, err := adopt.Of(*cluster)
	if err != nil {
		return exitFailed, err
	}
	if f.output == "yaml" {
		err = r.YAML(out)
	} else {
		r.Table(out)
	}
	switch {
	case err != nil:
		return exitFailed, err
	case !r.Complete():
		return exitPartly, nil
	}
	return exitComplete, nil
}
