// Package provisioner gives PersistentVolumeClaims a folder of this machine: a `local` volume on the node that the pod was
// scheduled to. It is a `local` volume rather than a `hostPath` one because the kubelet then applies fsGroup to it and
// measures it. It holds no quota: a claim's size is a number that grows when asked, which is what the local cluster is for.
package provisioner

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// Name is what StorageClasses call it.
const Name = "hearth.dev/hostpath"

// provisionedBy marks the volumes that are ours to remove, as Kubernetes' own provisioners do.
const provisionedBy = "pv.kubernetes.io/provisioned-by"

// resync is how often everything is looked at again, for what an event did not bring.
const resync = time.Minute

// item is one object to look at.
type item struct {
	volume    bool
	namespace string
	name      string
}

type provisioner struct {
	client  kubernetes.Interface
	root    string
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
	nodes   corelisters.NodeLister
	classes storagelisters.StorageClassLister
	queue   workqueue.TypedRateLimitingInterface[item]
}

// Main runs the provisioner until it is told to stop; it returns the exit code.
func Main(args []string) int {
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "file with the API server's address and credentials")
	root := flags.String("root", "", "folder to make volumes in: ROOT/NODE/VOLUME")
	_ = flags.Parse(args[1:]) // ExitOnError: it does not return one.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *root); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", args[0], err)
		return 1
	}
	return 0
}

func run(ctx context.Context, kubeconfig, root string) error {
	if root == "" {
		return errors.New("--root is missing")
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, resync)
	core := factory.Core().V1()
	p := &provisioner{
		client:  client,
		root:    root,
		claims:  core.PersistentVolumeClaims().Lister(),
		volumes: core.PersistentVolumes().Lister(),
		nodes:   core.Nodes().Lister(),
		classes: factory.Storage().V1().StorageClasses().Lister(),
		queue:   workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[item]()),
	}
	for _, informer := range []cache.SharedIndexInformer{
		core.PersistentVolumeClaims().Informer(), core.PersistentVolumes().Informer(),
	} {
		if _, err := informer.AddEventHandler(p.handler()); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("stopped before the first list of %v", kind)
		}
	}
	klog.InfoS("provisioning", "provisioner", Name, "root", root)
	go func() { <-ctx.Done(); p.queue.ShutDown() }()
	for p.next(ctx) {
	}
	return nil
}

// handler enqueues what changed. Deletions need nothing: a volume says Released before it goes.
func (p *provisioner) handler() cache.ResourceEventHandler {
	add := func(object any) {
		switch o := object.(type) {
		case *corev1.PersistentVolumeClaim:
			p.queue.Add(item{namespace: o.Namespace, name: o.Name})
		case *corev1.PersistentVolume:
			p.queue.Add(item{volume: true, name: o.Name})
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: add, UpdateFunc: func(_, o any) { add(o) }}
}

func (p *provisioner) next(ctx context.Context) bool {
	it, stopped := p.queue.Get()
	if stopped {
		return false
	}
	defer p.queue.Done(it)
	var err error
	if it.volume {
		err = p.reclaim(ctx, it.name)
	} else {
		err = p.claim(ctx, it.namespace, it.name)
	}
	// A conflict or a missing object is somebody else's change, whose event is on its way; it is tried again all the same.
	if err != nil && !apierrors.IsNotFound(err) {
		klog.ErrorS(err, "will try again", "namespace", it.namespace, "name", it.name)
		p.queue.AddRateLimited(it)
		return true
	}
	p.queue.Forget(it)
	return true
}
