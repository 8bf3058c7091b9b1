// The operator: it makes NodeExporters, PrometheusServers and AlertRules true and keeps them so.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/hearth-monitoring/hearth/admission"
	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/controllers"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// version is stamped by the build.
var version = "dev"

func main() {
	if err := run(parse(os.Args[1:])); err != nil {
		fmt.Fprintln(os.Stderr, "hearth:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if o.version {
		fmt.Println("hearth", version)
		return nil
	}
	logger, err := newLogger(o)
	if err != nil {
		return err
	}
	ctrl.SetLogger(logger)
	if o.image == "" {
		return errors.New("--image (or HEARTH_IMAGE) is needed: the image of the exporter and the reloader, which is this operator's own")
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	keeper, recent := &admission.Keeper{}, &admission.Recent{}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme,
		Cache:  controllers.CacheOptions(),
		Metrics: metricsserver.Options{
			BindAddress:    o.metricsAddress,
			SecureServing:  true,
			FilterProvider: filters.WithAuthenticationAndAuthorization,
			TLSOpts:        []func(*tls.Config){o.metricsTLS(keeper)},
		},
		WebhookServer:          webhook.NewServer(webhook.Options{Port: o.webhookPort, TLSOpts: []func(*tls.Config){serving(keeper)}}),
		HealthProbeBindAddress: o.probeAddress,
		PprofBindAddress:       o.pprofAddress,
		LeaderElection:         o.leaderElect,
		LeaderElectionID:       "hearth.monitoring.hearth.dev",
		// The process ends right after the manager, so nobody works on without the lease. An API server that is out of breath for
		// ten seconds, which is what is usual here, should not cost a restart on top.
		LeaderElectionReleaseOnCancel: true, LeaseDuration: new(30 * time.Second), RenewDeadline: new(20 * time.Second),
		// A busy API server can take minutes to list ten thousand rules, and giving up would have it begin anew.
		Controller: ctrlconfig.Controller{CacheSyncTimeout: 15 * time.Minute},
	})
	if err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	ctx := ctrl.SetupSignalHandler()
	images := o.images()
	certificate, err := o.answer(ctx, mgr, keeper, images, recent)
	if err = errors.Join(err, register(ctx, mgr, images, certificate, recent)); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	return mgr.Start(ctx)
}

// register wires the reconcilers to each other and to the manager.
func register(ctx context.Context, mgr ctrl.Manager, images stack.Images, certificate *controllers.WebhookCertificate, recent *admission.Recent) error {
	replicas, ledger, verdicts := controllers.NewReplicas(ctx), controllers.NewLedger(), controllers.NewVerdicts(recent)
	namespaces, alerts, routes := &controllers.Namespaces{}, controllers.NewAlerts(ctx), controllers.NewRoutes()
	events := mgr.GetEventRecorder("hearth")
	client, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	monitors := controllers.NewMonitors(client, mgr.GetCache(), verdicts)
	servers := &controllers.PrometheusServerReconciler{
		Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Events: events, Images: images, Replicas: replicas, Ledger: ledger,
		Verdicts: verdicts, Namespaces: namespaces, Alerts: alerts, Routes: routes, Monitors: monitors,
	}
	if certificate != nil {
		servers.Operator, servers.OperatorNews = certificate.Operator, certificate.News
	}
	return errors.Join(
		mgr.Add(monitors),
		servers.SetupWithManager(mgr),
		(&controllers.NodeExporterReconciler{
			Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Events: events, Images: images,
		}).SetupWithManager(mgr),
		(&controllers.AlertRuleReconciler{
			Client: mgr.GetClient(), Events: events, Ledger: ledger, Verdicts: verdicts, Namespaces: namespaces,
			Metrics: controllers.NewMetrics(metrics.Registry), Alerts: alerts, Routes: routes,
			Tests: controllers.NewTests(ctx),
		}).SetupWithManager(mgr),
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("ping", healthz.Ping),
	)
}

// answer adds the webhook, nil for none.
func (o options) answer(ctx context.Context, mgr ctrl.Manager, keeper *admission.Keeper, images stack.Images, recent *admission.Recent) (*controllers.WebhookCertificate, error) {
	if !o.webhook {
		return nil, nil
	}
	if o.namespace == "" {
		return nil, errors.New("the webhook needs --namespace (or HEARTH_NAMESPACE), where its certificate is kept: set it, or --webhook=false")
	}
	for path, handler := range admission.Handlers(images, recent) {
		mgr.GetWebhookServer().Register(path, handler)
	}
	certificate := &controllers.WebhookCertificate{
		Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Keeper: keeper, Namespace: o.namespace, Now: time.Now,
		News: make(chan event.GenericEvent, 1),
	}
	certificate.Prepare(ctx)
	return certificate, mgr.Add(certificate)
}
