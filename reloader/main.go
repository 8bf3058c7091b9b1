// Command reloader runs beside Prometheus or Alertmanager as a native sidecar. It brings published configuration into the
// server, and tells the operator what the server has loaded and how it is doing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/reloader/agent"
	"github.com/hearth-monitoring/hearth/reloader/fetch"
	"github.com/hearth-monitoring/hearth/reloader/report"
	"github.com/hearth-monitoring/hearth/reloader/secrets"
	"github.com/hearth-monitoring/hearth/reloader/server"
	"github.com/hearth-monitoring/hearth/reloader/tree"
	"github.com/hearth-monitoring/hearth/reloader/web"
)

// The kinds of server.
const (
	kindPrometheus   = "prometheus"
	kindAlertmanager = "alertmanager"
	// kindAgent is a Prometheus in agent mode.
	kindAgent = "agent"
)

// secretsBlocker is what the board waits for until the Secrets of the first revision have been asked for.
const secretsBlocker = "the first look at the Secrets"

// mountedBlocker is the same for those that are mounted.
const mountedBlocker = "the mounted Secrets"

// webBlocker is what the board waits for until the server's web configuration is written.
const webBlocker = "the web configuration"

type options struct {
	namespace, manifest, dir, serverURL, listen, kubeconfig, expand string

	// kind of the server, and where to leave the Secrets that other namespaces have granted to it.
	kind, grantedDir string
	// mountedDir is where the cluster mounts Secrets that may be missing, mountedOut where the server finds them.
	mountedDir, mountedOut string

	level slog.Level
	web   web.Options
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("reloader", flag.ContinueOnError)
	f.StringVar(&o.namespace, "namespace", "", "namespace of the published objects")
	f.StringVar(&o.manifest, "manifest", "", "name of the manifest ConfigMap")
	f.StringVar(&o.dir, "dir", "", "directory for the files; the server reads <dir>/current")
	f.StringVar(&o.kind, "server-kind", kindPrometheus, kindPrometheus+", "+kindAgent+" or "+kindAlertmanager)
	f.StringVar(&o.grantedDir, "granted-dir", "", "directory, in memory, for the Secrets that "+bundle.SecretsName+" in the tree names; empty: none are read")
	f.StringVar(&o.mountedDir, "mounted-dir", "", "mounted Secrets that "+bundle.MountedName+" in the tree names and that may be missing; empty: there are none")
	f.StringVar(&o.mountedOut, "mounted-out", "", "directory, in memory, in which the server finds those")
	f.StringVar(&o.serverURL, "server-url", "http://127.0.0.1:9090", "the server, over loopback; https is implied by --tls-dir")
	f.StringVar(&o.listen, "listen-address", fmt.Sprintf(":%d", replica.Port), "where to serve the report, probes and metrics")
	f.StringVar(&o.web.Out, "web-config-out", "", "file to write the server's web configuration to")
	f.StringVar(&o.web.TLSDir, "tls-dir", "", "mounted Secret with tls.crt and tls.key for the server")
	f.StringVar(&o.web.ClientCA, "tls-client-ca", "", "file with the certificates of clients that may connect to the server")
	f.StringVar(&o.web.AuthDir, "basic-auth-dir", "", "mounted Secret with username and password for the server")
	f.StringVar(&o.expand, "expand-env", "", "comma-separated environment variables whose $(NAME) is replaced in files at the root of the tree")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file; empty: the pod's own account")
	f.TextVar(&o.level, "log-level", slog.LevelInfo, "DEBUG, INFO, WARN or ERROR")
	if err := f.Parse(args); err != nil {
		return options{}, err
	}
	if f.NArg() > 0 || o.namespace == "" || o.manifest == "" || o.dir == "" {
		return options{}, errors.New("want --namespace, --manifest and --dir, and no arguments")
	}
	if o.kind != kindPrometheus && o.kind != kindAgent && o.kind != kindAlertmanager {
		return options{}, fmt.Errorf("--server-kind %q is none of %s, %s and %s", o.kind, kindPrometheus, kindAgent, kindAlertmanager)
	}
	if (o.mountedDir == "") != (o.mountedOut == "") {
		return options{}, errors.New("--mounted-dir and --mounted-out go together")
	}
	return o, o.web.Check()
}

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: o.level}))
	if err != nil {
		log.Error("bad flags", "error", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, log); err != nil {
		log.Error("cannot go on", "error", err)
		stop()
		os.Exit(1)
	}
}

// run fails only for what no waiting would mend.
func run(ctx context.Context, o options, log *slog.Logger) error {
	config, err := account(o.kubeconfig)
	if err != nil {
		return fmt.Errorf("account: %w", err)
	}
	source, err := fetch.New(config, o.namespace, o.manifest)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	store, err := tree.Open(o.dir, environment(o.expand))
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics := agent.NewMetrics(registry)

	board := report.NewBoard(o.blockers()...)
	keeper, err := web.New(o.web)
	if err != nil {
		return err
	}
	client, err := clientOf(o, keeper)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	if o.web.Out != "" {
		go keeper.Run(ctx, 5*time.Second, webTeller(board, metrics, log))
	}
	serve(ctx, listener, board.Handler(promhttp.InstrumentMetricHandler(registry, promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))), log)
	a := agent.New(store, source, o.server(client), board, metrics, agent.DefaultPace(), log)
	prepare, err := o.keepSecrets(ctx, config, a.Reread, board, log)
	if err != nil {
		return err
	}
	a.Prepare(prepare)
	a.Run(ctx)
	return nil
}

// keepSecrets begins to keep what the server needs of Secrets as files, and says how they are brought up to date at once. Where
// the server does not notice by itself that they have become others, reread is called.
func (o options) keepSecrets(ctx context.Context, config *rest.Config, reread func(), board *report.Board, log *slog.Logger) (func(context.Context), error) {
	var all []func(context.Context)
	if o.grantedDir != "" {
		granted, err := o.secrets(config, board, log)
		if err != nil {
			return nil, err
		}
		granted.Changed(reread)
		all = append(all, granted.Sync)
		go granted.Run(ctx)
	}
	if o.mountedDir != "" {
		mounted, err := o.mounted(board, log)
		if err != nil {
			return nil, err
		}
		all = append(all, mounted.Sync)
		go mounted.Run(ctx)
	}
	return func(ctx context.Context) {
		for _, sync := range all {
			sync(ctx)
		}
	}, nil
}

// blockers are what has to be there before the server may start: it refuses to without any of the files that it is told of.
func (o options) blockers() []string {
	out := []string{agent.TreeBlocker}
	if o.web.Out != "" {
		out = append(out, webBlocker)
	}
	if o.grantedDir != "" {
		out = append(out, secretsBlocker)
	}
	if o.mountedDir != "" {
		out = append(out, mountedBlocker)
	}
	return out
}

func (o options) server(client *server.Client) agent.Server {
	if o.kind == kindAlertmanager {
		return server.NewAlertmanager(client)
	}
	if o.kind == kindAgent {
		return server.NewAgent(client)
	}
	return server.NewPrometheus(client, filepath.Join(o.dir, "current", bundle.RulesDir))
}

func (o options) secrets(config *rest.Config, board *report.Board, log *slog.Logger) (*secrets.Keeper, error) {
	client, err := fetch.Client(config)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	told := func(all []replica.Secret) {
		board.Update(func(r *replica.Report) { r.Secrets = all })
		board.Unblock(secretsBlocker)
	}
	return secrets.New(client, filepath.Join(o.dir, "current", bundle.SecretsName), o.grantedDir, told, log)
}

func (o options) mounted(board *report.Board, log *slog.Logger) (*secrets.Mounted, error) {
	told := func(all []replica.Secret) {
		board.Update(func(r *replica.Report) { r.Mounted = all })
		board.Unblock(mountedBlocker)
	}
	return secrets.NewMounted(filepath.Join(o.dir, "current", bundle.MountedName), o.mountedDir, o.mountedOut, told, log)
}

func account(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		return rest.InClusterConfig()
	}
	return clientcmd.BuildConfigFromFlags("", kubeconfig)
}

func clientOf(o options, keeper *web.Keeper) (*server.Client, error) {
	base, err := url.Parse(o.serverURL)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("--server-url %q is not an address", o.serverURL)
	}
	var identity server.Identity
	if o.web.TLSDir != "" {
		base.Scheme = "https"
		identity.Leaf = keeper.Leaf
		identity.Certificate = keeper.Certificate
	}
	if o.web.AuthDir != "" {
		identity.Credentials = keeper.Credentials
	}
	return server.NewClient(base, identity), nil
}

func webTeller(board *report.Board, metrics *agent.Metrics, log *slog.Logger) func(wrote bool, err error) {
	last := ""
	return func(wrote bool, err error) {
		if wrote {
			log.Info("wrote the server's web configuration")
		}
		if err == nil {
			last = ""
			metrics.WebConfig.Set(1)
			board.Unblock(webBlocker)
			return
		}
		metrics.WebConfig.Set(0)
		board.Block(webBlocker, "the web configuration: "+strings.ReplaceAll(err.Error(), "\n", "; "))
		if err.Error() != last {
			last = err.Error()
			log.Error("the server's web configuration stays as it was", "error", err)
		}
	}
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) {
	s := report.Server(handler)
	// Long polls end with ctx, so that they do not hold up the end of the process.
	s.BaseContext = func(net.Listener) context.Context { return ctx }
	go func() {
		if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the report is no longer served", "error", err)
			os.Exit(1)
		}
	}()
	context.AfterFunc(ctx, func() { _ = s.Close() })
}

func environment(names string) map[string]string {
	values := map[string]string{}
	for name := range strings.SplitSeq(names, ",") {
		if name = strings.TrimSpace(name); name != "" {
			values[name] = os.Getenv(name)
		}
	}
	return values
}
