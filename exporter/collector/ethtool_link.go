package collector

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

// ethtoolLinks says what a link can do and what it offers the other side.
type ethtoolLinks struct {
	supported, advertised ethtoolModes
	ports, negotiates     *text.Family
}

type ethtoolModes struct {
	speeds, negotiation, pause, asymmetric *text.Family
}

func newEthtoolLinks() ethtoolLinks {
	modes := func(of, speeds, does, pause string) ethtoolModes {
		gauge := func(name, help string) *text.Family { return text.Gauge("node_network_"+name, help, "device") }
		return ethtoolModes{
			speeds:      text.Gauge("node_network_"+of+"_speed_bytes", "Combination of speeds and features "+speeds+" by network device", "device", "duplex", "mode"),
			negotiation: gauge("autonegotiate_"+of, "If this port device "+does+" autonegotiate"),
			pause:       gauge("pause_"+of, "If this port device "+does+" pause "+pause),
			asymmetric:  gauge("asymmetricpause_"+of, "If this port device "+does+" asymmetric pause "+pause),
		}
	}
	return ethtoolLinks{
		supported: modes("supported", "supported", "supports", "frames"), advertised: modes("advertised", "offered", "offers", "capability"),
		ports:      text.Gauge("node_network_supported_port_info", "Type of ports or PHYs supported by network device", "device", "type"),
		negotiates: text.Gauge("node_network_autonegotiate", "If this port is using autonegotiate", "device"),
	}
}

func (l *ethtoolLinks) families() []*text.Family {
	families := []*text.Family{l.ports, l.negotiates}
	for _, m := range []ethtoolModes{l.supported, l.advertised} {
		families = append(families, m.speeds, m.negotiation, m.pause, m.asymmetric)
	}
	return families
}

func (l *ethtoolLinks) add(device string, labels text.Labels, link ethtoolLink) {
	l.supported.add(device, labels, link.supported)
	l.advertised.add(device, labels, link.advertised)
	for _, port := range []struct {
		name string
		bit  int
	}{
		{"TP", unix.ETHTOOL_LINK_MODE_TP_BIT}, {"AUI", unix.ETHTOOL_LINK_MODE_AUI_BIT}, {"MII", unix.ETHTOOL_LINK_MODE_MII_BIT},
		{"FIBRE", unix.ETHTOOL_LINK_MODE_FIBRE_BIT}, {"BNC", unix.ETHTOOL_LINK_MODE_BNC_BIT}, {"Backplane", unix.ETHTOOL_LINK_MODE_Backplane_BIT},
	} {
		if link.supported>>port.bit&1 == 1 {
			l.ports.Add(1, device, port.name)
		}
	}
	l.negotiates.Put(truth(link.autonegotiates), labels)
}

func (m *ethtoolModes) add(device string, labels text.Labels, modes uint32) {
	has := func(bit int) bool { return modes>>bit&1 == 1 }
	for _, s := range ethtoolSpeeds() {
		if has(s.bit) {
			m.speeds.Add(float64(s.mbits)*1e6/8, device, s.duplex, fmt.Sprintf("%dbase%s", s.mbits, s.kind))
		}
	}
	m.negotiation.Put(truth(has(unix.ETHTOOL_LINK_MODE_Autoneg_BIT)), labels)
	m.pause.Put(truth(has(unix.ETHTOOL_LINK_MODE_Pause_BIT)), labels)
	m.asymmetric.Put(truth(has(unix.ETHTOOL_LINK_MODE_Asym_Pause_BIT)), labels)
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

type ethtoolSpeed struct {
	bit, mbits   int
	duplex, kind string
}

// ethtoolSpeeds are the modes that the old request can say, which is the one that node_exporter uses: up to bit 31.
func ethtoolSpeeds() []ethtoolSpeed {
	return []ethtoolSpeed{
		{unix.ETHTOOL_LINK_MODE_10baseT_Half_BIT, 10, "half", "T"},
		{unix.ETHTOOL_LINK_MODE_10baseT_Full_BIT, 10, "full", "T"},
		{unix.ETHTOOL_LINK_MODE_100baseT_Half_BIT, 100, "half", "T"},
		{unix.ETHTOOL_LINK_MODE_100baseT_Full_BIT, 100, "full", "T"},
		{unix.ETHTOOL_LINK_MODE_1000baseT_Half_BIT, 1000, "half", "T"},
		{unix.ETHTOOL_LINK_MODE_1000baseT_Full_BIT, 1000, "full", "T"},
		{unix.ETHTOOL_LINK_MODE_10000baseT_Full_BIT, 10000, "full", "T"},
		{unix.ETHTOOL_LINK_MODE_1000baseKX_Full_BIT, 1000, "full", "KX"},
		{unix.ETHTOOL_LINK_MODE_10000baseKX4_Full_BIT, 10000, "full", "KX4"},
		{unix.ETHTOOL_LINK_MODE_10000baseKR_Full_BIT, 10000, "full", "KR"},
		{unix.ETHTOOL_LINK_MODE_10000baseR_FEC_BIT, 10000, "full", "R_FEC"},
		{unix.ETHTOOL_LINK_MODE_20000baseMLD2_Full_BIT, 20000, "full", "MLD2"},
		{unix.ETHTOOL_LINK_MODE_20000baseKR2_Full_BIT, 20000, "full", "KR2"},
		{unix.ETHTOOL_LINK_MODE_40000baseKR4_Full_BIT, 40000, "full", "KR4"},
		{unix.ETHTOOL_LINK_MODE_40000baseCR4_Full_BIT, 40000, "full", "CR4"},
		{unix.ETHTOOL_LINK_MODE_40000baseSR4_Full_BIT, 40000, "full", "SR4"},
		{unix.ETHTOOL_LINK_MODE_40000baseLR4_Full_BIT, 40000, "full", "LR4"},
		{unix.ETHTOOL_LINK_MODE_56000baseKR4_Full_BIT, 56000, "full", "KR4"},
		{unix.ETHTOOL_LINK_MODE_56000baseCR4_Full_BIT, 56000, "full", "CR4"},
		{unix.ETHTOOL_LINK_MODE_56000baseSR4_Full_BIT, 56000, "full", "SR4"},
		{unix.ETHTOOL_LINK_MODE_56000baseLR4_Full_BIT, 56000, "full", "LR4"},
		{unix.ETHTOOL_LINK_MODE_25000baseCR_Full_BIT, 25000, "full", "CR"},
	}
}
