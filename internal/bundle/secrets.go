package bundle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// SecretsName is the file at the root of the tree that lists the Secrets the reloader has to read itself, because they are
// in namespaces whose Secrets the kubelet can't mount. It has names only.
const SecretsName = "secrets.json"

// MountedName is the file at the root of the tree that lists, in the same way, the Secrets of the pod's own namespace that
// are mounted beside the reloader, if they are there at all. It leaves them as files <name>/<key>.
const MountedName = "mounted.json"

// ClientsName is the file at the root of the tree with the scrape jobs that are clients of OAuth2, and the name under which the
// reloader leaves them beside the Secrets that it has read. Prometheus takes a client's id only as text: each client_id is the
// path of the file that has it, and there the reloader puts what is in that.
const ClientsName = "oauth2.yml"

// configMapDir begins the name of the directory of a ConfigMap's files, as no Secret's name begins.
const configMapDir = "configmap:"

// WantedSecret is a Secret, or a ConfigMap that is used like one, that the reloader reads by name, with the ServiceAccount of its
// pod, and leaves as files <namespace>/<Dir>/<key>.
type WantedSecret struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	ConfigMap bool     `json:"configMap,omitempty"`
	Keys      []string `json:"keys"`
	// TLS are those of the keys that are used for TLS.
	TLS []TLSKeys `json:"tls,omitempty"`
}

// TLSKeys are keys of one Secret that are used for TLS: a CA, or a certificate and its key. A server reads them when it loads
// its configuration, and refuses all of it for one that it can't use.
type TLSKeys struct {
	CA   string `json:"ca,omitempty"`
	Cert string `json:"cert,omitempty"`
	Key  string `json:"key,omitempty"`
}

// Dir is the directory of its files: its name, unless it is a ConfigMap.
func (w WantedSecret) Dir() string {
	if w.ConfigMap {
		return configMapDir + w.Name
	}
	return w.Name
}

// Resource is what the API calls its kind.
func (w WantedSecret) Resource() string {
	if w.ConfigMap {
		return "configmaps"
	}
	return "secrets"
}

// ID tells it from all others.
func (w WantedSecret) ID() string { return w.Namespace + "/" + w.Dir() }

// SortedTLS sorts uses, and leaves each once.
func SortedTLS(uses []TLSKeys) []TLSKeys {
	slices.SortFunc(uses, func(a, b TLSKeys) int {
		return cmp.Or(cmp.Compare(a.CA, b.CA), cmp.Compare(a.Cert, b.Cert), cmp.Compare(a.Key, b.Key))
	})
	return slices.Compact(uses)
}

// MarshalSecrets is the text of secrets.json.
func MarshalSecrets(wanted []WantedSecret) ([]byte, error) {
	for _, w := range wanted {
		if err := w.check(); err != nil {
			return nil, err
		}
	}
	return json.Marshal(wanted)
}

// ParseSecrets reads secrets.json. No text is no Secrets.
func ParseSecrets(text []byte) ([]WantedSecret, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var wanted []WantedSecret
	if err := json.Unmarshal(text, &wanted); err != nil {
		return nil, fmt.Errorf("%s: %w", SecretsName, err)
	}
	for _, w := range wanted {
		if err := w.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", SecretsName, err)
		}
	}
	return wanted, nil
}

// check keeps out names that would lead a request or a file elsewhere: the reloader puts them into API paths and file names.
func (w WantedSecret) check() error {
	if !ValidName(w.Namespace) || !ValidName(w.Name) {
		return fmt.Errorf("%q is not the name of a Secret", w.Namespace+"/"+w.Name)
	}
	if len(w.Keys) == 0 {
		return fmt.Errorf("the Secret %s/%s: no keys", w.Namespace, w.Name)
	}
	for _, key := range w.Keys {
		if !ValidKey(key) {
			return fmt.Errorf("the Secret %s/%s: %q is not a key", w.Namespace, w.Name, key)
		}
	}
	for _, use := range w.TLS {
		for _, key := range []string{use.CA, use.Cert, use.Key} {
			if key != "" && !slices.Contains(w.Keys, key) {
				return fmt.Errorf("the Secret %s/%s: %q is used for TLS and not among the keys", w.Namespace, w.Name, key)
			}
		}
	}
	return nil
}

const (
	nameChars = "abcdefghijklmnopqrstuvwxyz0123456789-."
	keyChars  = nameChars + "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
)

// ValidName says whether a Secret can have this name.
func ValidName(name string) bool {
	return validName(name, nameChars) && strings.Trim(name, "-.") == name
}

// ValidKey says whether a key of a Secret can have this name, which is that of a file too.
func ValidKey(key string) bool { return validName(key, keyChars) && !strings.HasPrefix(key, "..") }

func validName(name, allowed string) bool {
	return name != "" && len(name) <= 253 && name != "." && !strings.Contains(name, "..") && strings.Trim(name, allowed) == ""
}
