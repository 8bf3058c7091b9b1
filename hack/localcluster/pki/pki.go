// Package pki makes the certificates of a cluster: its authorities and what they sign. Everything is a pair of files
// NAME.crt and NAME.key in one folder, made once and then kept.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Dir is the folder of a cluster's certificates.
type Dir string

// Subject says whom a certificate is for. Names and addresses make it a server's; a client's has none.
type Subject struct {
	Name      string // of the files
	CA        string // the authority's files
	User      string
	Groups    []string
	DNSNames  []string
	Addresses []net.IP
}

// lifetime is longer than any local cluster's.
const lifetime = 10 * 365 * 24 * time.Hour

// Cert is the path of a certificate.
func (d Dir) Cert(name string) string { return filepath.Join(string(d), name+".crt") }

// Key is the path of a certificate's key.
func (d Dir) Key(name string) string { return filepath.Join(string(d), name+".key") }

// Authority makes a certificate authority, if it is not there.
func (d Dir) Authority(name string) error {
	if d.has(name) {
		return nil
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	t, err := template(pkix.Name{CommonName: name})
	if err != nil {
		return err
	}
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	return d.sign(name, t, t, key, key)
}

// Issue makes a certificate that an authority of this folder signs, if it is not there.
func (d Dir) Issue(s Subject) error {
	if d.has(s.Name) {
		return nil
	}
	ca, caKey, err := d.load(s.CA)
	if err != nil {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	t, err := template(pkix.Name{CommonName: s.User, Organization: s.Groups})
	if err != nil {
		return err
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(s.DNSNames)+len(s.Addresses) > 0 {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		t.DNSNames, t.IPAddresses = s.DNSNames, s.Addresses
	}
	return d.sign(s.Name, t, ca, key, caKey)
}

// KeyPair makes a bare key pair, if it is not there: NAME.key and, for the public half, NAME.crt.
func (d Dir) KeyPair(name string) error {
	if d.has(name) {
		return nil
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	pub, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return d.write(name, "PUBLIC KEY", pub, key)
}

// has asks for the certificate, which is written after its key.
func (d Dir) has(name string) bool {
	_, err := os.Stat(d.Cert(name))
	return err == nil
}

func (d Dir) sign(name string, t, ca *x509.Certificate, key, caKey *ecdsa.PrivateKey) error {
	der, err := x509.CreateCertificate(rand.Reader, t, ca, key.Public(), caKey)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", name, err)
	}
	return d.write(name, "CERTIFICATE", der, key)
}

func (d Dir) write(name, kind string, der []byte, key *ecdsa.PrivateKey) error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})
	if err := os.WriteFile(d.Key(name), text, 0o600); err != nil {
		return err
	}
	return os.WriteFile(d.Cert(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o644)
}

func (d Dir) load(name string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	cert, err := decode(d.Cert(name))
	if err != nil {
		return nil, nil, err
	}
	key, err := decode(d.Key(name))
	if err != nil {
		return nil, nil, err
	}
	c, err := x509.ParseCertificate(cert)
	if err != nil {
		return nil, nil, err
	}
	k, err := x509.ParseECPrivateKey(key)
	return c, k, err
}

func decode(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New(path + ": not PEM")
	}
	return block.Bytes, nil
}

// newKey is an elliptic one because a cluster makes about twenty, and RSA keys would take seconds of its start.
func newKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func template(name pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	// An hour back, for clocks that were set meanwhile.
	start := time.Now().Add(-time.Hour)
	return &x509.Certificate{SerialNumber: serial, Subject: name, NotBefore: start, NotAfter: start.Add(lifetime)}, nil
}
