package collector

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hardwareCollector is one collector on a copy of testdata/hardware, or of testdata/host for what every host has.
func hardwareCollector(t *testing.T, name string, args ...string) (c Collector, dir string) {
	t.Helper()
	from := "testdata/hardware"
	if name == "arp" || name == "os" {
		from = "testdata/host"
	}
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"--collector.disable-defaults", "--collector." + name}, args...)
	return newTestSet(t, &bytes.Buffer{}, hostArgs(dir, args...)...).seats[name].Collector, dir
}

// TestHardwareGolden compares what each collector says with testdata/golden/NAME.prom, twice: from new files and from held
// ones.
func TestHardwareGolden(t *testing.T) {
	for _, name := range []string{"arp", "bonding", "conntrack", "cpufreq", "dmi", "edac", "entropy", "hwmon", "mdadm", "nvme", "os", "powersupplyclass"} {
		t.Run(name, func(t *testing.T) {
			c, _ := hardwareCollector(t, name)
			golden := filepath.Join("testdata/golden", name+".prom")
			for range 2 {
				got, err := updated(t.Context(), t, c)
				if err != nil {
					t.Fatal(err)
				}
				if *rewrite {
					writeFile(t, golden, got)
				}
				if diff := cmp.Diff(string(readFile(t, golden)), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", golden, diff)
				}
			}
		})
	}
}

// TestHardwareBroken breaks a file after a first scrape: the collector fails with a message that names it, does not say
// what was in it, and is well again when the file is.
func TestHardwareBroken(t *testing.T) {
	const mc, cpu0, hw0, bat = "sys/devices/system/edac/mc/mc0/", "sys/devices/system/cpu/cpu0/cpufreq/", "sys/devices/platform/coretemp.0/hwmon/hwmon0/", "sys/class/power_supply/BAT0/"
	for name, c := range map[string]struct{ collector, file, content, message, without string }{
		"arp empty":            {"arp", "proc/1/net/arp", "", "net/arp: empty", "node_arp"},
		"arp headless":         {"arp", "proc/1/net/arp", "10.0.0.1 0x1 0x2 02:00:00:00:00:01 * eth0\n", "net/arp: line 1:", "node_arp"},
		"arp short":            {"arp", "proc/1/net/arp", "IP address\n10.0.0.1 0x1\n", "net/arp: line 2: less than 6 columns", "node_arp"},
		"arp cut off":          {"arp", "proc/1/net/arp", "IP address\n10.0.0.1 0x1 0x2 02:00 * et", "net/arp: truncated", "node_arp"},
		"bond without slave":   {"bonding", "sys/class/net/bond1/bonding/slaves", "eth9\n", "bond1/lower_eth9/bonding_slave/mii_status", `master="bond1"`},
		"bond unknown":         {"bonding", "sys/class/net/bonding_masters", "bond0 bond7\n", "bond7/bonding/slaves", `master="bond7"`},
		"conntrack garbage":    {"conntrack", "proc/1/net/stat/nf_conntrack", "entries\n0000002a xyz\n", `stat/nf_conntrack: line 2: column 2: "xyz"`, "node_nf_conntrack_stat"},
		"conntrack short":      {"conntrack", "proc/1/net/stat/nf_conntrack", "entries\n0 1 2\n", "stat/nf_conntrack: line 2: 3 columns", "node_nf_conntrack_stat"},
		"conntrack no CPU":     {"conntrack", "proc/1/net/stat/nf_conntrack", "entries\n", "stat/nf_conntrack: no CPU", "node_nf_conntrack_stat"},
		"conntrack count":      {"conntrack", "proc/sys/net/netfilter/nf_conntrack_count", "many\n", `nf_conntrack_count: "many" is not a number`, "node_nf_conntrack_entries 4"},
		"cpufreq garbage":      {"cpufreq", cpu0 + "scaling_cur_freq", "fast\n", `cpu0/cpufreq/scaling_cur_freq: "fast"`, `node_cpu_scaling_frequency_hertz{cpu="0"}`},
		"cpufreq offline":      {"cpufreq", "sys/devices/system/cpu/offline", "a-b\n", "cpu/offline: ", "node_cpu"},
		"edac garbage":         {"edac", mc + "ce_count", "x\n", `mc0/ce_count: "x" is not a number`, "node_edac_correctable"},
		"edac empty":           {"edac", mc + "csrow0/ch0_ue_count", "", `csrow0/ch0_ue_count: "" is not a number`, "node_edac_channel_uncorrectable"},
		"entropy garbage":      {"entropy", "proc/sys/kernel/random/poolsize", "-\n", `random/poolsize: "-" is not a number`, "pool_size"},
		"hwmon garbage":        {"hwmon", hw0 + "temp1_input", "warm\n", `temp1_input: "warm" is not a number`, `node_hwmon_temp_celsius{chip="platform_coretemp_0",sensor="temp1"}`},
		"mdstat empty":         {"mdadm", "proc/mdstat", "", "proc/mdstat: empty", "node_md_blocks"},
		"mdstat cut off":       {"mdadm", "proc/mdstat", "Personalities : [raid1]\nmd0 : act", "proc/mdstat: truncated", "node_md_blocks"},
		"mdstat garbage":       {"mdadm", "proc/mdstat", "garbage\n", "proc/mdstat: line 1:", "node_md_blocks"},
		"mdstat odd":           {"mdadm", "proc/mdstat", "Personalities : [raid1]\nmd0 : active raid1 sda[0]\n      many blocks [1/1] [U]\n\n\n", "proc/mdstat: ", "node_md_blocks"},
		"raid_disks garbage":   {"mdadm", "sys/block/md0/md/raid_disks", "two\n", `md0/md/raid_disks: "two"`, `node_md_raid_disks{device="md0"}`},
		"degraded garbage":     {"mdadm", "sys/block/md0/md/degraded", "\n", `md0/md/degraded: "" is not a number`, `node_md_degraded{device="md0"}`},
		"nvme size":            {"nvme", "sys/class/nvme/nvme0/nvme0n1/size", "big\n", `nvme0n1/size: "big" is not a number`, `node_nvme_namespace_size_bytes{device="nvme0",nsid="1"}`},
		"os empty":             {"os", "root/etc/os-release", "\n", "etc/os-release: empty", "node_os"},
		"os garbage":           {"os", "root/etc/os-release", "ID=a\ngarbage\n", `etc/os-release: line 2: "garbage"`, "node_os"},
		"os quote":             {"os", "root/etc/os-release", "ID=\"a\n", "etc/os-release: line 1:", "node_os"},
		"os date":              {"os", "root/etc/os-release", "ID=a\nSUPPORT_END=soon\n", "etc/os-release: SUPPORT_END:", "node_os"},
		"power supply garbage": {"powersupplyclass", bat + "temp", "warm\n", `BAT0/temp: "warm" is not a number`, "node_power_supply_temp"},
	} {
		t.Run(name, func(t *testing.T) {
			of, dir := hardwareCollector(t, c.collector)
			before, err := updated(t.Context(), t, of)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, c.file)
			whole := string(readFile(t, file))
			writeFile(t, file, c.content)
			said, err := updated(t.Context(), t, of)
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("error %v, want %q", err, c.message)
			}
			if strings.Contains(said, c.without) {
				t.Errorf("%q is said:\n%s", c.without, said)
			}
			writeFile(t, file, whole)
			after, err := updated(t.Context(), t, of)
			if diff := cmp.Diff(before, after); diff != "" || err != nil {
				t.Errorf("error %v, not as before (-before +after):\n%s", err, diff)
			}
		})
	}
}

// TestNoHardware is a machine that has none of it, which is no failure.
func TestNoHardware(t *testing.T) {
	for _, name := range []string{"bonding", "conntrack", "cpufreq", "dmi", "edac", "hwmon", "mdadm", "nvme", "powersupplyclass"} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "proc/1/net/dev"), "")
		writeFile(t, filepath.Join(dir, "sys/devices/system/cpu/cpu0/online"), "1\n")
		c := newTestSet(t, &bytes.Buffer{}, hostArgs(dir, "--collector.disable-defaults", "--collector."+name)...).seats[name].Collector
		if said, err := updated(t.Context(), t, c); err != nil || said != "" {
			t.Errorf("%s: error %v and\n%s", name, err, said)
		}
	}
}

// TestHardwareGone takes devices away: nothing is said of them any more, and they are found again.
func TestHardwareGone(t *testing.T) {
	for name, c := range map[string]struct{ dir, gone string }{
		"edac":             {"sys/devices/system/edac/mc/mc0/csrow1", `csrow="1"`},
		"hwmon":            {"sys/class/hwmon/hwmon2", `chip="acpitz"`},
		"nvme":             {"sys/class/nvme/nvme0/nvme0n1", `nsid="1"`},
		"mdadm":            {"sys/block/md1", `node_md_degraded{device="md1"}`},
		"powersupplyclass": {"sys/class/power_supply/BAT0", "BAT0"},
		"cpufreq":          {"sys/devices/system/cpu/cpu1", `cpu="1"`},
	} {
		t.Run(name, func(t *testing.T) {
			of, dir := hardwareCollector(t, name)
			before, err := updated(t.Context(), t, of)
			if err != nil || !strings.Contains(before, c.gone) {
				t.Fatalf("error %v, want %s in:\n%s", err, c.gone, before)
			}
			here, there := filepath.Join(dir, c.dir), filepath.Join(dir, "away")
			if err := os.Rename(here, there); err != nil {
				t.Fatal(err)
			}
			if said, err := updated(t.Context(), t, of); err != nil || strings.Contains(said, c.gone) {
				t.Errorf("error %v, %s is still in:\n%s", err, c.gone, said)
			}
			if err := os.Rename(there, here); err != nil {
				t.Fatal(err)
			}
			if after, err := updated(t.Context(), t, of); err != nil || after != before {
				t.Errorf("error %v, not as before (-before +after):\n%s", err, cmp.Diff(before, after))
			}
		})
	}
}

func TestHardwareFilters(t *testing.T) {
	for _, c := range []struct{ collector, flag, in, out string }{
		{"arp", "--collector.arp.device-exclude=eth1", `device="eth0"`, `device="eth1"`},
		{"arp", "--collector.arp.device-include=eth1", `device="eth1"`, `device="eth0"`},
		{"hwmon", "--collector.hwmon.chip-include=coretemp", `chip="platform_coretemp_0"`, `chip="acpitz"`},
		{"hwmon", "--collector.hwmon.sensor-exclude=coretemp_0;temp1$", `sensor="temp3"`, `node_hwmon_temp_celsius{chip="platform_coretemp_0",sensor="temp1"}`},
		{"powersupplyclass", "--collector.powersupply.ignored-supplies=^AC$", "BAT0", `"AC"`},
	} {
		of, _ := hardwareCollector(t, c.collector, c.flag)
		if said, err := updated(t.Context(), t, of); err != nil || !strings.Contains(said, c.in) || strings.Contains(said, c.out) {
			t.Errorf("%s: error %v, want %s and not %s in:\n%s", c.flag, err, c.in, c.out, said)
		}
	}
}

// TestConntrackElsewhere counts the host's connections from a pod, whose own count the usual file would be.
func TestConntrackElsewhere(t *testing.T) {
	of, _ := hardwareCollector(t, "conntrack")
	of.(*conntrack).elsewhere = true
	said, err := updated(t.Context(), t, of)
	if want := "node_nf_conntrack_entries 42\n"; err != nil || !strings.Contains(said, want) {
		t.Errorf("error %v, want %s in:\n%s", err, want, said)
	}
}

func TestNamespaceID(t *testing.T) {
	for name, want := range map[string]string{
		"nvme0n1": "1", "nvme12n3": "3", "nvme0c1n2": "2", "nvme0": "", "nvme0n": "", "nvmen1": "", "nvme0cn1": "", "hwmon1": "", "ng0n1": "", "n": "", "": "",
	} {
		if got := string(namespaceID([]byte(name))); got != want {
			t.Errorf("namespaceID(%q) = %q, want %q", name, got, want)
		}
	}
}
