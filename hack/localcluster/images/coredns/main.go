// Command coredns is CoreDNS with only the plugins that a cluster without an upstream resolver needs: a fraction of the
// whole's build time and size.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/metrics"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

func main() {
	// The order is the one queries pass through. It replaces the list of all plugins, whose code is not linked in, and
	// has template last: it answers what kubernetes did not take.
	dnsserver.Directives = []string{"health", "ready", "prometheus", "errors", "cache", "kubernetes", "template"}
	coremain.Run()
}
