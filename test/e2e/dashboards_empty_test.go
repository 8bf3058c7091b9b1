package e2e

// What may have no answer on the ground of TestDashboards, and why. Each entry is checked: see (*asked).entry.

const (
	noCluster      = "nobody sends to this server, so its series have no label cluster"
	nothingWrong   = "nothing is wrong"
	oneAlone       = "an Alertmanager alone has no cluster"
	noRemote       = "this server sends its samples nowhere"
	noSystemd      = "the collector systemd is off by default"
	noSuchHardware = "not every machine has such hardware, and virtual ones have hardly any"
	noSuchKernel   = "not every kernel is built with it"
)

// emptyPanels are of dashboards, by uid, panel and letter of the query, or variable.
var emptyPanels = map[string]expected{
	"hearth-nodes: $cluster":                     {noCluster, never},
	"hearth-node: $cluster":                      {noCluster, never},
	"hearth-workloads: $cluster":                 {noCluster, never},
	"hearth-alerts: $cluster":                    {noCluster, never},
	"hearth-prometheus: $cluster":                {noCluster, never},
	"hearth-operator: $cluster":                  {noCluster, never},
	"hearth-node: Temperature A":                 {noSuchHardware, sometimes},
	"hearth-workloads: Held back A":              {"no container has to have a CPU limit", sometimes},
	"hearth-workloads: Restarts A":               {nothingWrong, faults},
	"hearth-workloads: Written to disk A":        {"the local node's cgroups do not count what is written", sometimes},
	"hearth-alerts: Members of the cluster A":    {oneAlone, never},
	"hearth-alerts: Notifications that failed A": {nothingWrong, faults},
	"hearth-prometheus: Targets down A":          {nothingWrong, faults},
	"hearth-operator: Time of the webhook A":     {"the webhook leaves out the namespaces of these tests, but for one of them", sometimes},
}

// emptyRules are selectors of the shipped rules, and what they record, by the name of the AlertRule.
var emptyRules = map[string]expected{
	`alertmanager: alertmanager_cluster_members{job="alertmanager"}`:               {oneAlone, never},
	`alertmanager: job_integration:alertmanager_notifications_failed:ratio_rate5m`: {"while nobody is told nothing can fail", sometimes},
	`kubernetes: coredns_dns_responses_total{job="coredns",rcode="SERVFAIL"}`:      {nothingWrong, faults},
	`hardware: node_bonding_active{job="node-exporter"}`:                           {noSuchHardware, sometimes},
	`hardware: node_bonding_slaves{job="node-exporter"}`:                           {noSuchHardware, sometimes},
	`hardware: node_edac_correctable_errors_total{job="node-exporter"}`:            {noSuchHardware, sometimes},
	`hardware: node_edac_uncorrectable_errors_total{job="node-exporter"}`:          {noSuchHardware, sometimes},
	`hardware: node_hwmon_temp_celsius{job="node-exporter"}`:                       {noSuchHardware, sometimes},
	`hardware: node_hwmon_temp_crit_celsius{job="node-exporter"}`:                  {noSuchHardware, sometimes},
	`hardware: node_md_disks_required{job="node-exporter"}`:                        {noSuchHardware, sometimes},
	`hardware: node_md_disks{job="node-exporter",state="active"}`:                  {noSuchHardware, sometimes},
	`hardware: node_systemd_unit_state{job="node-exporter",state="failed"}`:        {noSystemd, never},
	`kubernetes: apiserver_request_total{code=~"5..",job="apiserver"}`:             {nothingWrong, faults},

	`remote-write: prometheus_remote_storage_queue_highest_sent_timestamp_seconds`:            {noRemote, never},
	`remote-write: prometheus_remote_storage_samples_pending`:                                 {noRemote, never},
	`remote-write: {__name__=~"prometheus_remote_storage_(samples|histograms)_failed_total"}`: {noRemote, never},
}

// absentHere are series for people's dashboards that this machine does not have.
var absentHere = map[string]expected{
	`node_bonding_active{job="node-exporter",instance!=""}`:                        {noSuchHardware, sometimes},
	`node_bonding_slaves{job="node-exporter",instance!=""}`:                        {noSuchHardware, sometimes},
	`node_cooling_device_cur_state{job="node-exporter",name!="",type!=""}`:         {noSuchHardware, sometimes},
	`node_cooling_device_max_state{job="node-exporter",name!="",type!=""}`:         {noSuchHardware, sometimes},
	`node_cpu_core_throttles_total{job="node-exporter",cpu!=""}`:                   {noSuchHardware, sometimes},
	`node_cpu_scaling_frequency_hertz{job="node-exporter",cpu!=""}`:                {noSuchHardware, sometimes},
	`node_cpu_scaling_frequency_max_hertz{job="node-exporter",cpu!=""}`:            {noSuchHardware, sometimes},
	`node_cpu_scaling_frequency_min_hertz{job="node-exporter",cpu!=""}`:            {noSuchHardware, sometimes},
	`node_edac_correctable_errors_total{job="node-exporter",instance!=""}`:         {noSuchHardware, sometimes},
	`node_edac_uncorrectable_errors_total{job="node-exporter",instance!=""}`:       {noSuchHardware, sometimes},
	`node_hwmon_chip_names{job="node-exporter",chip!="",chip_name!=""}`:            {noSuchHardware, sometimes},
	`node_hwmon_fan_rpm{job="node-exporter",chip!="",sensor!=""}`:                  {noSuchHardware, sometimes},
	`node_hwmon_temp_celsius{job="node-exporter",chip!="",sensor!=""}`:             {noSuchHardware, sometimes},
	`node_hwmon_temp_crit_alarm_celsius{job="node-exporter",chip!="",sensor!=""}`:  {noSuchHardware, sometimes},
	`node_hwmon_temp_crit_celsius{job="node-exporter",chip!="",sensor!=""}`:        {noSuchHardware, sometimes},
	`node_hwmon_temp_max_celsius{job="node-exporter",chip!="",sensor!=""}`:         {noSuchHardware, sometimes},
	`node_md_disks_required{job="node-exporter",instance!=""}`:                     {noSuchHardware, sometimes},
	`node_memory_HardwareCorrupted_bytes{job="node-exporter",instance!=""}`:        {noSuchKernel, sometimes},
	`node_power_supply_online{job="node-exporter",power_supply!=""}`:               {noSuchHardware, sometimes},
	`node_pressure_irq_stalled_seconds_total{job="node-exporter",instance!=""}`:    {noSuchKernel, sometimes},
	`node_schedstat_running_seconds_total{job="node-exporter",cpu!=""}`:            {noSuchKernel, sometimes},
	`node_schedstat_timeslices_total{job="node-exporter",cpu!=""}`:                 {noSuchKernel, sometimes},
	`node_schedstat_waiting_seconds_total{job="node-exporter",cpu!=""}`:            {noSuchKernel, sometimes},
	`node_systemd_socket_accepted_connections_total{job="node-exporter",name!=""}`: {noSystemd, never},
	`node_systemd_units{job="node-exporter",state="active"}`:                       {noSystemd, never},
	`node_systemd_units{job="node-exporter",state="failed"}`:                       {noSystemd, never},
}
