package adopt

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// fillIn stands where people have to write what only a Secret says, which is not read.
const fillIn = "FILL-IN"

// maxRemotes is how many addresses a PrometheusServer can send to.
const maxRemotes = 16

// remote converts one entry of remoteWrite.
type remote struct {
	theirs *monitoringv1.RemoteWriteSpec
	ours   v1alpha1.RemoteWrite
	// lost is true if it can't send as it does today; then it is left out as a whole, since what is sent wrongly is lost too.
	lost bool
	// commands print what has to be filled in.
	commands  []string
	namespace string
}

// takeRemote sets what corresponds to a field of an entry, and says what that is.
type takeRemote func(*remote) (verdict, becomes, note string)

// remoteWrites converts all entries, and has a line for each field that is set in one.
func remoteWrites(c *conversion) (verdict, becomes, note string) {
	raw, _ := c.spec["remoteWrite"].([]any)
	used := map[string]bool{}
	known := remoteFields()
	verdict, note = Same, c.twiceNote()
	for i := range c.theirs.Spec.RemoteWrite {
		r := &remote{theirs: &c.theirs.Spec.RemoteWrite[i], namespace: c.theirs.Namespace}
		r.ours.Name = remoteName(ptr.Deref(r.theirs.Name, ""), i, used)
		object, _ := raw[i].(map[string]any)
		lines := r.convert(object, known, fmt.Sprintf("spec.remoteWrite[%d]", i))
		c.below = append(c.below, lines...)
		switch {
		case r.lost:
			verdict = Changed
		case len(c.server.Spec.RemoteWrite) == maxRemotes:
			verdict, note = Changed, fmt.Sprintf("a PrometheusServer has %d at most, and the others are left out; %s", maxRemotes, note)
		default:
			c.server.Spec.RemoteWrite = append(c.server.Spec.RemoteWrite, r.ours)
			c.commands = append(c.commands, r.commands...)
		}
	}
	return verdict, "spec.remoteWrite", note
}

// twiceNote is what a receiver gets while both run.
func (c *conversion) twiceNote() string {
	if removed(c.theirs.Spec.PrometheusExternalLabelName) && removed(c.theirs.Spec.ReplicaExternalLabelName) {
		return "while both run they send the same series, as neither has a label of its own, and a receiver refuses one of them: leave this out until the other one is gone"
	}
	return "while both run, a receiver gets every series twice: they differ in the labels of the server and the replica"
}

// removed says that a label of prometheus-operator's is switched off.
func removed(label *string) bool { return label != nil && *label == "" }

// convert looks at every field that is set.
func (r *remote) convert(object map[string]any, known map[string]takeRemote, path string) []Field {
	var out []Field
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if object[name] == nil || object[name] == "" {
			continue
		}
		f := Field{Path: path + "." + name, Verdict: None, Note: "no counterpart"}
		if take, ok := known[name]; ok {
			f.Verdict, f.Becomes, f.Note = take(r)
		}
		if f.Becomes != "" {
			f.Becomes = fmt.Sprintf("spec.remoteWrite[%s].%s", r.ours.Name, f.Becomes)
		}
		out = append(out, f)
	}
	if r.lost {
		return append(out, Field{Path: path, Verdict: None, Note: "left out as a whole: it would send otherwise than it does today"})
	}
	if q := r.theirs.QueueConfig; q == nil || !q.RetryOnRateLimit {
		out = append(out, Field{Path: path + ".queueConfig.retryOnRateLimit", Verdict: Changed, Becomes: fmt.Sprintf("spec.remoteWrite[%s].queue.retryOnRateLimit", r.ours.Name),
			Note: "not set, which drops samples that the receiver answers with 429; here they are sent again, unless this is false"})
	}
	return out
}

// remoteName is one that an entry can have, and no other has.
func remoteName(theirs string, i int, used map[string]bool) string {
	name := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(theirs), "-"), "-")
	name = strings.TrimRight(name[:min(len(name), 60)], "-")
	if name == "" || used[name] {
		name = strings.TrimLeft(fmt.Sprintf("%s-%d", name, i), "-")
	}
	if theirs == "" {
		name = fmt.Sprintf("remote-%d", i)
	}
	used[name] = true
	return name
}

// remoteFields are those of an entry of which there is something to say.
func remoteFields() map[string]takeRemote {
	out := map[string]takeRemote{
		"url": remoteURL,
		"name": func(r *remote) (string, string, string) {
			if r.ours.Name == *r.theirs.Name {
				return Same, "name", ""
			}
			return Changed, "name", "a name has lower-case letters, digits and dashes; it is the label remote_name of Prometheus' own metrics"
		},
		"messageVersion":       remoteVersion,
		"sendExemplars":        remoteAs("sendExemplars", func(r *remote) { r.ours.SendExemplars = ptr.Deref(r.theirs.SendExemplars, false) }),
		"sendNativeHistograms": remoteAs("sendNativeHistograms", func(r *remote) { r.ours.SendNativeHistograms = ptr.Deref(r.theirs.SendNativeHistograms, false) }),
		"remoteTimeout":        remoteAs("timeout", func(r *remote) { r.ours.Timeout = duration(r.theirs.RemoteTimeout) }),
		"headers":              remoteHeaders,
		"writeRelabelConfigs":  remoteAs("writeRelabelings", func(r *remote) { r.ours.WriteRelabelings = relabelings(r.theirs.WriteRelabelConfigs) }),
		"proxyUrl":             remoteProxy,
		"followRedirects":      remoteAs("followRedirects", func(r *remote) { r.ours.FollowRedirects = r.theirs.FollowRedirects }),
		"enableHTTP2":          remoteOtherwise(func(r *remote) bool { return ptr.Deref(r.theirs.EnableHttp2, true) }, "HTTP/2 is used where the receiver has it"),
		"roundRobinDNS":        remoteOtherwise(func(r *remote) bool { return !ptr.Deref(r.theirs.RoundRobinDNS, false) }, "the addresses of a name are tried in their order"),
		"metadataConfig":       remoteMetadata,
		"queueConfig":          remoteQueue,
	}
	for name, take := range remoteIdentity() {
		out[name] = take
	}
	return out
}

func remoteAs(becomes string, set func(*remote)) takeRemote {
	return func(r *remote) (string, string, string) {
		set(r)
		return Same, becomes, ""
	}
}

// remoteOtherwise is a field that can't be set, of which one value is what there is.
func remoteOtherwise(is func(*remote) bool, note string) takeRemote {
	return func(r *remote) (string, string, string) {
		if is(r) {
			return Same, "", ""
		}
		return None, "", note
	}
}

// remoteLost is a field without which what is sent is refused.
func remoteLost(note string) takeRemote {
	return func(r *remote) (string, string, string) {
		r.lost = true
		return None, "", note
	}
}

// plain is an address that a PrometheusServer can have.
func plain(address string) bool {
	return regexp.MustCompile(`^https?://[^/?#@]+([/?#].*)?$`).MatchString(address) && len(address) <= 2048
}

func remoteURL(r *remote) (verdict, becomes, note string) {
	if url := string(r.theirs.URL); plain(url) {
		r.ours.URL = v1alpha1.URL(url)
		return Same, "url", ""
	}
	r.lost = true
	return None, "", "an url is http or https, and has no user and password in it: put them into a Secret, and use basicAuth"
}

func remoteVersion(r *remote) (verdict, becomes, note string) {
	r.ours.Protocol = strings.TrimPrefix(string(*r.theirs.MessageVersion), "V")
	return Same, "protocol", ""
}

func remoteProxy(r *remote) (verdict, becomes, note string) {
	if url := *r.theirs.ProxyURL; plain(url) {
		r.ours.ProxyURL = v1alpha1.URL(url)
		return Same, "proxyURL", ""
	}
	r.lost = true
	return None, "", "a proxy is http or https, and has no user and password in its address"
}

// remoteHeaders: those that are Prometheus' own it refuses, and so they can't be there.
func remoteHeaders(r *remote) (verdict, becomes, note string) {
	r.ours.Headers = r.theirs.Headers
	return Same, "headers", ""
}

func relabelings(theirs []monitoringv1.RelabelConfig) []v1alpha1.Relabeling {
	var out []v1alpha1.Relabeling
	for i := range theirs {
		t := &theirs[i]
		step := v1alpha1.Relabeling{
			Separator: t.Separator, Regex: t.Regex, Modulus: t.Modulus, TargetLabel: t.TargetLabel, Replacement: t.Replacement, Action: strings.ToLower(t.Action),
		}
		for _, label := range t.SourceLabels {
			step.SourceLabels = append(step.SourceLabels, string(label))
		}
		out = append(out, step)
	}
	return out
}

// remoteMetadata: an empty one sends none, and none at all sends it.
func remoteMetadata(r *remote) (verdict, becomes, note string) {
	m := r.theirs.MetadataConfig
	r.ours.Metadata = &v1alpha1.RemoteWriteMetadata{Send: ptr.To(m.Send), Interval: duration(&m.SendInterval)}
	if m.MaxSamplesPerSend != nil {
		return Changed, "metadata", "maxSamplesPerSend is left out, and Prometheus' own holds"
	}
	return Same, "metadata", ""
}

func remoteQueue(r *remote) (verdict, becomes, note string) {
	q := r.theirs.QueueConfig
	r.ours.Queue = &v1alpha1.RemoteWriteQueue{
		Capacity: int32(q.Capacity), MinShards: int32(q.MinShards), MaxShards: int32(q.MaxShards), MaxSamplesPerSend: int32(q.MaxSamplesPerSend),
		BatchSendDeadline: duration(q.BatchSendDeadline), MinBackoff: duration(q.MinBackoff), MaxBackoff: duration(q.MaxBackoff),
		SampleAgeLimit: duration(q.SampleAgeLimit),
	}
	if q.MaxRetries != 0 {
		return Changed, "queue", "maxRetries is left out: Prometheus takes it no longer"
	}
	return Same, "queue", ""
}

// duration is empty where none is set: 0s is Prometheus' default or no limit, and no Duration of ours.
func duration(d *monitoringv1.Duration) v1alpha1.Duration {
	if d == nil || strings.Trim(string(*d), "0smhdwy") == "" {
		return ""
	}
	return v1alpha1.Duration(*d)
}

// secretKey is a key of a Secret, nil if none is named.
func secretKey(s *corev1.SecretKeySelector) *v1alpha1.SecretKey {
	if s == nil || s.Name == "" {
		return nil
	}
	return &v1alpha1.SecretKey{Name: s.Name, Key: s.Key}
}
