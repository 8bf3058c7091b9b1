package cluster

import (
	"context"
	"os"
	"strings"

	"github.com/hearth-monitoring/hearth/hack/localcluster/build"
	"github.com/hearth-monitoring/hearth/hack/localcluster/image"
)

// Load makes images and gives them to every node. Each argument is a built-in image's name, which is built if it has to be,
// or NAME:TAG=FILE[:/path/in/image][,FILE...].
func (c *Cluster) Load(ctx context.Context, args ...string) error {
	nodes, err := c.Nodes()
	if err != nil {
		return err
	}
	for _, arg := range args {
		spec, err := c.spec(ctx, arg)
		if err != nil {
			return err
		}
		file, err := c.archive(spec)
		if err != nil {
			return err
		}
		err = each(nodes, func(n int) error { return c.importImages(n, []string{file}) })
		_ = os.Remove(file) // As large as the image, and it can be made again.
		if err != nil {
			return err
		}
		c.say("loaded %s", spec.Ref)
	}
	return nil
}

func (c *Cluster) spec(ctx context.Context, arg string) (image.Spec, error) {
	if strings.Contains(arg, "=") {
		return image.Parse(arg)
	}
	img, err := build.FindImage(arg)
	if err != nil {
		return image.Spec{}, err
	}
	if err := c.Build.Build(ctx, img.Target); err != nil {
		return image.Spec{}, err
	}
	return img.Spec(c.Build.Bin()), nil
}

// archive writes an image to a file that the nodes' namespaces see too.
func (c *Cluster) archive(s image.Spec) (string, error) {
	if err := os.MkdirAll(c.path("images"), 0o755); err != nil {
		return "", err
	}
	file := c.path("images", strings.NewReplacer("/", "_", ":", "_").Replace(s.Ref)+".tar")
	_, err := image.Write(s, file)
	return file, err
}
