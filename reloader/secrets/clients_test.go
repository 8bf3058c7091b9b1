package secrets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// clientJobs name the ids of two clients, and one where Prometheus would not read one.
const clientJobs = `scrape_configs:
- job_name: podMonitor/team-a/a/0
  oauth2: {client_id: DIR/team-a/login/id, client_secret_file: DIR/team-a/login/secret, token_url: http://t}
  params: {oauth2: [DIR/team-a/login/id], client_id: [DIR/team-a/login/id]}
- job_name: scrapeConfig/team-b/b
  http_sd_configs:
  - {url: http://u, oauth2: {client_id: DIR/team-b/login/id, client_secret_file: DIR/team-b/login/secret, token_url: http://t}}
  static_configs: [{targets: [a], labels: {client_id: DIR/team-b/login/id}}]
- job_name: scrapeConfig/team-b/c
  oauth2: {client_id: DIR/team-b/other/id, client_secret_file: DIR/team-b/login/secret, token_url: http://t}
`

// clients are a keeper's, and how often the server was told of them.
type clients struct {
	*world
	published string
	changes   int
}

func newClients(t *testing.T) *clients {
	c := &clients{world: newWorld(t)}
	c.watch()
	c.want(
		bundle.WantedSecret{Namespace: "team-a", Name: "login", Keys: []string{"id", "secret"}},
		bundle.WantedSecret{Namespace: "team-b", Name: "login", Keys: []string{"id", "secret"}},
	)
	c.published = filepath.Join(c.tree, bundle.ClientsName)
	c.publish(c.jobs())
	// A file that is there and that nobody has said is wanted.
	if err := replace(c.dir, filepath.Join(c.dir, "team-b/other/id"), []byte("other")); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *clients) watch() { c.keeper.Changed(func() { c.changes++ }) }

func (c *clients) jobs() string { return strings.ReplaceAll(clientJobs, "DIR", c.dir) }

func (c *clients) publish(text string) {
	c.t.Helper()
	if err := os.WriteFile(c.published, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *clients) put(team, id string, granted bool) {
	c.api.PutSecret(team, "login", map[string][]byte{"id": []byte(id), "secret": []byte("s")}, granted)
}

// path is where the id of a team's client is.
func (c *clients) path(team string) string { return filepath.Join(c.dir, team, "login/id") }

// has holds how often the server was told, and who the clients are.
func (c *clients) has(changes int, want ...string) {
	c.t.Helper()
	if c.changes != changes {
		c.t.Errorf("told %d times, want %d", c.changes, changes)
	}
	got := c.content(bundle.ClientsName)
	for _, id := range want {
		if n := strings.Count(got, "client_id: "+id+","); n != 1 {
			c.t.Errorf("%d clients are %s, want one:\n%s", n, id, got)
		}
	}
	if strings.Contains(got, "PRIVATE") || strings.Contains(c.log.String(), precious) {
		c.t.Errorf("something is where it should not be:\n%s\n%s", got, c.log.String())
	}
}

// TestClients: the id of a client is in the text that the server reads, and nowhere else, as soon as it may be known, and when it becomes
// another the server is told.
func TestClients(t *testing.T) {
	c := newClients(t)
	id, quoted := precious+": \"a\\\"\n", `"`+precious+`: \"a\\\""`
	c.put("team-a", id, false)
	c.keeper.Sync(t.Context())
	c.has(1, c.path("team-a"), c.path("team-b"), c.dir+"/team-b/other/id")
	c.keeper.Sync(t.Context())
	c.put("team-a", id, true)
	c.later()
	c.has(2, quoted, c.path("team-b"))
	if got := c.content(bundle.ClientsName); strings.Count(got, precious) != 1 || strings.Count(got, c.path("team-b")) != 2 {
		t.Errorf("an id is where Prometheus does not read one:\n%s", got)
	}
	c.later()
	c.has(2, quoted)

	// What is no id stays out, and no more of it is told than that.
	for _, bad := range []string{"", "\n", precious + "\nscrape_configs: []", "\x00", "\xff", strings.Repeat("a", maxClientID+1)} {
		c.put("team-b", bad, true)
		c.later()
		c.has(2, quoted, c.path("team-b"))
	}
	c.put("team-b", "b", true)
	c.later()
	c.has(3, quoted, `"b"`)
}

// TestClientsAreThoseThatArePublished: a reloader that starts goes on with what is there, another text counts at once, and none leaves
// nothing.
func TestClientsAreThoseThatArePublished(t *testing.T) {
	c := newClients(t)
	c.put("team-a", "a", true)
	c.put("team-b", "b", true)
	c.keeper.Sync(t.Context())
	c.has(1, `"a"`, `"b"`)
	c.restart()
	c.watch()
	c.keeper.Sync(t.Context())
	c.has(1, `"a"`, `"b"`)
	c.publish(strings.Replace(c.jobs(), "http://u", "http://v", 1))
	c.keeper.Sync(t.Context())
	c.has(2, `"a"`, `"b"`)
	if got := c.content(bundle.ClientsName); !strings.Contains(got, "http://v") {
		t.Errorf("the jobs are not those that are published:\n%s", got)
	}

	// What can't be read leaves what was made of the last one.
	c.publish("\t")
	c.keeper.Sync(t.Context())
	c.has(2, `"a"`, `"b"`)
	if !strings.Contains(c.log.String(), "clients of OAuth2") {
		t.Error("nobody is told that the text can't be read")
	}
	if err := os.Remove(c.published); err != nil {
		t.Fatal(err)
	}
	c.keeper.Sync(t.Context())
	if _, err := os.Stat(filepath.Join(c.dir, bundle.ClientsName)); !os.IsNotExist(err) || c.changes != 2 {
		t.Errorf("there is no client left, and still a file: %v; told %d times", err, c.changes)
	}
}
