package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// tree is a made-up node: the files that the collectors read, below dir, with numbers of the usual length.
type tree struct {
	dir                             string
	cpus, interfaces, disks, mounts int
}

func (t *tree) write() error {
	files := map[string]string{
		"proc/loadavg":        "0.52 0.61 0.70 2/1234 98765\n",
		"proc/sys/fs/file-nr": "9120\t0\t9223372036854775807\n",
		"proc/meminfo":        meminfo(),
		"proc/vmstat":         vmstat(),
		"proc/stat":           t.stat(),
		"proc/diskstats":      t.diskstats(),
		"proc/net/dev":        t.netdev(),
		"proc/net/netstat":    table("TcpExt", 110) + table("IpExt", 18) + table("MPTcpExt", 60),
		"proc/net/snmp":       table("Ip", 19) + table("Icmp", 29) + table("Tcp", 15) + table("Udp", 9) + table("UdpLite", 9),
		"proc/net/snmp6":      snmp6(),
		"proc/net/sockstat":   "sockets: used 1229\nTCP: inuse 104 orphan 0 tw 44 alloc 317 mem 31\nUDP: inuse 12 mem 3\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n",
		"proc/net/sockstat6":  "TCP6: inuse 17\nUDP6: inuse 9\nUDPLITE6: inuse 0\nRAW6: inuse 1\nFRAG6: inuse 0 memory 0\n",
		"proc/1/mountinfo":    t.mountinfo(),
		"root/etc/hostname":   "bench\n",
		"sys/block/.keep":     "",
		"udev/.keep":          "",
		"sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet acpi_pm\n",
		"sys/devices/system/clocksource/clocksource0/current_clocksource":   "tsc\n",
		"sys/devices/system/cpu/isolated":                                   "\n",
	}
	t.addCPUs(files)
	t.addInterfaces(files)
	t.addDisks(files)
	for path, content := range files {
		path = filepath.Join(t.dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	for i := range t.mounts {
		if err := os.MkdirAll(filepath.Join(t.dir, "root", mountPoint(i)), 0o755); err != nil {
			return err
		}
	}
	// Ours asks for process 1's network; node_exporter's /proc/net is the same here.
	return os.Symlink("../net", filepath.Join(t.dir, "proc/1/net"))
}

func numbers(n, seed int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " %d", (i+1)*7919*seed+i)
	}
	return b.String()
}

func (t *tree) stat() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cpu %s\n", numbers(10, 104729))
	for i := range t.cpus {
		fmt.Fprintf(&b, "cpu%d%s\n", i, numbers(10, 1000+i))
	}
	fmt.Fprintf(&b, "intr 123456789%s\nctxt 987654321\nbtime 1700000000\nprocesses 1234567\nprocs_running 3\nprocs_blocked 0\nsoftirq 4567890%s\n",
		numbers(20*min(t.cpus, 40), 3), numbers(10, 31))
	return b.String()
}

func (t *tree) diskstats() string {
	var b strings.Builder
	for i := range t.disks {
		fmt.Fprintf(&b, "   8 %7d sd%s%s\n", i*16, diskName(i), numbers(17, 100+i))
	}
	return b.String()
}

func diskName(i int) string { return string(rune('a'+i/26)) + string(rune('a'+i%26)) }

func (t *tree) netdev() string {
	var b strings.Builder
	b.WriteString("Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n")
	for i := range t.interfaces {
		fmt.Fprintf(&b, "  eth%d:%s\n", i, numbers(16, 200+i))
	}
	return b.String()
}

func (t *tree) mountinfo() string {
	var b strings.Builder
	for i := range t.mounts {
		fmt.Fprintf(&b, "%d 1 8:%d / %s rw,relatime shared:%d - ext4 /dev/sd%d rw\n", 100+i, i, mountPoint(i), i, i)
	}
	return b.String()
}

func mountPoint(i int) string {
	if i == 0 {
		return "/"
	}
	return fmt.Sprintf("/var/lib/kubelet/pods/%08x/volumes/data-%d", i*2654435761, i)
}

func (t *tree) addCPUs(files map[string]string) {
	for i := range t.cpus {
		dir := fmt.Sprintf("sys/devices/system/cpu/cpu%d/", i)
		files[dir+"online"] = "1\n"
		files[dir+"topology/core_id"] = fmt.Sprintln(i / 2)
		files[dir+"topology/physical_package_id"] = "0\n"
		files[dir+"thermal_throttle/core_throttle_count"] = fmt.Sprintln(i)
		files[dir+"thermal_throttle/package_throttle_count"] = "12\n"
	}
}

func (t *tree) addInterfaces(files map[string]string) {
	for i := range t.interfaces {
		dir := fmt.Sprintf("sys/class/net/eth%d/", i)
		for name, content := range map[string]string{
			"addr_assign_type": "3", "addr_len": "6", "address": "02:42:ac:11:00:02", "broadcast": "ff:ff:ff:ff:ff:ff", "carrier": "1",
			"carrier_changes": "2", "carrier_down_count": "1", "carrier_up_count": "1", "dev_id": "0x0", "dormant": "0", "duplex": "full",
			"flags": "0x1003", "ifalias": "", "ifindex": fmt.Sprint(i + 1), "iflink": fmt.Sprint(i + 1), "link_mode": "0", "mtu": "1500",
			"name_assign_type": "4", "netdev_group": "0", "operstate": "up", "speed": "10000", "tx_queue_len": "1000", "type": "1",
			"statistics/rx_nohandler": "0",
		} {
			files[dir+name] = content + "\n"
		}
	}
}

func (t *tree) addDisks(files map[string]string) {
	for i := range t.disks {
		name := "sd" + diskName(i)
		files["sys/block/"+name+"/queue/rotational"] = "0\n"
		files["sys/block/"+name+"/stat"] = numbers(17, 100+i) + "\n"
		files[fmt.Sprintf("udev/b8:%d", i*16)] = fmt.Sprintf("S:disk/by-id/x%d\nW:1\nI:123456\nE:ID_MODEL=Model_%d\nE:ID_SERIAL=Model_S%d\nE:ID_SERIAL_SHORT=S%d\nE:ID_REVISION=1\nE:ID_PATH=pci-0000:00:1f.2-ata-%d\nE:ID_WWN=0x5000%d\nG:systemd\n", i, i, i, i, i, i)
	}
}

func table(protocol string, n int) string {
	var names strings.Builder
	known := map[string]string{
		"TcpExt": "SyncookiesSent SyncookiesRecv SyncookiesFailed ListenOverflows ListenDrops TCPTimeouts TCPSynRetrans TCPRcvQDrop TCPOFOQueue",
		"IpExt":  "InOctets OutOctets", "Ip": "Forwarding", "Icmp": "InMsgs InErrors OutMsgs",
		"Tcp": "ActiveOpens PassiveOpens CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts", "Udp": "InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors",
		"UdpLite": "InErrors",
	}
	fields := strings.Fields(known[protocol])
	for i := range n {
		if i < len(fields) {
			names.WriteString(" " + fields[i])
		} else {
			fmt.Fprintf(&names, " SomeOtherField%d", i)
		}
	}
	return protocol + ":" + names.String() + "\n" + protocol + ":" + numbers(n, 5) + "\n"
}

func snmp6() string {
	var b strings.Builder
	for i, name := range strings.Fields("Ip6InOctets Ip6OutOctets Icmp6InMsgs Icmp6InErrors Icmp6OutMsgs Udp6InDatagrams Udp6NoPorts Udp6InErrors Udp6OutDatagrams Udp6RcvbufErrors Udp6SndbufErrors UdpLite6InErrors") {
		fmt.Fprintf(&b, "%-32s\t%d\n", name, i*7919)
	}
	for i := range 80 {
		fmt.Fprintf(&b, "%-32s\t%d\n", fmt.Sprintf("Ip6SomeOtherField%d", i), i*7919)
	}
	return b.String()
}

func meminfo() string {
	var b strings.Builder
	for i, name := range strings.Fields("MemTotal MemFree MemAvailable Buffers Cached SwapCached Active Inactive Active(anon) Inactive(anon) Active(file) Inactive(file) Unevictable Mlocked SwapTotal SwapFree Zswap Zswapped Dirty Writeback AnonPages Mapped Shmem KReclaimable Slab SReclaimable SUnreclaim KernelStack PageTables NFS_Unstable Bounce WritebackTmp CommitLimit Committed_AS VmallocTotal VmallocUsed VmallocChunk Percpu HardwareCorrupted AnonHugePages ShmemHugePages ShmemPmdMapped FileHugePages CmaTotal CmaFree DirectMap4k DirectMap2M DirectMap1G Hugepagesize") {
		fmt.Fprintf(&b, "%-16s %8d kB\n", name+":", (i+1)*123457)
	}
	b.WriteString("HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugePages_Surp:        0\n")
	return b.String()
}

func vmstat() string {
	var b strings.Builder
	for i, name := range strings.Fields("pgpgin pgpgout pswpin pswpout pgfault pgmajfault oom_kill") {
		fmt.Fprintf(&b, "%s %d\n", name, i*7919)
	}
	for i := range 170 {
		fmt.Fprintf(&b, "nr_some_other_field_%d %d\n", i, i*104729)
	}
	return b.String()
}
