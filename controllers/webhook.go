package controllers

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hearth-monitoring/hearth/admission"
	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// WebhookName is the name of the webhook's Service and of the Secret with its certificate, in the operator's namespace,
// and of the ValidatingWebhookConfiguration: those of config/webhook.
const WebhookName = "hearth-webhook"

// Keys of the Secret; those of type kubernetes.io/tls, and what a client may trust.
const (
	keyAuthorities = "ca.crt"
	keyCertificate = corev1.TLSCertKey
	keyPrivate     = corev1.TLSPrivateKeyKey
)

// How often the webhook's certificate and the configuration that names its authority are looked at, and how soon again
// after that failed. Two small requests a minute cost less than two watches, and there is no hurry: until it is mended the
// API server goes on without the webhook.
const (
	webhookLook  = time.Minute
	webhookRetry = 2 * time.Second
	webhookFirst = 5 * time.Second
)

// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations,resourceNames=hearth-webhook,verbs=get;patch

// WebhookCertificate makes the webhook's certificate, renews it in time, and tells the API server whom to trust. Every
// replica of the operator runs it, because every one answers; the Secret is what they share.
type WebhookCertificate struct {
	// Client writes, Reader reads from the API server: the operator holds no Secret in its caches.
	Client client.Client
	Reader client.Reader
	Keeper *admission.Keeper
	// Namespace of the operator.
	Namespace string
	// ServerName is what the API server expects in the certificate, and Look how often to look; empty: the Service's name,
	// and every minute.
	ServerName string
	Look       time.Duration
	// Now is the clock.
	Now func() time.Time
	// News has an event when the authorities change, which servers that pull from the operator go by; nil: nobody is told.
	News chan event.GenericEvent
}

// Operator is what servers have to know to pull from the operator, which answers them with the webhook's certificate.
func (w *WebhookCertificate) Operator() stack.Operator {
	return stack.Operator{Namespace: w.Namespace, ServerName: w.name(), Authorities: w.Keeper.Authorities()}
}

// NeedLeaderElection is false: the replicas that stand by answer as well.
func (*WebhookCertificate) NeedLeaderElection() bool { return false }

// Start works until ctx ends. That the webhook does not work is no reason to stop anything.
func (w *WebhookCertificate) Start(ctx context.Context) error {
	log, last := ctrl.LoggerFrom(ctx).WithName("webhook"), ""
	for ctx.Err() == nil {
		pause := w.Look
		if pause == 0 {
			pause = webhookLook
		}
		err := w.sync(ctx)
		if err != nil {
			pause = min(pause, webhookRetry)
		}
		if text := fmt.Sprint(err); text != last && ctx.Err() == nil {
			if last = text; err != nil {
				log.Error(err, "the webhook does not answer; what is applied is judged by its status alone")
			}
		}
		sleep(ctx, pause)
	}
	return nil
}

// sync does the one after the other, so that the API server trusts a certificate before it is answered with it.
func (w *WebhookCertificate) sync(ctx context.Context) error {
	pair, err := w.pair(ctx)
	if err != nil {
		return err
	}
	if err := w.trust(ctx, pair.Authorities); err != nil {
		return err
	}
	before := w.Keeper.Authorities()
	if err := w.Keeper.Use(pair); err != nil || w.News == nil || bytes.Equal(before, pair.Authorities) {
		return err
	}
	select {
	case w.News <- event.GenericEvent{Object: &v1alpha1.PrometheusServer{}}:
	case <-ctx.Done():
	}
	return nil
}

// Prepare is a first attempt, before anybody is answered or any server is reconciled. Start goes on where it fails.
func (w *WebhookCertificate) Prepare(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, webhookFirst)
	defer cancel()
	if pair, err := w.pair(ctx); err == nil {
		_ = w.Keeper.Use(pair) // the pair was checked
	}
}

// pair is the certificate in the Secret, made anew if that is not there, not right or not for much longer. If two replicas
// make one at the same time, the second one's is refused for its resourceVersion, and it takes the first one's next.
func (w *WebhookCertificate) pair(ctx context.Context) (admission.Pair, error) {
	var secret corev1.Secret
	if err := w.Reader.Get(ctx, client.ObjectKey{Namespace: w.Namespace, Name: WebhookName}, &secret); err != nil {
		return admission.Pair{}, fmt.Errorf("get the Secret for the webhook's certificate, which config/webhook makes: %w", err)
	}
	pair := admission.Pair{Authorities: secret.Data[keyAuthorities], Certificate: secret.Data[keyCertificate], Key: secret.Data[keyPrivate]}
	why := pair.Check(w.Now(), w.name())
	if why == nil {
		return pair, nil
	}
	pair, err := admission.Issue(w.Now(), w.name(), pair)
	if err != nil {
		return admission.Pair{}, fmt.Errorf("make the webhook's certificate: %w", err)
	}
	changed := secret.DeepCopy()
	changed.Data = maps.Clone(secret.Data)
	if changed.Data == nil {
		changed.Data = map[string][]byte{}
	}
	changed.Data[keyAuthorities], changed.Data[keyCertificate], changed.Data[keyPrivate] = pair.Authorities, pair.Certificate, pair.Key
	patch := client.MergeFromWithOptions(&secret, client.MergeFromWithOptimisticLock{})
	if err := w.Client.Patch(ctx, changed, patch, client.FieldOwner(stack.ManagedBy)); err != nil {
		return admission.Pair{}, fmt.Errorf("keep the webhook's certificate: %w", err)
	}
	ctrl.LoggerFrom(ctx).Info("made a certificate for the webhook", "before", why.Error())
	return pair, nil
}

// trust has the API server believe these authorities.
func (w *WebhookCertificate) trust(ctx context.Context, authorities []byte) error {
	var hook admissionregistrationv1.ValidatingWebhookConfiguration
	if err := w.Reader.Get(ctx, client.ObjectKey{Name: WebhookName}, &hook); err != nil {
		return fmt.Errorf("get the ValidatingWebhookConfiguration, which config/webhook makes: %w", err)
	}
	changed, differs := hook.DeepCopy(), false
	for i := range changed.Webhooks {
		c := &changed.Webhooks[i].ClientConfig
		differs = differs || !bytes.Equal(c.CABundle, authorities)
		c.CABundle = authorities
	}
	if !differs {
		return nil
	}
	// Strategic, so that only the one field of each webhook is sent, whatever else others keep there.
	patch := client.StrategicMergeFrom(&hook, client.MergeFromWithOptimisticLock{})
	if err := w.Client.Patch(ctx, changed, patch, client.FieldOwner(stack.ManagedBy)); err != nil {
		return fmt.Errorf("tell the API server whom to trust: %w", err)
	}
	return nil
}

func (w *WebhookCertificate) name() string {
	if w.ServerName != "" {
		return w.ServerName
	}
	return WebhookName + "." + w.Namespace + ".svc"
}
