// Package fetch reads what the operator publishes from the Kubernetes API: it watches the manifest by name and gets the
// parts it names. It never gives up; what is on disk stays in use while the API is away.
package fetch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/reloader/tree"
)

const (
	// parallel gets keep a first start with many buckets short without a burst from every replica at once.
	parallel = 4

	minBackoff  = 250 * time.Millisecond
	maxBackoff  = 15 * time.Second
	listTimeout = 20 * time.Second
	// watchFor is how long one watch lasts. The list that follows also finds what a connection that died in silence missed.
	watchFor = 5 * time.Minute
)

// Source is one server's published objects.
type Source struct {
	client    rest.Interface
	codec     runtime.ParameterCodec
	namespace string
	manifest  string
}

// New makes the source of the published objects whose manifest has this name.
func New(config *rest.Config, namespace, manifest string) (*Source, error) {
	scheme, err := coreScheme()
	if err != nil {
		return nil, err
	}
	client, err := Client(config)
	if err != nil {
		return nil, err
	}
	return &Source{client: client, codec: runtime.NewParameterCodec(scheme), namespace: namespace, manifest: manifest}, nil
}

// Client makes a client that knows the core kinds and nothing else: the whole typed clientset costs a sidecar megabytes.
func Client(config *rest.Config) (rest.Interface, error) {
	scheme, err := coreScheme()
	if err != nil {
		return nil, err
	}
	c := rest.CopyConfig(config)
	c.APIPath = "/api"
	// The default limit of five requests a second would make a first start with many buckets wait; parallel bounds it.
	c.QPS = -1
	c.GroupVersion = &corev1.SchemeGroupVersion
	c.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	// Protobuf saves the base64 that JSON makes of packed parts.
	c.ContentType = runtime.ContentTypeProtobuf
	c.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return rest.RESTClientFor(c)
}

func coreScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	return scheme, nil
}

// Watch calls deliver with every manifest it sees, and failed whenever the API or the manifest does not answer as it
// should, until ctx ends.
func (s *Source) Watch(ctx context.Context, deliver func(tree.Revision), failed func(error)) {
	backoff := minBackoff
	for ctx.Err() == nil {
		started := time.Now()
		err := s.listAndWatch(ctx, deliver, failed)
		if err == nil || ctx.Err() != nil {
			backoff = minBackoff
			continue
		}
		failed(err)
		// Some jitter, so that the replicas of a cluster whose API comes back do not all arrive in step.
		if !sleep(ctx, backoff+rand.N(backoff/2)) { //nolint:gosec // nobody gains by guessing when
			return
		}
		backoff = min(2*backoff, maxBackoff)
		if time.Since(started) > time.Minute {
			backoff = minBackoff
		}
	}
}

func (s *Source) listAndWatch(ctx context.Context, deliver func(tree.Revision), failed func(error)) error {
	selector := fields.OneTermEqualSelector("metadata.name", s.manifest).String()
	listCtx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	var list corev1.ConfigMapList
	// No resourceVersion: a consistent read. A cache that lags behind could bring back a manifest that was replaced.
	err := s.client.Get().Namespace(s.namespace).Resource("configmaps").
		VersionedParams(&metav1.ListOptions{FieldSelector: selector}, s.codec).Do(listCtx).Into(&list)
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	if len(list.Items) == 0 {
		failed(fmt.Errorf("ConfigMap %s/%s does not exist yet", s.namespace, s.manifest))
	}
	for i := range list.Items {
		s.take(&list.Items[i], deliver, failed)
	}
	seconds := int64(watchFor.Seconds())
	w, err := s.client.Get().Namespace(s.namespace).Resource("configmaps").
		VersionedParams(&metav1.ListOptions{
			FieldSelector: selector, ResourceVersion: list.ResourceVersion, Watch: true, TimeoutSeconds: &seconds,
		}, s.codec).Watch(ctx)
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	defer w.Stop()
	return s.follow(ctx, w, deliver, failed)
}

// follow returns nil when the watch came to its ordinary end.
func (s *Source) follow(ctx context.Context, w watch.Interface, deliver func(tree.Revision), failed func(error)) error {
	started := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, open := <-w.ResultChan():
			if !open {
				// An API that ends every watch at once is not asked again at once.
				if time.Since(started) < time.Second {
					return fmt.Errorf("watch: ended after %s", time.Since(started).Round(time.Millisecond))
				}
				return nil
			}
			switch object := e.Object.(type) {
			case *corev1.ConfigMap:
				if e.Type == watch.Deleted {
					// What is loaded stays: a deleted manifest is a mistake being made or a server being deleted.
					failed(fmt.Errorf("ConfigMap %s/%s was deleted", s.namespace, s.manifest))
					continue
				}
				s.take(object, deliver, failed)
			default:
				return fmt.Errorf("watch: %w", apierrors.FromObject(e.Object))
			}
		}
	}
}

func (s *Source) take(object *corev1.ConfigMap, deliver func(tree.Revision), failed func(error)) {
	if object.Name != s.manifest {
		return
	}
	m, err := bundle.ParseManifest([]byte(object.Data[bundle.ManifestKey]))
	if err != nil {
		failed(fmt.Errorf("ConfigMap %s/%s: %w", s.namespace, s.manifest, err))
		return
	}
	deliver(tree.Revision{UID: string(object.UID), Manifest: m})
}

// Parts gets packed parts by object name. One that is not what the manifest says wraps bundle.ErrMismatch.
func (s *Source) Parts(ctx context.Context, objects []bundle.Object) (map[string][]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu    sync.Mutex
		group sync.WaitGroup
		slots = make(chan struct{}, parallel)
		parts = make(map[string][]byte, len(objects))
	)
	for _, o := range objects {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			packed, err := s.part(ctx, o)
			if err != nil {
				// The first error is the one to tell; the others are of its making.
				cancel(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			parts[o.Name] = packed
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return parts, nil
}

func (s *Source) part(ctx context.Context, o bundle.Object) ([]byte, error) {
	var cm corev1.ConfigMap
	err := s.client.Get().Namespace(s.namespace).Resource("configmaps").Name(o.Name).Do(ctx).Into(&cm)
	if err != nil {
		return nil, fmt.Errorf("get ConfigMap %s/%s: %w", s.namespace, o.Name, err)
	}
	packed, ok := cm.BinaryData[bundle.PartKey]
	if !ok {
		return nil, fmt.Errorf("ConfigMap %s/%s has no %s: %w", s.namespace, o.Name, bundle.PartKey, bundle.ErrMismatch)
	}
	if bundle.Sum(packed) != o.SHA256 {
		return nil, fmt.Errorf("ConfigMap %s/%s: %w", s.namespace, o.Name, bundle.ErrMismatch)
	}
	return packed, nil
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
