package secrets

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// maxClientID is longer than the id of any client.
const maxClientID = 1024

// Changed has f called whenever the jobs that are clients of OAuth2 have become others, which the server has to be told of: it
// reads the files of passwords again with each request, but not its configuration. To be set before Sync.
func (k *Keeper) Changed(f func()) { k.changed = f }

// identify leaves the jobs that are clients of OAuth2 beside the Secrets, with the id of each in it. They are in memory like
// these, because somebody may have named a password for an id. Without another text of these jobs and without another look at a
// Secret there is nothing to do.
func (k *Keeper) identify(looked bool) {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(k.list), bundle.ClientsName))
	if errors.Is(err, fs.ErrNotExist) {
		text, err = nil, nil
	}
	if err == nil && !looked && bytes.Equal(text, k.clients) {
		return
	}
	if err == nil {
		err = k.leave(filepath.Join(k.dir, bundle.ClientsName), text)
	}
	if err != nil {
		k.log.Error("cannot write the scrape jobs that are clients of OAuth2", "error", err)
		return
	}
	k.clients = text
}

func (k *Keeper) leave(path string, text []byte) error {
	if len(text) == 0 {
		// The server no longer names the file.
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := k.identified(text)
	if err != nil {
		return err
	}
	if before, err := os.ReadFile(path); err == nil && bytes.Equal(before, text) {
		return nil
	}
	if err := replace(k.dir, path, text); err != nil {
		return err
	}
	k.changed()
	return nil
}

// identified is the text with the content of a file wherever it has the path of one as the id of a client.
func (k *Keeper) identified(text []byte) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, h := range k.held {
		for _, key := range h.wanted.Keys {
			wanted[k.path(h.wanted, key)] = true
		}
	}
	clientIDs(&root, func(id *yaml.Node) {
		if wanted[id.Value] {
			identifyOne(id)
		}
	})
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&root); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// clientIDs visits only what Prometheus would read as an id: what anybody wrote into labels or parameters is a text or a list.
func clientIDs(n *yaml.Node, visit func(id *yaml.Node)) {
	for i, below := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 0 || n.Content[i-1].Value != "oauth2" || below.Kind != yaml.MappingNode {
			clientIDs(below, visit)
			continue
		}
		for j := 0; j+1 < len(below.Content); j += 2 {
			if value := below.Content[j+1]; below.Content[j].Value == "client_id" && value.Kind == yaml.ScalarNode {
				visit(value)
			}
		}
	}
}

// identifyOne leaves the path where there is no id: nobody accepts a client of that name.
func identifyOne(value *yaml.Node) {
	content, err := os.ReadFile(value.Value)
	if err != nil {
		return
	}
	if id := strings.TrimSpace(string(content)); isClientID(id) {
		value.SetString(id)
		value.Style = yaml.DoubleQuotedStyle
	}
}

// isClientID says whether a text can be the id of a client: visible ASCII and spaces, as RFC 6749 has it. So what is there in
// place of a Secret that can't be read is none.
func isClientID(text string) bool {
	return text != "" && len(text) <= maxClientID && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
