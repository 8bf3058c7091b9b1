// Package conformance holds our node exporter to node_exporter: to its golden output on its own fixtures, both of which come
// inside node_exporter's module, and, for what fixtures can't show, to a node_exporter that runs beside ours on this host.
// Nothing of node_exporter is copied.
package conformance
