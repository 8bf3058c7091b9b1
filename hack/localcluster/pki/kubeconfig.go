package pki

import (
	"encoding/json"
	"os"
)

// kubeconfig is the file that tells a client where the API server is and who the client is. It is written as JSON, which
// is YAML too.
type kubeconfig struct {
	APIVersion     string    `json:"apiVersion"`
	Kind           string    `json:"kind"`
	Clusters       []cluster `json:"clusters"`
	Users          []user    `json:"users"`
	Contexts       []kontext `json:"contexts"`
	CurrentContext string    `json:"current-context"`
}

type cluster struct {
	Name    string `json:"name"`
	Cluster struct {
		Server string `json:"server"`
		CA     []byte `json:"certificate-authority-data"`
	} `json:"cluster"`
}

type user struct {
	Name string `json:"name"`
	User struct {
		Cert []byte `json:"client-certificate-data"`
		Key  []byte `json:"client-key-data"`
	} `json:"user"`
}

type kontext struct {
	Name    string `json:"name"`
	Context struct {
		Cluster string `json:"cluster"`
		User    string `json:"user"`
	} `json:"context"`
}

// Kubeconfig writes the file out for the client whose certificate is called name. It stands alone: it can be copied.
func (d Dir) Kubeconfig(name, ca, clusterName, server, out string) error {
	k := kubeconfig{
		APIVersion: "v1", Kind: "Config", CurrentContext: clusterName,
		Clusters: make([]cluster, 1), Users: make([]user, 1), Contexts: make([]kontext, 1),
	}
	k.Clusters[0].Name, k.Clusters[0].Cluster.Server = clusterName, server
	k.Users[0].Name = clusterName + "-" + name
	k.Contexts[0].Name = clusterName
	k.Contexts[0].Context.Cluster, k.Contexts[0].Context.User = clusterName, k.Users[0].Name
	for path, into := range map[string]*[]byte{
		d.Cert(ca): &k.Clusters[0].Cluster.CA, d.Cert(name): &k.Users[0].User.Cert, d.Key(name): &k.Users[0].User.Key,
	} {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		*into = content
	}
	text, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(text, '\n'), 0o600)
}
