package beside

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/rand"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/test/upstream"
)

const (
	// kubeconfigVariable names the file with the cluster, where Hearth is deployed and the image of the peer's reloader is.
	kubeconfigVariable = "HEARTH_E2E_KUBECONFIG"
	// peerVariable names the other operator's program.
	peerVariable = "HEARTH_PEER"
	// reloaderImage is what runs beside the peer's Prometheus.
	reloaderImage = "prometheus-config-reloader:v0.85.0"
	// leftover is the label by which the tests on a cluster find what an aborted run left.
	leftover = "monitoring.hearth.dev/e2e"
)

// stage is where both operators run.
type stage struct {
	api        client.Client
	dynamic    dynamic.Interface
	typed      kubernetes.Interface
	kubeconfig string
	path       string // a folder with kubectl and the plugin
	servers    string // namespace of both Prometheuses
	shop       string // namespace of what they scrape
}

func newStage(t *testing.T) *stage {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	s := &stage{kubeconfig: os.Getenv(kubeconfigVariable), path: t.TempDir()}
	if s.kubeconfig == "" || os.Getenv(peerVariable) == "" {
		t.Skipf("set %s and %s, or run make test-beside, which builds and starts what is needed", kubeconfigVariable, peerVariable)
	}
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	must(t, err)
	config.QPS = -1
	s.api, err = client.New(config, client.Options{})
	must(t, err)
	s.dynamic, err = dynamic.NewForConfig(config)
	must(t, err)
	s.typed, err = kubernetes.NewForConfig(config)
	must(t, err)
	kubectl, err := filepath.Abs("../../bin/kube/kubectl")
	must(t, err)
	must(t, os.Symlink(kubectl, filepath.Join(s.path, "kubectl")))
	s.shell(t, "go build -o "+filepath.Join(s.path, "kubectl-hearth")+" ../../kubectl-hearth")
	s.sweep(t)
	base := "beside-" + rand.String(5)
	s.servers, s.shop = base, base+"-shop"
	for _, name := range []string{s.servers, s.shop} {
		s.namespace(t, name)
	}
	t.Cleanup(func() {
		if t.Failed() {
			s.explain(t)
		}
	})
	return s
}

func (s *stage) namespace(t *testing.T, name string) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{leftover: "true"}}}
	must(t, s.api.Create(t.Context(), ns))
	t.Cleanup(func() { s.remove(t, ns) })
	account := client.ObjectKey{Namespace: name, Name: "default"}
	eventually(t, time.Minute, func() error { return s.api.Get(t.Context(), account, &corev1.ServiceAccount{}) })
}

// sweep removes what a run left that was aborted.
func (s *stage) sweep(t *testing.T) {
	t.Helper()
	for _, list := range []client.ObjectList{&corev1.NamespaceList{}, &rbacv1.ClusterRoleBindingList{}, &rbacv1.ClusterRoleList{}} {
		must(t, s.api.List(t.Context(), list, client.HasLabels{leftover}))
		must(t, meta.EachListItem(list, func(o runtime.Object) error {
			if left, ok := o.(client.Object); ok {
				t.Logf("an earlier run has left %T %s", left, left.GetName())
				s.remove(t, left)
			}
			return nil
		}))
	}
}

// explain shows what somebody needs to see who waited in vain.
func (s *stage) explain(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer stop()
	for _, args := range []string{
		"get pods -A -o wide", "get prometheuses,prometheusservers -n %[1]s -o yaml", "get events -n %[1]s", "logs -n hearth-system deployment/hearth --tail=30",
		"logs -n %[1]s " + theirPod + " --all-containers --tail=30", "logs -n %[1]s " + ourPod + " --all-containers --tail=30",
	} {
		line := "kubectl " + strings.ReplaceAll(args, "%[1]s", s.servers)
		command := exec.CommandContext(ctx, "sh", "-c", line)
		command.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "PATH="+s.path+":"+os.Getenv("PATH"))
		text, _ := command.CombinedOutput()
		t.Logf("%s\n%s", line, text)
	}
}

// remove deletes an object and waits until it is gone.
func (s *stage) remove(t *testing.T, o client.Object) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.WithoutCancel(t.Context()), 3*time.Minute)
	defer stop()
	err := s.api.Delete(ctx, o)
	for err == nil && ctx.Err() == nil {
		time.Sleep(200 * time.Millisecond)
		err = s.api.Get(ctx, client.ObjectKeyFromObject(o), o)
	}
	if !apierrors.IsNotFound(err) {
		t.Errorf("%s %s is left: %v", o.GetObjectKind().GroupVersionKind().Kind, o.GetName(), err)
	}
}

// install adds the kinds of the other operator that are not there, and takes them away at the end.
func (s *stage) install(t *testing.T) {
	t.Helper()
	kinds := []string{"prometheuses", "prometheusagents", "alertmanagers", "alertmanagerconfigs", "thanosrulers",
		"servicemonitors", "podmonitors", "probes", "scrapeconfigs", "prometheusrules"}
	for _, u := range upstream.Definitions(t, filepath.Join("..", ".."), kinds...) {
		there := u.DeepCopy()
		u.SetLabels(map[string]string{leftover: "true"})
		err := s.api.Create(t.Context(), u)
		if apierrors.IsAlreadyExists(err) {
			must(t, s.api.Get(t.Context(), client.ObjectKeyFromObject(u), there))
			if there.GetLabels()[leftover] == "" {
				t.Logf("%s is installed already, and stays", u.GetName())
				continue
			}
			err = nil
		}
		must(t, err)
		t.Cleanup(func() { s.remove(t, u) })
	}
	// The other operator looks once, at its start, which kinds there are.
	eventually(t, 2*time.Minute, func() error {
		served := map[string]bool{}
		for _, version := range []string{"v1", "v1alpha1"} {
			list, err := s.typed.Discovery().ServerResourcesForGroupVersion("monitoring.coreos.com/" + version)
			if err != nil {
				return err
			}
			for i := range list.APIResources {
				served[list.APIResources[i].Name] = true
			}
		}
		for _, kind := range kinds {
			if !served[kind] {
				return fmt.Errorf("%s is not served", kind)
			}
		}
		return nil
	})
}

// declare makes the objects of a file, each as soon as its kind is served.
func (s *stage) declare(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	must(t, err)
	text = []byte(strings.NewReplacer("$SERVERS", s.servers, "$SHOP", s.shop, "$IMAGE", s.image(t)).Replace(string(text)))
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		must(t, err)
		o := &unstructured.Unstructured{}
		must(t, yaml.Unmarshal(document, &o.Object))
		if o.GetNamespace() == "" {
			o.SetLabels(map[string]string{leftover: "true"})
		}
		eventually(t, time.Minute, func() error { return s.api.Create(t.Context(), o.DeepCopy(), client.FieldOwner(people)) })
		if o.GetNamespace() == "" {
			t.Cleanup(func() { s.remove(t, o) })
		}
	}
}

// image is Hearth's own.
func (s *stage) image(t *testing.T) string {
	t.Helper()
	var d appsv1.Deployment
	must(t, s.api.Get(t.Context(), client.ObjectKey{Namespace: "hearth-system", Name: "hearth"}, &d))
	return d.Spec.Template.Spec.Containers[0].Image
}

// shell runs what people would type, and returns what it prints.
func (s *stage) shell(t *testing.T, line string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sh", "-c", line)
	command.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "PATH="+s.path+":"+os.Getenv("PATH"))
	text, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, text)
	}
	return string(text)
}

// peer starts the other operator, on all namespaces, and stops it at the end.
func (s *stage) peer(t *testing.T) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "peer.log"))
	must(t, err)
	// It is told to end and not killed with the test's context.
	//nolint:gosec // a program that whoever runs this test names
	command := exec.CommandContext(context.WithoutCancel(t.Context()), os.Getenv(peerVariable),
		"--web.listen-address=127.0.0.1:0", "--prometheus-config-reloader="+reloaderImage, "--kubelet-endpoints=false",
		// A hundredth of a CPU, which is the default, is not enough to start in a moment.
		"--config-reloader-cpu-limit=0")
	command.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig)
	command.Stdout, command.Stderr = file, file
	// It has no other end where this process is killed.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	must(t, command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(file.Name())
			t.Logf("the other operator's last words:\n%s", text[max(0, len(text)-6000):])
		}
		select {
		case err := <-ended:
			t.Errorf("the other operator ended by itself: %v", err)
			return
		default:
		}
		must(t, command.Process.Signal(os.Interrupt))
		select {
		case err := <-ended:
			t.Logf("the other operator was told to end: %v", err)
		case <-time.After(time.Minute):
			t.Error("the other operator does not end")
			must(t, command.Process.Kill())
		}
	})
}

// prometheus asks the server of a pod.
func (s *stage) prometheus(ctx context.Context, pod, path string, query map[string]string, out any) error {
	body, err := s.typed.CoreV1().Pods(s.servers).ProxyGet("http", pod, "9090", path, query).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("%s of %s: %w: %s", path, pod, err, body)
	}
	var answer struct{ Data json.RawMessage }
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("%s of %s: %w", path, pod, err)
	}
	return json.Unmarshal(answer.Data, out)
}

// eventually tries until it works, and returns how long that took.
func eventually(t *testing.T, timeout time.Duration, try func() error) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		err := try()
		took := time.Since(start)
		if err == nil {
			return took.Round(100 * time.Millisecond)
		}
		if took > timeout {
			t.Fatalf("not within %s: %v", timeout, err)
		}
		time.Sleep(300 * time.Millisecond)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
