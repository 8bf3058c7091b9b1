package cluster

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hearth-monitoring/hearth/hack/localcluster/build"
	"github.com/hearth-monitoring/hearth/hack/localcluster/host"
)

//go:embed manifests/*.yaml
var manifestFiles embed.FS

// manifests are the objects that make the cluster whole: DNS and storage.
func (c *Cluster) manifests() (map[string]string, error) {
	entries, err := manifestFiles.ReadDir("manifests")
	if err != nil {
		return nil, err
	}
	fill := strings.NewReplacer("${DNS_ADDRESS}", c.dns().String(), "${COREDNS_IMAGE}", build.CoreDNSRef)
	out := map[string]string{}
	for _, e := range entries {
		text, err := manifestFiles.ReadFile("manifests/" + e.Name())
		if err != nil {
			return nil, err
		}
		out[e.Name()] = fill.Replace(string(text))
	}
	return out, nil
}

// applyManifests applies them, with the bundled kubectl.
func (c *Cluster) applyManifests() error {
	files, err := c.manifests()
	if err != nil {
		return err
	}
	dir := c.path("manifests")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	_, err = host.Run(c.KubectlArgs("apply", "--server-side", "--force-conflicts", "--filename="+dir)...)
	if err != nil {
		return fmt.Errorf("apply the cluster's own objects: %w", err)
	}
	return nil
}

// KubectlArgs is the command line that runs the bundled kubectl on this cluster.
func (c *Cluster) KubectlArgs(args ...string) []string {
	return append([]string{c.program("kubectl"), "--kubeconfig=" + c.Kubeconfig()}, args...)
}
