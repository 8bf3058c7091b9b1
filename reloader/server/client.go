// Package server speaks with the server beside the reloader, over loopback: is it ready, reload, and how it is doing.
package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

// Facts are what a report says about the server. HeadSeries, Jobs and AlertRules stay empty for a server that has none.
type Facts struct {
	Version         string
	Rules           int
	Firing, Pending int
	Jobs            []replica.Job
	AlertRules      []replica.AlertRule
	// PrometheusRules are those whose evaluation fails.
	PrometheusRules []replica.AlertRule
	HeadSeries      int64
	// MetricsKnown is true once it is known which metrics AlertRules lack.
	MetricsKnown bool
	// Alerting is nil for an Alertmanager.
	Alerting *replica.Alerting
	// Remotes are where a Prometheus sends its samples.
	Remotes []replica.Remote
	// Alertmanager is nil for another server.
	Alertmanager *replica.Alertmanager
}

// Kind is what differs between the servers that the reloader runs beside. Readiness and reload do not.
type Kind interface {
	// Instance names the running process: another answer means that the server was restarted.
	Instance(ctx context.Context) (string, error)
	// Facts asks everything that the report says about the server.
	Facts(ctx context.Context) (Facts, error)
}

// Identity is how the reloader and the server know each other where the server's web access is restricted. Each function
// is asked at each connection or request, because certificates and passwords are rotated. A nil function: not in use.
type Identity struct {
	// Leaf is the certificate that the server must present. It is pinned: on loopback no name could be verified, and a
	// certificate authority would let in whatever else it signed.
	Leaf func() (*x509.Certificate, error)
	// Certificate is what the reloader presents to a server that wants one.
	Certificate func() (*tls.Certificate, error)
	// Credentials are the reloader's own user and password.
	Credentials func() (user, password string)
}

// maxAnswer bounds what is read of an answer that should be short, maxList of one that lists things.
const (
	maxAnswer = 64 << 10
	maxList   = 512 << 20
)

// errStranger ends the handshake, before a password is sent.
var errStranger = errors.New("the server does not present the mounted certificate")

// Client asks the server.
type Client struct {
	base     *url.URL
	http     *http.Client
	identity Identity

	// prober asks whether the server is ready, over one connection that stays open: who answers on it is who answered before.
	prober      *http.Client
	connections atomic.Int64 // that the prober has made
}

// NewClient makes a client of the server at base.
func NewClient(base *url.URL, identity Identity) *Client {
	c := &Client{base: base, identity: identity}
	dialer := &net.Dialer{Timeout: 2 * time.Second}
	c.http = newHTTP(identity, &http.Transport{MaxIdleConnsPerHost: 2, DialContext: dialer.DialContext})
	c.prober = newHTTP(identity, &http.Transport{MaxConnsPerHost: 1, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c.connections.Add(1)
		return dialer.DialContext(ctx, network, address)
	}})
	return c
}

func newHTTP(identity Identity, t *http.Transport) *http.Client {
	t.TLSHandshakeTimeout = 2 * time.Second
	t.IdleConnTimeout = time.Minute
	t.DisableCompression = true // loopback: packing costs both sides and saves nothing
	t.ResponseHeaderTimeout = 0 // a reload answers when it is done; each request brings its own deadline
	if identity.Leaf != nil {
		t.TLSClientConfig = pinned(identity)
	}
	return &http.Client{
		Transport: t,
		// A redirect would carry the password elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func pinned(identity Identity) *tls.Config {
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // not the absence of a check: VerifyConnection compares the whole certificate
		VerifyConnection: func(state tls.ConnectionState) error {
			want, err := identity.Leaf()
			if err != nil {
				return fmt.Errorf("%w: %w", errStranger, err)
			}
			if len(state.PeerCertificates) == 0 || !state.PeerCertificates[0].Equal(want) {
				return errStranger
			}
			return nil
		},
	}
	if identity.Certificate != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return identity.Certificate() }
	}
	return c
}

// Failure is a reload that was not acknowledged.
type Failure struct {
	// Text is why, in the server's own words where it answered.
	Text string
	// Sent is false when the server never got the request: nothing can have changed.
	Sent bool
}

func (f *Failure) Error() string { return f.Text }

// Ready is nil when the server says that it is ready.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.probe(ctx, "-/ready")
	return err
}

// probe is a short answer over the prober's connection.
func (c *Client) probe(ctx context.Context, path string) ([]byte, error) {
	body, err := c.answer(ctx, c.prober, path, nil, maxAnswer)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	// To its end, or the connection could not be used again.
	return io.ReadAll(body)
}

// Reload has the server read its files again. The error is a *Failure.
func (c *Client) Reload(ctx context.Context) error {
	resp, err := c.do(ctx, c.http, http.MethodPost, "-/reload", nil)
	if err != nil {
		var op *net.OpError
		unsent := errors.As(err, &op) && op.Op == "dial" || isHandshake(err)
		return &Failure{Text: plain(err), Sent: !unsent}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case resp.StatusCode == http.StatusOK && err == nil:
		return nil
	case resp.StatusCode == http.StatusUnauthorized:
		return &Failure{Text: "the server refuses the reloader's own password (401)"}
	case len(text) > 0:
		return &Failure{Text: strings.TrimSpace(string(text)), Sent: true}
	default:
		return &Failure{Text: resp.Status, Sent: true}
	}
}

func isHandshake(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var verify *tls.CertificateVerificationError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &verify) ||
		errors.Is(err, errStranger) || errors.Is(err, http.ErrSchemeMismatch)
}

func (c *Client) get(ctx context.Context, path string, query url.Values, limit int64) (io.ReadCloser, error) {
	return c.answer(ctx, c.http, path, query, limit)
}

func (c *Client) answer(ctx context.Context, over *http.Client, path string, query url.Values, limit int64) (io.ReadCloser, error) {
	resp, err := c.do(ctx, over, http.MethodGet, path, query)
	if err != nil {
		return nil, errors.New(plain(err))
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return nil, fmt.Errorf("%s: %s: %s", path, resp.Status, strings.TrimSpace(string(text)))
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, limit), resp.Body}, nil
}

func (c *Client) do(ctx context.Context, over *http.Client, method, path string, query url.Values) (*http.Response, error) {
	u := c.base.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if c.identity.Credentials != nil {
		req.SetBasicAuth(c.identity.Credentials())
	}
	return over.Do(req)
}

// plain leaves out the method and URL that net/http puts before each error: they are always the same, and the port that a
// failed connection came from, which never is.
func plain(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return withoutSourcePort(err.Error())
}
