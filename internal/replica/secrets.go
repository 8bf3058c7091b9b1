package replica

import (
	"cmp"
	"slices"
)

// MaxSecrets bounds Report.Secrets.
const MaxSecrets = 4096

// Secret says whether the reloader could read a Secret that it was told to read (bundle.WantedSecret) and has left every
// wanted key of it as a file.
type Secret struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// ConfigMap is true if it is one, and no Secret.
	ConfigMap bool `json:"configMap,omitempty"`
	// Problem is why it could not, in the API server's own words where it has any. Empty when it could.
	Problem string `json:"problem,omitempty"`
	// Forbidden is true when the namespace has not granted it.
	Forbidden bool `json:"forbidden,omitempty"`
	// MissingKeys are wanted and not in the Secret.
	MissingKeys []string `json:"missingKeys,omitempty"`
}

// normalSecrets sorts and bounds.
func normalSecrets(secrets []Secret) []Secret {
	slices.SortFunc(secrets, func(a, b Secret) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), compareBools(a.ConfigMap, b.ConfigMap))
	})
	secrets = secrets[:min(len(secrets), MaxSecrets)]
	for i := range secrets {
		secrets[i].Problem = Bound(secrets[i].Problem, MaxJobError)
	}
	return secrets
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
