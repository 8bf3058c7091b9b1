// Package conformance holds our node exporter to node_exporter's own golden output, on node_exporter's own fixtures.
package conformance
