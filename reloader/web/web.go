// Package web writes the server's --web.config.file from mounted Secrets, and holds the identity with which the reloader
// passes the restrictions that the file puts up.
//
// A missing or half certificate or password is never a reason to go without: nothing is written, and the server does not
// start. No password or key appears in an error.
package web

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v2"
	"golang.org/x/crypto/bcrypt"
)

const (
	// user is the reloader's own name at the server. The Secret may not take it.
	user = "hearth-reloader"
	// cost is what a guess costs. The server remembers passwords that it has checked, so it is paid once each.
	cost = 10

	crtKey, keyKey       = "tls.crt", "tls.key"
	userKey, passwordKey = "username", "password"
)

// Options name the mounts. Empty: not in use.
type Options struct {
	// Out is the file to write.
	Out string
	// TLSDir is a mounted Secret with tls.crt and tls.key.
	TLSDir string
	// ClientCA is a file with the certificates of those who may connect.
	ClientCA string
	// AuthDir is a mounted Secret with username and password.
	AuthDir string
}

// Check refuses options that could only mean less protection than was asked for.
func (o Options) Check() error {
	switch {
	case o.Out == "" && (o.TLSDir != "" || o.AuthDir != "" || o.ClientCA != ""):
		return errors.New("--tls-dir, --tls-client-ca and --basic-auth-dir need --web-config-out")
	case o.ClientCA != "" && o.TLSDir == "":
		return errors.New("--tls-client-ca needs --tls-dir")
	}
	return nil
}

// Keeper keeps the file as the Secrets say. It is used by one goroutine, except for Leaf, Certificate and Credentials.
type Keeper struct {
	options  Options
	password string
	ownHash  string
	own      *tls.Certificate
	ownPEM   []byte
	// seen is what the file was last made of.
	seen mounts
}

// mounts is what is read from the Secrets.
type mounts struct {
	crt, key, ca   []byte
	name, password string
}

func (m mounts) equal(o mounts) bool {
	return bytes.Equal(m.crt, o.crt) && bytes.Equal(m.key, o.key) && bytes.Equal(m.ca, o.ca) &&
		m.name == o.name && m.password == o.password
}

// New makes the reloader's own password and certificate. They live in memory only: a reloader that is started again makes
// new ones and writes the file again, which the server reads at each request.
func New(o Options) (*Keeper, error) {
	k := &Keeper{options: o, password: rand.Text()}
	// The lowest cost: nobody guesses 130 random bits.
	hash, err := bcrypt.GenerateFromPassword([]byte(k.password), bcrypt.MinCost)
	if err != nil {
		return nil, err
	}
	k.ownHash = string(hash)
	if o.ClientCA != "" {
		if err := k.makeCertificate(); err != nil {
			return nil, fmt.Errorf("make the reloader's certificate: %w", err)
		}
	}
	return k, nil
}

// makeCertificate signs itself: the file lists it among those who may connect, and it signs nothing else.
func (k *Keeper) makeCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: user},
		NotBefore:    time.Now().Add(-time.Hour),
		// As long as the process may live. The key never leaves its memory.
		NotAfter:              time.Now().AddDate(10, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	k.own = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	k.ownPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return nil
}

// Leaf is the certificate that the server presents, read anew because Secrets are rotated.
func (k *Keeper) Leaf() (*x509.Certificate, error) {
	crt, err := readKey(k.options.TLSDir, crtKey)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(crt)
	if block == nil {
		return nil, fmt.Errorf("the Secret's %s is not PEM", crtKey)
	}
	return x509.ParseCertificate(block.Bytes)
}

// Certificate is the reloader's own.
func (k *Keeper) Certificate() (*tls.Certificate, error) {
	if k.own == nil {
		return &tls.Certificate{}, nil
	}
	return k.own, nil
}

// Credentials are the reloader's own.
func (k *Keeper) Credentials() (name, password string) { return user, k.password }

// Run calls told with the outcome of each Sync, until ctx ends.
func (k *Keeper) Run(ctx context.Context, every time.Duration, told func(wrote bool, err error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		told(k.Sync())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sync writes the file if the Secrets are not those it was made of. On an error the file is as it was.
func (k *Keeper) Sync() (wrote bool, err error) {
	now, err := k.read()
	if err != nil {
		return false, err
	}
	if _, err := os.Stat(k.options.Out); err == nil && now.equal(k.seen) {
		return false, nil
	}
	text, err := k.render(now)
	if err != nil {
		return false, err
	}
	if err := replace(k.options.Out, text); err != nil {
		return false, err
	}
	k.seen = now
	return true, nil
}

func (k *Keeper) read() (mounts, error) {
	var m mounts
	var problems []error
	read := func(dir, key string) []byte {
		text, err := readKey(dir, key)
		if err != nil {
			problems = append(problems, err)
		}
		return text
	}
	if k.options.TLSDir != "" {
		m.crt, m.key = read(k.options.TLSDir, crtKey), read(k.options.TLSDir, keyKey)
	}
	if k.options.ClientCA != "" {
		m.ca = read(filepath.Dir(k.options.ClientCA), filepath.Base(k.options.ClientCA))
	}
	if k.options.AuthDir != "" {
		// Files made with an editor or echo end in a newline that nobody means as part of a password.
		m.name = string(bytes.TrimRight(read(k.options.AuthDir, userKey), "\r\n"))
		m.password = string(bytes.TrimRight(read(k.options.AuthDir, passwordKey), "\r\n"))
	}
	if err := errors.Join(problems...); err != nil {
		return mounts{}, err
	}
	return m, k.check(m)
}

func (k *Keeper) check(m mounts) error {
	if k.options.TLSDir != "" {
		if _, err := tls.X509KeyPair(m.crt, m.key); err != nil {
			return fmt.Errorf("the Secret's %s and %s are not a pair: %w", crtKey, keyKey, err)
		}
	}
	if k.options.ClientCA != "" && !x509.NewCertPool().AppendCertsFromPEM(m.ca) {
		return fmt.Errorf("%s has no certificate", filepath.Base(k.options.ClientCA))
	}
	if k.options.AuthDir == "" {
		return nil
	}
	switch {
	case m.name == "":
		return fmt.Errorf("the Secret's %s is empty", userKey)
	case m.name == user:
		return fmt.Errorf("the Secret's %s is %q, which is the reloader's own: choose another", userKey, user)
	case m.password == "":
		return fmt.Errorf("the Secret's %s is empty", passwordKey)
	case len(m.password) > 72:
		return fmt.Errorf("the Secret's %s is longer than the 72 bytes that bcrypt takes", passwordKey)
	}
	return nil
}

// file is the part of the server's format that is used.
type file struct {
	TLS   *tlsFile          `yaml:"tls_server_config,omitempty"`
	Users map[string]string `yaml:"basic_auth_users,omitempty"`
}

type tlsFile struct {
	Cert string `yaml:"cert_file"`
	Key  string `yaml:"key_file"`
	// CA is text rather than a file so that the reloader's own certificate can stand beside those of the Secret.
	CA         string `yaml:"client_ca,omitempty"`
	ClientAuth string `yaml:"client_auth_type,omitempty"`
}

func (k *Keeper) render(m mounts) ([]byte, error) {
	var f file
	if k.options.TLSDir != "" {
		dir, err := filepath.Abs(k.options.TLSDir)
		if err != nil {
			return nil, err
		}
		f.TLS = &tlsFile{Cert: filepath.Join(dir, crtKey), Key: filepath.Join(dir, keyKey)}
	}
	if k.options.ClientCA != "" {
		f.TLS.CA = string(m.ca) + "\n" + string(k.ownPEM)
		f.TLS.ClientAuth = "RequireAndVerifyClientCert"
	}
	if k.options.AuthDir != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(m.password), cost)
		if err != nil {
			return nil, err
		}
		f.Users = map[string]string{m.name: string(hash), user: k.ownHash}
	}
	return yaml.Marshal(f)
}

// replace has the server's own code check the text before it takes the place of what is there.
func replace(path string, text []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".web-*.yml")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }() // gone already if it took its place
	_, err = temp.Write(text)
	// The server may run as another user of the same group; there are hashes in it, no passwords.
	if err := errors.Join(err, temp.Chmod(0o640), temp.Close()); err != nil {
		return err
	}
	if err := web.Validate(temp.Name()); err != nil {
		return fmt.Errorf("the server would refuse its web configuration: %w", err)
	}
	return os.Rename(temp.Name(), path)
}

func readKey(dir, key string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, key))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the Secret's key %s is missing", key)
	}
	if err != nil {
		return nil, fmt.Errorf("the Secret's key %s cannot be read: %w", key, err)
	}
	if len(text) == 0 {
		return nil, fmt.Errorf("the Secret's %s is empty", key)
	}
	return text, nil
}
