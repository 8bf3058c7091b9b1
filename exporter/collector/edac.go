package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"log/slog"
	"strings"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

const edacDir = "devices/system/edac/mc"

type edac struct {
	host        Host
	dir         *held.Dir
	controllers held.Devices[*edacController]

	correctable, uncorrectable               *text.Family
	rowCorrectable, rowUncorrectable         *text.Family
	channelCorrectable, channelUncorrectable *text.Family
}

// edacController is a memory controller. Errors that could not be traced to a row count for the row "unknown".
type edacController struct {
	name                             string
	dir                              *held.Dir
	labels, unknown                  text.Labels
	correctable, uncorrectable       *held.File
	correctableNoRow, uncorrectNoRow *held.File
	rows                             held.Devices[*edacRow]
}

type edacRow struct {
	dir                        *held.Dir
	labels                     text.Labels
	correctable, uncorrectable *held.File
	channels                   held.Devices[*edacChannel]
}

type edacChannel struct {
	correctable, uncorrectable, dimm *held.File
	last                             string // what dimm last said
	controller, row, name            string
	labels                           text.Labels
}

func declareEdac(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &edac{
			host: h, dir: held.NewDir(h.sys(edacDir)),
			correctable:          text.Counter("node_edac_correctable_errors_total", "Total correctable memory errors.", "controller"),
			uncorrectable:        text.Counter("node_edac_uncorrectable_errors_total", "Total uncorrectable memory errors.", "controller"),
			rowCorrectable:       text.Counter("node_edac_csrow_correctable_errors_total", "Total correctable memory errors for this csrow.", "controller", "csrow"),
			rowUncorrectable:     text.Counter("node_edac_csrow_uncorrectable_errors_total", "Total uncorrectable memory errors for this csrow.", "controller", "csrow"),
			channelCorrectable:   text.Counter("node_edac_channel_correctable_errors_total", "Total correctable memory errors for this channel.", "controller", "csrow", "channel", "dimm_label"),
			channelUncorrectable: text.Counter("node_edac_channel_uncorrectable_errors_total", "Total uncorrectable memory errors for this channel.", "controller", "csrow", "channel", "dimm_label"),
		}, nil
	}
}

func (c *edac) Families() []*text.Family {
	return []*text.Family{c.channelCorrectable, c.channelUncorrectable, c.correctable, c.rowCorrectable, c.rowUncorrectable, c.uncorrectable}
}

func (c *edac) Update(context.Context) error {
	names, err := deviceNames(c.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if numbered(name, "mc") {
			errs = append(errs, c.addController(c.controllers.Get(name, c.open)))
		}
	}
	c.controllers.Sweep((*edacController).close)
	return errors.Join(errs...)
}

// numbered says that name is prefix and a number.
func numbered(name []byte, prefix string) bool {
	digits, ok := bytes.CutPrefix(name, []byte(prefix))
	_, isNumber := scan.Uint(digits)
	return ok && isNumber
}

func (c *edac) open(name string) *edacController {
	file := func(attribute string) *held.File { return c.host.sysFile(edacDir, name, attribute) }
	number := strings.TrimPrefix(name, "mc")
	return &edacController{
		name: name, dir: held.NewDir(c.host.sys(edacDir, name)),
		labels: c.correctable.Labels(number), unknown: c.rowCorrectable.Labels(number, "unknown"),
		correctable: file("ce_count"), uncorrectable: file("ue_count"),
		correctableNoRow: file("ce_noinfo_count"), uncorrectNoRow: file("ue_noinfo_count"),
	}
}

func (m *edacController) close() {
	m.dir.Close()
	closeAll(m.correctable, m.uncorrectable, m.correctableNoRow, m.uncorrectNoRow)
	m.rows.Sweep((*edacRow).close) // twice: the first may end a round that an error cut short
	m.rows.Sweep((*edacRow).close)
}

func (c *edac) addController(m *edacController) error {
	errs := []error{
		putUint(m.correctable, c.correctable, m.labels),
		putUint(m.uncorrectable, c.uncorrectable, m.labels),
		putUint(m.correctableNoRow, c.rowCorrectable, m.unknown),
		putUint(m.uncorrectNoRow, c.rowUncorrectable, m.unknown),
	}
	names, err := m.dir.Names()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, name := range names {
		if numbered(name, "csrow") {
			row := m.rows.Get(name, func(name string) *edacRow { return c.openRow(m, name) })
			errs = append(errs, c.addRow(m, row, name))
		}
	}
	m.rows.Sweep((*edacRow).close)
	return errors.Join(errs...)
}

func putUint(file *held.File, family *text.Family, labels text.Labels) error {
	v, err := file.Uint()
	if err == nil {
		family.Put(float64(v), labels)
	}
	return err
}

func (c *edac) openRow(m *edacController, name string) *edacRow {
	return &edacRow{
		dir:         held.NewDir(c.host.sys(edacDir, m.name, name)),
		labels:      c.rowCorrectable.Labels(strings.TrimPrefix(m.name, "mc"), strings.TrimPrefix(name, "csrow")),
		correctable: c.host.sysFile(edacDir, m.name, name, "ce_count"), uncorrectable: c.host.sysFile(edacDir, m.name, name, "ue_count"),
	}
}

func (r *edacRow) close() {
	r.dir.Close()
	closeAll(r.correctable, r.uncorrectable)
	r.channels.Sweep((*edacChannel).close)
	r.channels.Sweep((*edacChannel).close)
}

func (c *edac) addRow(m *edacController, r *edacRow, row []byte) error {
	errs := []error{putUint(r.correctable, c.rowCorrectable, r.labels), putUint(r.uncorrectable, c.rowUncorrectable, r.labels)}
	names, err := r.dir.Names()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, name := range names {
		channel, ok := bytes.CutSuffix(name, []byte("_ce_count"))
		if !ok || !numbered(channel, "ch") {
			continue
		}
		ch := r.channels.Get(channel, func(name string) *edacChannel { return c.openChannel(m.name, string(row), name) })
		errs = append(errs, c.addChannel(ch))
	}
	r.channels.Sweep((*edacChannel).close)
	return errors.Join(errs...)
}

func (c *edac) openChannel(controller, row, name string) *edacChannel {
	file := func(attribute string) *held.File {
		return c.host.sysFile(edacDir, controller, row, name+attribute)
	}
	return &edacChannel{
		correctable: file("_ce_count"), uncorrectable: file("_ue_count"), dimm: file("_dimm_label"),
		controller: strings.TrimPrefix(controller, "mc"), row: strings.TrimPrefix(row, "csrow"), name: strings.TrimPrefix(name, "ch"),
	}
}

func (ch *edacChannel) close() { closeAll(ch.correctable, ch.uncorrectable, ch.dimm) }

// addChannel reads the label too, which is written to the kernel by a service some time after boot. Few drivers count
// uncorrectable errors by channel.
func (c *edac) addChannel(ch *edacChannel) error {
	label, err := ch.dimm.Text()
	if err != nil {
		label = []byte("unknown")
	}
	if ch.labels == "" || string(label) != ch.last {
		ch.last = string(label)
		ch.labels = c.channelCorrectable.Labels(ch.controller, ch.row, ch.name, dimmLabel(ch.last))
	}
	err = putUint(ch.uncorrectable, c.channelUncorrectable, ch.labels)
	if unsaid(err) {
		err = nil
	}
	return errors.Join(putUint(ch.correctable, c.channelCorrectable, ch.labels), err)
}

// dimmLabel makes mc0_csrow0_channel1 of mc#0csrow#0channel#1, which is what a module is called until it is given a name.
func dimmLabel(s string) string {
	return strings.NewReplacer("#", "", "csrow", "_csrow", "channel", "_channel").Replace(s)
}
