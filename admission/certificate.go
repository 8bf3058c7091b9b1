package admission

import (
	"bytes"
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
	"sync/atomic"
	"time"
)

const (
	// validity of a certificate, and how long before its end the next one is made.
	validity = 90 * 24 * time.Hour
	renewal  = 30 * 24 * time.Hour
	// slack is for clocks that are not quite right.
	slack = time.Hour
	// maxAuthorities bounds a bundle: the one in use and those that another replica may still be answering with.
	maxAuthorities = 3
)

// Pair is a serving certificate, PEM throughout.
type Pair struct {
	// Authorities are what a client may trust: first the one that signed Certificate, then earlier ones that have not
	// expired, since another replica of the operator may answer with an earlier certificate for a moment.
	Authorities []byte
	Certificate []byte
	Key         []byte
}

// Issue makes an authority and one certificate for the server of this name. The authority's key is thrown away: there is
// nothing else that it could ever sign.
func Issue(now time.Time, name string, before Pair) (Pair, error) {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	authority := template(now, "hearth-webhook-ca")
	authority.IsCA, authority.BasicConstraintsValid, authority.MaxPathLenZero = true, true, true
	authority.KeyUsage = x509.KeyUsageCertSign
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return Pair{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	leaf := template(now, name)
	leaf.DNSNames = []string{name}
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), authorityKey)
	if err != nil {
		return Pair{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{
		Authorities: append(block("CERTIFICATE", authorityDER), still(before.Authorities, now)...),
		Certificate: block("CERTIFICATE", leafDER),
		Key:         block("PRIVATE KEY", keyDER),
	}, nil
}

func template(now time.Time, name string) *x509.Certificate {
	return &x509.Certificate{
		// Any will do: each authority signs one certificate. No two authorities are the same, for their keys differ.
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-slack),
		NotAfter:     now.Add(validity),
	}
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// still are the newest of these authorities that have not expired.
func still(authorities []byte, now time.Time) []byte {
	var out []byte
	for n, rest := 1, authorities; n < maxAuthorities; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		if cert, err := x509.ParseCertificate(b.Bytes); err == nil && now.Before(cert.NotAfter) {
			out = append(out, block("CERTIFICATE", b.Bytes)...)
			n++
		}
	}
	return out
}

// Check is why the pair cannot serve this name any longer, nil if it can for a good while.
func (p Pair) Check(now time.Time, name string) error {
	cert, err := p.parse()
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(p.Authorities) {
		return errors.New("there is no authority")
	}
	// As the API server will, at the time when the next one is due: a certificate that is not right then is due now.
	if _, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: now}); err != nil {
		return err
	}
	if left := cert.Leaf.NotAfter.Sub(now); left < renewal {
		return fmt.Errorf("it expires in %s", left.Round(time.Hour))
	}
	return nil
}

func (p Pair) parse() (*tls.Certificate, error) {
	if len(bytes.TrimSpace(p.Certificate)) == 0 {
		return nil, errors.New("there is none yet")
	}
	cert, err := tls.X509KeyPair(p.Certificate, p.Key)
	if err != nil {
		return nil, err
	}
	return &cert, nil
}

// Keeper has the certificate that the webhook answers with, which changes while it runs.
type Keeper struct {
	current     atomic.Pointer[tls.Certificate]
	authorities atomic.Pointer[[]byte]
}

// Authorities are what a client may trust, in PEM; nil while there is no certificate.
func (k *Keeper) Authorities() []byte {
	if pem := k.authorities.Load(); pem != nil {
		return *pem
	}
	return nil
}

// Use answers with this pair from now on.
func (k *Keeper) Use(p Pair) error {
	cert, err := p.parse()
	if err != nil {
		return err
	}
	k.current.Store(cert)
	k.authorities.Store(&p.Authorities)
	return nil
}

// Get is what a TLS server asks at each handshake.
func (k *Keeper) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cert := k.current.Load(); cert != nil {
		return cert, nil
	}
	return nil, errors.New("the webhook has no certificate yet")
}
