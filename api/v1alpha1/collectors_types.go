package v1alpha1

// CollectorName is the name of a collector, as in node_scrape_collector_success{collector="..."}.
//
// +kubebuilder:validation:Enum=arp;bonding;buddyinfo;cgroups;conntrack;cpu;cpufreq;diskstats;dmi;edac;entropy;ethtool;filefd;filesystem;hwmon;interrupts;ksmd;loadavg;mdadm;meminfo;netclass;netdev;netstat;nfs;nfsd;nvme;os;powersupplyclass;pressure;processes;qdisc;schedstat;selinux;sockstat;softirqs;softnet;stat;systemd;tcpstat;textfile;thermal_zone;time;timex;udp_queues;uname;vmstat;watchdog;xfs;zoneinfo
type CollectorName string

// Collectors says what the exporter collects. A change takes effect within about a minute, which the kubelet needs to
// bring it into the pods, and restarts nothing; only what needs another directory of the host, or no longer needs one,
// is a rolling update.
type Collectors struct {
	// enable names collectors to switch on that are off by default: buddyinfo, cgroups, ethtool and qdisc
	// (which need hostNetwork), interrupts, ksmd, processes, softirqs, systemd, tcpstat, zoneinfo. slabinfo can't be had:
	// /proc/slabinfo is for root alone.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Enable []CollectorName `json:"enable,omitempty"`
	// disable names collectors to switch off.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Disable []CollectorName `json:"disable,omitempty"`
	// disableDefaults switches off every collector that enable does not name.
	// +optional
	DisableDefaults bool `json:"disableDefaults,omitempty"`
	// timeout is how long a scrape waits for a collector before it goes on without it, such as 500ms; 1s if left out.
	// +optional
	Timeout Duration `json:"timeout,omitempty"`
	// maxSeries bounds the series of any one collector; 20000 if left out. What it has more is left out and counted.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	MaxSeries int32 `json:"maxSeries,omitempty"`
	// arp takes in or leaves out network interfaces.
	// +optional
	ARP *DeviceFilter `json:"arp,omitempty"`
	// cpu adds what costs more.
	// +optional
	CPU *CPUCollector `json:"cpu,omitempty"`
	// diskstats takes in or leaves out block devices.
	// +optional
	Diskstats *DeviceFilter `json:"diskstats,omitempty"`
	// ethtool takes in or leaves out network interfaces and their statistics.
	// +optional
	Ethtool *EthtoolCollector `json:"ethtool,omitempty"`
	// filesystem takes in or leaves out file systems.
	// +optional
	Filesystem *FilesystemCollector `json:"filesystem,omitempty"`
	// hwmon takes in or leaves out chips and their sensors.
	// +optional
	Hwmon *HwmonCollector `json:"hwmon,omitempty"`
	// netclass leaves out network interfaces.
	// +optional
	Netclass *NetclassCollector `json:"netclass,omitempty"`
	// netdev takes in or leaves out network interfaces.
	// +optional
	Netdev *DeviceFilter `json:"netdev,omitempty"`
	// netstat chooses the fields of /proc/net/netstat and /proc/net/snmp.
	// +optional
	Netstat *FieldsCollector `json:"netstat,omitempty"`
	// qdisc takes in or leaves out network interfaces.
	// +optional
	Qdisc *DeviceFilter `json:"qdisc,omitempty"`
	// stat adds what costs more.
	// +optional
	Stat *StatCollector `json:"stat,omitempty"`
	// systemd takes in or leaves out units.
	// +optional
	Systemd *SystemdCollector `json:"systemd,omitempty"`
	// textfile collects what others leave in files.
	// +optional
	Textfile *TextfileCollector `json:"textfile,omitempty"`
	// vmstat chooses the fields of /proc/vmstat.
	// +optional
	Vmstat *FieldsCollector `json:"vmstat,omitempty"`
}

// Regexp is an RE2 expression. It is not anchored unless said otherwise, and it replaces the exporter's default.
//
// +kubebuilder:validation:MaxLength=1024
type Regexp string

// FilesystemCollector says which file systems are collected. Without any of these, those of
// containers and of the kernel itself are left out.
type FilesystemCollector struct {
	// mountPointsInclude takes in these mount points, as the host sees them, and no others. It excludes mountPointsExclude.
	// +optional
	MountPointsInclude Regexp `json:"mountPointsInclude,omitempty"`
	// mountPointsExclude leaves out these mount points, as the host sees them.
	// +optional
	MountPointsExclude Regexp `json:"mountPointsExclude,omitempty"`
	// fsTypesInclude takes in these file system types and no others. It excludes fsTypesExclude.
	// +optional
	FSTypesInclude Regexp `json:"fsTypesInclude,omitempty"`
	// fsTypesExclude leaves out these file system types.
	// +optional
	FSTypesExclude Regexp `json:"fsTypesExclude,omitempty"`
}

// DeviceFilter says which devices are collected. Without any of these, the network interfaces that containers make are
// left out, and the partitions of disks.
type DeviceFilter struct {
	// deviceInclude takes in the devices of these names and no others. It excludes deviceExclude.
	// +optional
	DeviceInclude Regexp `json:"deviceInclude,omitempty"`
	// deviceExclude leaves out the devices of these names.
	// +optional
	DeviceExclude Regexp `json:"deviceExclude,omitempty"`
}

// HwmonCollector says which chips and sensors are collected.
type HwmonCollector struct {
	// chipInclude takes in these chips and no others. It excludes chipExclude.
	// +optional
	ChipInclude Regexp `json:"chipInclude,omitempty"`
	// chipExclude leaves out these chips.
	// +optional
	ChipExclude Regexp `json:"chipExclude,omitempty"`
	// sensorInclude takes in these sensors, named CHIP;SENSOR, and no others. It excludes sensorExclude.
	// +optional
	SensorInclude Regexp `json:"sensorInclude,omitempty"`
	// sensorExclude leaves out these sensors, named CHIP;SENSOR.
	// +optional
	SensorExclude Regexp `json:"sensorExclude,omitempty"`
}

// EthtoolCollector says which network interfaces are asked for statistics, and for which.
type EthtoolCollector struct {
	DeviceFilter `json:",inline"`
	// metricsInclude takes in the statistics of these names and no others.
	// +optional
	MetricsInclude Regexp `json:"metricsInclude,omitempty"`
}

// SystemdCollector says which units are collected. Both expressions must match the whole name; a unit that both match is
// left out.
type SystemdCollector struct {
	// unitInclude takes in the units of these names and no others.
	// +optional
	UnitInclude Regexp `json:"unitInclude,omitempty"`
	// unitExclude leaves out the units of these names; automounts, devices, mounts, scopes and slices if left out.
	// +optional
	UnitExclude Regexp `json:"unitExclude,omitempty"`
}

// NetclassCollector says which network interfaces are collected.
type NetclassCollector struct {
	// deviceExclude leaves out the interfaces of these names.
	// +optional
	DeviceExclude Regexp `json:"deviceExclude,omitempty"`
}

// FieldsCollector says which fields are collected.
type FieldsCollector struct {
	// fields are those whose names match.
	// +optional
	Fields Regexp `json:"fields,omitempty"`
}

// CPUCollector says what more is collected of each CPU.
type CPUCollector struct {
	// info adds node_cpu_info: model, microcode and the like.
	// +optional
	Info bool `json:"info,omitempty"`
}

// StatCollector says what more is collected of /proc/stat.
type StatCollector struct {
	// softirq adds node_softirqs_total for each vector.
	// +optional
	Softirq bool `json:"softirq,omitempty"`
}

// TextfileCollector says where others leave metrics in files.
type TextfileCollector struct {
	// directory of the host, in which files NAME.prom are read. Nothing is written there, and it may be missing on some
	// nodes. Files and directory must be readable for all, since the exporter is not root.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^(/[A-Za-z0-9_.@:-]+)+$') && !self.contains('/..')",message="directory is an absolute path on the host, such as /var/lib/node_exporter"
	Directory string `json:"directory,omitempty"`
}
