package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type osRelease struct {
	host        Host
	majorMinor  *regexp.Regexp
	last        []byte // the file that the rest was made of
	labels, ids text.Labels
	number      float64 // zero: the version is no number
	end         float64 // zero: no date is given

	info, version, supportEnd *text.Family
}

func declareOS(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &osRelease{
			host: h, majorMinor: regexp.MustCompile(`^[0-9]+\.?[0-9]*`),
			info: text.Gauge("node_os_info", "A metric with a constant '1' value labeled by build_id, id, id_like, image_id, image_version, "+
				"name, pretty_name, variant, variant_id, version, version_codename, version_id."),
			version:    text.Gauge("node_os_version", "Metric containing the major.minor part of the OS version."),
			supportEnd: text.Gauge("node_os_support_end_timestamp_seconds", "Metric containing the end-of-life date timestamp of the OS."),
		}, nil
	}
}

func (c *osRelease) Families() []*text.Family {
	return []*text.Family{c.info, c.supportEnd, c.version}
}

func (c *osRelease) Update(context.Context) error {
	name := "etc/os-release"
	b, err := c.host.readRoot(name)
	if errors.Is(err, fs.ErrNotExist) {
		name = "usr/lib/os-release"
		b, err = c.host.readRoot(name)
	}
	if err != nil {
		return err
	}
	if c.last == nil || !bytes.Equal(b, c.last) {
		c.last = nil
		if err := c.parse(b); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(c.host.Root, name), err)
		}
		c.last = b
	}
	c.info.Put(1, c.labels)
	if c.number > 0 {
		c.version.Put(c.number, c.ids)
	}
	if c.end != 0 {
		c.supportEnd.Add(c.end)
	}
	return nil
}

func (c *osRelease) parse(b []byte) error {
	if len(bytes.TrimSpace(b)) == 0 {
		return errors.New("empty")
	}
	values := map[string]string{}
	for n := 1; len(b) > 0; n++ {
		var line []byte
		line, b = scan.Line(b)
		assignment := strings.TrimSpace(string(line))
		if assignment == "" || assignment[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(assignment, "=")
		if value, ok = unquoted(value, ok); !ok {
			return fmt.Errorf("line %d: %q is not NAME=value", n, assignment)
		}
		values[name] = value
	}
	names := []string{"build_id", "id", "id_like", "image_id", "image_version", "name", "pretty_name", "variant", "variant_id",
		"version", "version_codename", "version_id"}
	said := make([]string, len(names))
	for i, name := range names {
		said[i] = values[strings.ToUpper(name)]
	}
	c.labels = labelsOf(names, said, true)
	c.ids = labelsOf([]string{"id", "id_like", "name"}, []string{values["ID"], values["ID_LIKE"], values["NAME"]}, true)
	c.number, c.end = 0, 0
	if number := c.majorMinor.FindString(values["VERSION_ID"]); number != "" {
		c.number, _ = strconv.ParseFloat(number, 64) // the expression lets only numbers through
	}
	if date := values["SUPPORT_END"]; date != "" {
		end, err := time.Parse(time.DateOnly, date)
		if err != nil {
			return fmt.Errorf("SUPPORT_END: %w", err)
		}
		c.end = float64(end.Unix())
	}
	return nil
}

// unquoted takes the quotes off a value as a shell would. A backslash makes the next character plain in double quotes.
func unquoted(s string, ok bool) (string, bool) {
	if !ok || s == "" || s[0] != '"' && s[0] != '\'' {
		return s, ok
	}
	quote := s[0]
	if len(s) < 2 || s[len(s)-1] != quote {
		return "", false
	}
	s = s[1 : len(s)-1]
	if quote == '\'' || !strings.Contains(s, `\`) {
		return s, true
	}
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\$`, `$`, "\\`", "`").Replace(s), true
}
