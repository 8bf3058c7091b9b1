package stack

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/relabel"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// serverPort is where a Prometheus listens in its pods.
const serverPort = 9090

// RemoteWrites is where a server sends its samples.
type RemoteWrites struct {
	Remotes []Remote
	// Secrets of the server's namespace that are needed for that.
	Secrets []bundle.WantedSecret
}

// Remote is one address to which samples are sent.
type Remote struct {
	// Name by which Prometheus' metrics call it.
	Name string
	// Field of the declaration that it is from.
	Field string
	URL   string
	// ServerName that its certificate must have, empty for that of the URL.
	ServerName string
	Spec       *v1alpha1.RemoteWrite
	// Secrets are the names of those that it needs.
	Secrets []string
	// Refusal is why a PrometheusServer that is named does not take what is sent, empty if nothing is known of that.
	Refusal string
}

// remoteWrites resolves where samples are sent. A server that is not there, or does not take them, is no error: what is
// sent waits for it.
func remoteWrites(in Inputs, path *field.Path) (RemoteWrites, field.ErrorList) {
	var out RemoteWrites
	var errs field.ErrorList
	secrets := map[string]*bundle.WantedSecret{}
	for i := range in.Server.Spec.RemoteWrite {
		w := &remoteWriter{namespace: in.Server.Namespace, spec: &in.Server.Spec.RemoteWrite[i], path: path.Index(i), secrets: secrets, named: map[string]bool{}}
		w.check()
		remotes := w.remotes(in)
		for j := range remotes {
			remotes[j].Secrets = slices.Sorted(maps.Keys(w.named))
		}
		out.Remotes, errs = append(out.Remotes, remotes...), append(errs, w.errs...)
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		s := secrets[name]
		slices.Sort(s.Keys)
		s.Keys, s.TLS = slices.Compact(s.Keys), bundle.SortedTLS(s.TLS)
		out.Secrets = append(out.Secrets, *s)
	}
	return out, errs
}

// remoteWriter resolves one entry.
type remoteWriter struct {
	namespace string
	spec      *v1alpha1.RemoteWrite
	path      *field.Path
	// secrets are those of all entries, named is which of them this one names.
	secrets map[string]*bundle.WantedSecret
	named   map[string]bool
	errs    field.ErrorList
}

// remotes are the addresses of the entry: one, or one for each replica of a server.
func (w *remoteWriter) remotes(in Inputs) []Remote {
	if w.spec.Server == nil {
		if w.spec.TLS != nil && !strings.HasPrefix(string(w.spec.URL), "https://") {
			w.refuse("tls", "needs an url that begins with https")
		}
		return []Remote{{Name: w.spec.Name, Field: w.path.String(), URL: string(w.spec.URL), ServerName: w.serverName(""), Spec: w.spec}}
	}
	ref := *w.spec.Server
	ref.Namespace = cmp.Or(ref.Namespace, w.namespace)
	if ref.Namespace == w.namespace && ref.Name == in.Server.Name {
		w.errs = append(w.errs, field.Invalid(w.path.Child("server"), ref.Name, "is this server itself, which has the samples already: name another one"))
		return nil
	}
	names := NamesOf(ref.Name)
	scheme, replicas := "http", int32(1)
	other := other(in, ref)
	if other != nil {
		// One that is scaled to nothing comes back with one at least.
		replicas = max(1, valueOr(other.Spec.Replicas, 1))
		if other.Spec.Web != nil && other.Spec.Web.TLS != nil {
			scheme = "https"
		}
	}
	var out []Remote
	for i, host := range hosts(names, ref.Namespace, replicas) {
		out = append(out, Remote{
			// With its number even where there is but one: with another name it would begin anew.
			Name:  fmt.Sprintf("%s/%d", w.spec.Name, i),
			Field: w.path.String(),
			URL:   fmt.Sprintf("%s://%s:%d/api/v1/write", scheme, host, serverPort),
			// People have the certificate made for the name that they use, which is that of the Service.
			ServerName: w.serverName(fmt.Sprintf("%s.%s.svc", names.Base, ref.Namespace)),
			Spec:       w.spec,
			Refusal:    w.refusal(ref, other),
		})
	}
	return out
}

func (w *remoteWriter) serverName(otherwise string) string {
	if w.spec.TLS != nil && w.spec.TLS.ServerName != "" {
		return w.spec.TLS.ServerName
	}
	return otherwise
}

// refusal is why the server that is named does not take what is sent.
func (w *remoteWriter) refusal(ref v1alpha1.ServerReference, other *v1alpha1.PrometheusServer) string {
	at := w.path.Child("server")
	switch {
	case other == nil:
		return fmt.Sprintf("%s: there is no PrometheusServer %s in namespace %s", at, ref.Name, ref.Namespace)
	case !other.Spec.RemoteWriteReceiver:
		return fmt.Sprintf("%s: PrometheusServer %s of namespace %s does not take it: set spec.remoteWriteReceiver: true there", at, ref.Name, ref.Namespace)
	case other.Spec.Web != nil && other.Spec.Web.BasicAuth != nil && w.spec.BasicAuth == nil:
		return fmt.Sprintf("%s: PrometheusServer %s of namespace %s asks for a user and a password: set basicAuth beside server", at, ref.Name, ref.Namespace)
	case valueOr(other.Spec.Replicas, 1) == 0:
		return fmt.Sprintf("%s: PrometheusServer %s of namespace %s has 0 replicas", at, ref.Name, ref.Namespace)
	}
	return ""
}

// check looks at what does not depend on anything else, and notes the Secrets.
func (w *remoteWriter) check() {
	spec := w.spec
	for _, header := range slices.Sorted(maps.Keys(spec.Headers)) {
		if why := headerProblem(header); why != "" {
			w.errs = append(w.errs, field.Invalid(w.path.Child("headers").Key(header), header, why))
		}
	}
	for i := range spec.WriteRelabelings {
		if err := checkRelabeling(&spec.WriteRelabelings[i]); err != nil {
			w.errs = append(w.errs, field.Invalid(w.path.Child("writeRelabelings").Index(i), spec.WriteRelabelings[i].Action, err.Error()))
		}
	}
	w.queue(spec.Queue)
	if spec.BasicAuth != nil {
		w.secret(&spec.BasicAuth.Password, "basicAuth", "password")
	}
	if spec.Authorization != nil {
		w.secret(&spec.Authorization.Credentials, "authorization", "credentials")
	}
	if spec.OAuth2 != nil {
		w.secret(&spec.OAuth2.ClientSecret, "oauth2", "clientSecret")
		if ca := spec.OAuth2.CA; w.secret(ca, "oauth2", "ca") {
			w.usedForTLS(ca.Name, bundle.TLSKeys{CA: ca.Key})
		}
	}
	if spec.TLS != nil {
		w.tls(spec.TLS)
	}
}

func (w *remoteWriter) tls(tls *v1alpha1.ClientTLS) {
	if w.secret(tls.CA, "tls", "ca") {
		w.usedForTLS(tls.CA.Name, bundle.TLSKeys{CA: tls.CA.Key})
	}
	if (tls.Cert == nil) != (tls.Key == nil) {
		w.errs = append(w.errs, field.Required(w.path.Child("tls"), "cert and key go together"))
		return
	}
	if !w.secret(tls.Cert, "tls", "cert") || !w.secret(tls.Key, "tls", "key") {
		return
	}
	if tls.Cert.Name != tls.Key.Name {
		// Only together can the reloader tell whether they are of use.
		w.errs = append(w.errs, field.Invalid(w.path.Child("tls", "key"), tls.Key.Name, "must be in the same Secret as cert: put the two into one"))
		return
	}
	w.usedForTLS(tls.Cert.Name, bundle.TLSKeys{Cert: tls.Cert.Key, Key: tls.Key.Key})
}

// secret notes a key of a Secret, and says whether there is one.
func (w *remoteWriter) secret(key *v1alpha1.SecretKey, at ...string) bool {
	if key == nil {
		return false
	}
	path := w.path.Child(at[0], at[1:]...)
	if !bundle.ValidName(key.Name) {
		w.errs = append(w.errs, field.Invalid(path.Child("name"), key.Name, "is not the name of a Secret"))
		return false
	}
	if !bundle.ValidKey(key.Key) {
		w.errs = append(w.errs, field.Invalid(path.Child("key"), key.Key, "is not a key of a Secret"))
		return false
	}
	if w.secrets[key.Name] == nil {
		w.secrets[key.Name] = &bundle.WantedSecret{Namespace: w.namespace, Name: key.Name}
	}
	w.secrets[key.Name].Keys = append(w.secrets[key.Name].Keys, key.Key)
	w.named[key.Name] = true
	return true
}

func (w *remoteWriter) usedForTLS(secret string, keys bundle.TLSKeys) {
	w.secrets[secret].TLS = append(w.secrets[secret].TLS, keys)
}

func (w *remoteWriter) queue(q *v1alpha1.RemoteWriteQueue) {
	if q == nil {
		return
	}
	if q.MaxShards > 0 && q.MinShards > q.MaxShards {
		w.refuse("queue", "minShards must not be above maxShards")
	}
	// Prometheus' own, where they are left out.
	least, _ := model.ParseDuration(string(orElse(q.MinBackoff, "30ms")))
	most, _ := model.ParseDuration(string(orElse(q.MaxBackoff, "5s")))
	if least > most {
		w.refuse("queue", fmt.Sprintf("minBackoff, %s, must not be above maxBackoff, %s", least, most))
	}
}

func (w *remoteWriter) refuse(at, why string) {
	w.errs = append(w.errs, field.Forbidden(w.path.Child(at), why))
}

// headerProblem is why a header can't be sent along, empty if it can.
func headerProblem(header string) string {
	switch strings.ToLower(header) {
	case "authorization":
		return "is set by basicAuth, authorization or oauth2, which take it from a Secret"
	case "host", "content-encoding", "content-length", "content-type", "user-agent", "connection", "keep-alive", "proxy-authenticate",
		"proxy-authorization", "www-authenticate", "accept-encoding", "x-prometheus-remote-write-version", "x-prometheus-remote-read-version",
		"x-amz-date", "x-amz-security-token", "x-amz-content-sha256":
		return "is Prometheus' own: leave it out"
	}
	return ""
}

// checkRelabeling asks Prometheus itself.
func checkRelabeling(r *v1alpha1.Relabeling) error {
	c := relabel.DefaultRelabelConfig
	c.Action = relabel.Action(cmp.Or(r.Action, string(c.Action)))
	c.TargetLabel, c.Modulus = r.TargetLabel, uint64(max(0, r.Modulus))
	for _, name := range r.SourceLabels {
		c.SourceLabels = append(c.SourceLabels, model.LabelName(name))
	}
	if r.Separator != nil {
		c.Separator = *r.Separator
	}
	if r.Replacement != nil {
		c.Replacement = *r.Replacement
	}
	if r.Regex != "" {
		regex, err := relabel.NewRegexp(r.Regex)
		if err != nil {
			return err
		}
		c.Regex = regex
	}
	return c.Validate(model.UTF8Validation)
}

// other is a PrometheusServer that this one names, nil if it does not exist.
func other(in Inputs, ref v1alpha1.ServerReference) *v1alpha1.PrometheusServer {
	i := slices.IndexFunc(in.Others, func(o v1alpha1.PrometheusServer) bool { return o.Namespace == ref.Namespace && o.Name == ref.Name })
	if i < 0 {
		return nil
	}
	return &in.Others[i]
}

// References are the PrometheusServers that one names, with their namespaces.
func References(ps *v1alpha1.PrometheusServer) []v1alpha1.ServerReference {
	var out []v1alpha1.ServerReference
	add := func(ref *v1alpha1.ServerReference) {
		if ref != nil {
			out = append(out, v1alpha1.ServerReference{Namespace: cmp.Or(ref.Namespace, ps.Namespace), Name: ref.Name})
		}
	}
	if ps.Spec.Alerting != nil {
		for i := range ps.Spec.Alerting.External {
			add(ps.Spec.Alerting.External[i].PrometheusServer)
		}
	}
	for i := range ps.Spec.RemoteWrite {
		add(ps.Spec.RemoteWrite[i].Server)
	}
	return out
}
