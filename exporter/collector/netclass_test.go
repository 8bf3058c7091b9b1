package collector

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// TestNetclassRefresh changes files between two scrapes: what is not read each time is read when what it hangs on moves.
func TestNetclassRefresh(t *testing.T) {
	dir := t.TempDir()
	copyHost(t, dir)
	c := newTestSet(t, io.Discard, hostArgs(dir)...).seats["netclass"].Collector
	if _, err := updated(t.Context(), t, c); err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{
		"mtu": "9000", "address": "02:00:00:00:00:01", "addr_assign_type": "1", "carrier_changes": "4", "carrier_up_count": "3", "operstate": "down", "flags": "0x1002",
	} {
		writeFile(t, filepath.Join(dir, "sys/class/net/eth0", file), content+"\n")
	}
	got, err := updated(t.Context(), t, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`node_network_mtu_bytes{device="eth0"} 9000`,
		`node_network_address_assign_type{device="eth0"} 1`,
		`node_network_carrier_changes_total{device="eth0"} 4`,
		`node_network_carrier_up_changes_total{device="eth0"} 3`,
		`node_network_up{device="eth0"} 0`,
		`node_network_iface_id{device="eth0"} 2`,
		`node_network_info{address="02:00:00:00:00:01",adminstate="down",broadcast="ff:ff:ff:ff:ff:ff",device="eth0",duplex="full",ifalias="",operstate="down"} 1`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in:\n%s", want, got)
		}
	}
}
