// Package grafana keeps datasources, folders and dashboards in a Grafana that somebody else runs, through its HTTP API: what
// is declared is made, what somebody changed is put right, what is no longer declared is removed, and what is not marked as
// a server's own is never written to.
package grafana

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Bounds on one request. A Grafana of ten thousand dashboards answers no list of ours with more than what is ours, but for
// that of its datasources, of which it gives up to 5000 at once.
const (
	requestTimeout = 10 * time.Second
	maxAnswer      = 32 << 20
	maxErrorAnswer = 16 << 10
	maxText        = 300
)

// Options say how a Grafana is reached.
type Options struct {
	// URL is where it answers, with the path below which it is served, if there is one.
	URL string
	// Token is that of a service account.
	Token string
	// TLS is what to trust and to show; nil: what the operating system trusts.
	TLS *tls.Config
	// Local lets the URL be an address of this host, which is for tests: everybody who may declare a server says where the
	// operator sends requests to, and it should not be the operator itself.
	Local bool
	// Timeout is that of one request; zero: ten seconds.
	Timeout time.Duration
}

// Client asks one Grafana, in the organisation to which the token's service account belongs.
type Client struct {
	base    *url.URL
	token   string
	http    *http.Client
	timeout time.Duration
}

// New makes a client. It asks nothing yet.
func New(o Options) (*Client, error) {
	base, err := ParseURL(o.URL)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: refuse(o.Local)}
	timeout := o.Timeout
	if timeout == 0 {
		timeout = requestTimeout
	}
	return &Client{base: base, token: o.Token, timeout: timeout, http: &http.Client{
		// A redirect is not followed: it would take the token to wherever the answer says.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: o.TLS, TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
	}}, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ParseURL reads the address of a Grafana, and says what is wrong with it.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		// The error would repeat the text, and with it a password that might be in it.
		return nil, errors.New("is no URL: write it as https://grafana.example.org")
	case u.User != nil:
		return nil, errors.New("has a user or a password in it, which everybody can read who can read this object: leave it out, the token is enough")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("has to begin with http:// or https:// and a host")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("has a query or a fragment: leave out what follows the path")
	}
	return u, nil
}

// refuse keeps requests from addresses that mean this host or a cloud's metadata service, whatever name led there.
func refuse(local bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		ip := at.Addr().Unmap()
		if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip.IsLoopback() && !local {
			return fmt.Errorf("%s is an address of the operator's own host or link, and no Grafana is asked there", ip)
		}
		return nil
	}
}

// Error is an answer that is not what was asked for.
type Error struct {
	// Status is the HTTP status, 0 if there was no answer.
	Status int
	// Code is Grafana's own word for what is the matter, such as version-mismatch; empty if it gives none.
	Code string
	// Text is what it says, or why there is no answer. It never has the token.
	Text string
	// Method and Path are those of the request.
	Method, Path string
	err          error
}

func (e *Error) Error() string {
	if e.Status == 0 {
		return e.Text
	}
	return fmt.Sprintf("%s %s is answered with %d: %s", e.Method, e.Path, e.Status, e.Text)
}

func (e *Error) Unwrap() error { return e.err }

// status is the HTTP status of an error's answer, 0 if there was none.
func status(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// do sends a request and reads the answer into out, if that is not nil.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	fail := func(err error) error {
		return &Error{Method: method, Path: path, Text: c.clean(reason(err)), err: err}
	}
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fail(err)
		}
		body = bytes.NewReader(text)
	}
	u := *c.base.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return fail(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "hearth")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fail(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return c.refusal(method, path, resp)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fail(err)
	}
	return c.decode(method, path, resp, text, out)
}

func (c *Client) decode(method, path string, resp *http.Response, text []byte, out any) error {
	wrong := func(why string) error {
		// Status 0: whatever this is, it is no answer of a Grafana's API.
		return &Error{Method: method, Path: path, Text: fmt.Sprintf("%s %s is answered with %d and %s: is a Grafana there?", method, path, resp.StatusCode, why)}
	}
	if len(text) > maxAnswer {
		return wrong("more than " + strconv.Itoa(maxAnswer>>20) + " MiB")
	}
	if out == nil {
		return nil
	}
	if !isJSON(resp.Header) {
		return wrong("what is no JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // what is read is compared and written back: no number may change its digits
	if err := decoder.Decode(out); err != nil {
		return wrong("JSON that can't be read")
	}
	return nil
}

// refusal is the error of an answer that is none of success. Of the body only what is Grafana's own message gets out: who
// declares a server says which address is asked, and is not to read there what others serve.
func (c *Client) refusal(method, path string, resp *http.Response) error {
	out := &Error{Method: method, Path: path, Status: resp.StatusCode, Text: http.StatusText(resp.StatusCode)}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		out.Text = "a redirect, which is not followed: write the address that it leads to"
		return out
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorAnswer))
	if err != nil || !isJSON(resp.Header) {
		out.Text += ", and nothing that a Grafana says"
		return out
	}
	var answer struct{ Message, Status, MessageID string }
	var loose struct {
		Message   string          `json:"message"`
		Status    json.RawMessage `json:"status"`
		MessageID string          `json:"messageId"`
	}
	if json.Unmarshal(text, &loose) == nil {
		answer.Message, answer.MessageID = loose.Message, loose.MessageID
		_ = json.Unmarshal(loose.Status, &answer.Status) // a number in some answers: then there is no word
	}
	if answer.Message != "" {
		out.Text = c.clean(answer.Message)
	}
	out.Code = answer.Status
	if out.Code == "" {
		out.Code = answer.MessageID
	}
	return out
}

// clean is a text that can be shown: short, on one line, without the token.
func (c *Client) clean(text string) string {
	if c.token != "" {
		text = strings.ReplaceAll(text, c.token, "(token)")
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

// reason is why there was no answer, without the URL, which whoever tells it names anyway, and without what is another each
// time, such as the port from which it was asked: the text goes into a status.
func reason(err error) string {
	var wrapped *url.Error
	var lookup *net.DNSError
	var op *net.OpError
	timeout := errors.Is(err, context.DeadlineExceeded)
	if errors.As(err, &wrapped) {
		timeout = timeout || wrapped.Timeout()
		err = wrapped.Err
	}
	switch {
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return "there is no host " + lookup.Name
	case errors.As(err, &lookup):
		return "looking up " + lookup.Name + " fails"
	case timeout:
		return "it does not answer in time"
	case errors.As(err, &op) && op.Addr != nil:
		return fmt.Sprintf("%s %s: %v", op.Op, op.Addr, op.Err)
	}
	return err.Error()
}

func isJSON(header http.Header) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}
