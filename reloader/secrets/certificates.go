package secrets

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// fit leaves out of a Secret's content what the server could not use for TLS, and says what that is: the stopgap takes its
// place, for the same reason as where a Secret can't be read. The text has nothing of the content.
func fit(data map[string][]byte, uses []bundle.TLSKeys) (map[string][]byte, string) {
	out := maps.Clone(data)
	var problems []string
	for _, use := range uses {
		if use.CA != "" && !x509.NewCertPool().AppendCertsFromPEM(data[use.CA]) {
			delete(out, use.CA)
			problems = append(problems, fmt.Sprintf("its key %s is no certificate in PEM", use.CA))
		}
		if use.Cert == "" {
			continue
		}
		// A certificate without its key is of no more use than none: the server would refuse the two.
		if _, err := tls.X509KeyPair(data[use.Cert], data[use.Key]); err != nil {
			delete(out, use.Cert)
			delete(out, use.Key)
			problems = append(problems, fmt.Sprintf("its keys %s and %s are not a certificate and the key to it, in PEM", use.Cert, use.Key))
		}
	}
	slices.Sort(problems)
	return out, strings.Join(slices.Compact(problems), "; ")
}
