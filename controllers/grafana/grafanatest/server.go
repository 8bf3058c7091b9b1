// Package grafanatest is a stand-in for a Grafana, as far as Hearth asks one: datasources, folders, dashboards and the search,
// behind service-account tokens. Grafana itself can't be built here. Everything it does follows Grafana's own documentation of
// its HTTP API (docs/sources/developers/http_api in its repository) or, where that says nothing, the behaviour of its
// handlers (pkg/api) as they were in versions 9 to 12; each part says which.
package grafanatest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// Server is a Grafana.
type Server struct {
	*httptest.Server

	mu       sync.Mutex
	orgs     map[int64]*org
	tokens   map[string]account
	requests []Request
	mode     Mode
	ids      int64
}

// Mode is how the stand-in differs from a Grafana of today that is well.
type Mode struct {
	// Fail answers a request with a status and a message, if it is not 0.
	Fail func(method, path string) (status int, message string)
	// Delay is how long each answer takes.
	Delay time.Duration
	// Proxied answers everything as the proxy in front of a Grafana that is down does: 502 and HTML.
	Proxied bool
	// UniqueTitles is how it was before version 11: in a folder no two dashboards have the same title, nor have two folders.
	UniqueTitles bool
	// Rewrites is how it is in version 12 and later: a dashboard is given back in the newest schema, with what that adds.
	Rewrites bool
	// SearchBehind finds what there was at this time and not what there is now: newer ones search in an index.
	SearchBehind bool
}

// Request is one that was answered.
type Request struct {
	Method, Path string
	Status       int
	// Body is what was sent.
	Body string
}

func (r Request) String() string { return fmt.Sprintf("%s %s %d", r.Method, r.Path, r.Status) }

// account is a service account: of one organisation, with some permissions or, if they are nil, all of the role Admin.
type account struct {
	org         int64
	permissions map[string]bool
}

// org is one organisation. Uids are unique in each.
type org struct {
	dataSources map[string]*DataSource
	folders     map[string]*Folder
	dashboards  map[string]*Dashboard
	// indexed are the hits as they were when the index was written last.
	indexed []hit
}

// New starts one, with one organisation.
func New() *Server {
	s := &Server{orgs: map[int64]*org{}, tokens: map[string]account{}}
	s.Server = httptest.NewServer(s)
	return s
}

// NewAt starts one that answers at a listener, where others than this process find it.
func NewAt(listener net.Listener) *Server {
	s := &Server{orgs: map[int64]*org{}, tokens: map[string]account{}}
	s.Server = httptest.NewUnstartedServer(s)
	_ = s.Listener.Close()
	s.Listener = listener
	s.Start()
	return s
}

// AddToken lets a service account of an organisation in; without permissions it may do everything there.
func (s *Server) AddToken(token string, orgID int64, permissions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := account{org: orgID}
	if len(permissions) > 0 {
		a.permissions = map[string]bool{}
		for _, p := range permissions {
			a.permissions[p] = true
		}
	}
	s.tokens[token] = a
	s.org(orgID)
}

// RevokeToken lets it in no longer.
func (s *Server) RevokeToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// SetMode changes how it answers.
func (s *Server) SetMode(m Mode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.SearchBehind {
		for _, o := range s.orgs {
			o.indexed = o.hits()
		}
	}
	s.mode = m
}

// Edit changes the state of an organisation, as its users do.
func (s *Server) Edit(orgID int64, edit func(*Org)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(&Org{s, s.org(orgID)})
}

func (s *Server) org(id int64) *org {
	o := s.orgs[id]
	if o == nil {
		o = &org{dataSources: map[string]*DataSource{}, folders: map[string]*Folder{}, dashboards: map[string]*Dashboard{}}
		s.orgs[id] = o
	}
	return o
}

// TakeRequests returns the requests since it was called last.
func (s *Server) TakeRequests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.requests
	s.requests = nil
	return out
}

// Writes are those requests that are none of reading.
func Writes(requests []Request) []Request {
	return slices.DeleteFunc(slices.Clone(requests), func(r Request) bool { return r.Method == http.MethodGet })
}

// reply is an answer.
type reply struct {
	status int
	body   any
}

func ok(body any) reply { return reply{http.StatusOK, body} }

// refuse is how most handlers refuse: {"message": ...}.
func refuse(status int, message string) reply {
	return reply{status, map[string]any{"message": message}}
}

// refuseWith is how the handlers of dashboards and folders do where there is a word for it, as documented for 412.
func refuseWith(status int, word, message string) reply {
	return reply{status, map[string]any{"message": message, "status": word}}
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := &strings.Builder{}
	if r.Body != nil {
		buffer := make([]byte, 64<<10)
		for {
			n, err := r.Body.Read(buffer)
			body.Write(buffer[:n])
			if err != nil {
				break
			}
		}
	}
	s.mu.Lock()
	mode := s.mode
	s.mu.Unlock()
	select {
	case <-time.After(mode.Delay):
	case <-r.Context().Done():
	}
	if mode.Proxied {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<html>an upstream's secrets</html>"))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.answer(r, body.String())
	s.requests = append(s.requests, Request{r.Method, r.URL.RequestURI(), out.status, body.String()})
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(out.status)
	_ = json.NewEncoder(w).Encode(out.body)
}

// answer checks who asks before it looks at what.
func (s *Server) answer(r *http.Request, body string) reply {
	if s.mode.Fail != nil {
		if status, message := s.mode.Fail(r.Method, r.URL.Path); status != 0 {
			return refuse(status, message)
		}
	}
	// Documented in other.md. It needs no token, and newer versions tell theirs only to whoever is signed in.
	if r.URL.Path == "/api/health" {
		return ok(map[string]any{"database": "ok", "version": "12.1.0", "commit": "0000000"})
	}
	token, has := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !has {
		return refuse(http.StatusUnauthorized, "Unauthorized")
	}
	who, known := s.tokens[token]
	if !known {
		// pkg/services/authn/clients/api_key.go: for a service-account token that there is not. The word is in messageId.
		return reply{http.StatusUnauthorized, map[string]any{
			"message": "Invalid API key", "messageId": "api-key.invalid", "statusCode": http.StatusUnauthorized, "traceID": "",
		}}
	}
	c := &call{server: s, org: s.org(who.org), may: who.may, query: r.URL.Query(), body: body}
	return c.route(r.Method, strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/api"), "/"), "/"))
}

func (a account) may(permission string) bool {
	return a.permissions == nil || a.permissions[permission]
}

// denied is pkg/services/accesscontrol/middleware.go: the text names the permission.
func denied(permission string) reply {
	return reply{http.StatusForbidden, map[string]any{
		"accessErrorId": "ACE0123456789", "title": "Access denied",
		"message": "You'll need additional permissions to perform this action. Permissions needed: " + permission,
	}}
}

func (s *Server) nextID() int64 {
	s.ids++
	return s.ids
}

// sortedKeys are those of a map, in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
