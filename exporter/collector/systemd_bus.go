package collector

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
)

const (
	systemdName    = "org.freedesktop.systemd1"
	systemdManager = systemdName + ".Manager"
	systemdObject  = "/org/freedesktop/systemd1"
	getProperty    = "org.freedesktop.DBus.Properties.Get"
)

// systemdBus is a connection to systemd, for one scrape.
type systemdBus struct {
	path  string // of the socket
	ctx   context.Context
	conn  *dbus.Conn
	asked []systemdQuestion
	errs  []error
}

// A systemdQuestion waits for its answer.
type systemdQuestion struct {
	*dbus.Call
	what string
	take func(any) error
}

// systemdSocket is where systemd, or the bus that it is on, listens.
func systemdSocket(h Host, private bool) (string, error) {
	switch {
	case private:
		return filepath.Join(h.Root, "run/systemd/private"), nil
	case h.mounted():
		return filepath.Join(h.Root, "run/dbus/system_bus_socket"), nil
	}
	const variable, fallback = "DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/var/run/dbus/system_bus_socket"
	address := os.Getenv(variable)
	if address == "" {
		address = fallback
	}
	path, ok := strings.CutPrefix(address, "unix:path=")
	if path, _, _ = strings.Cut(path, ","); !ok {
		return "", fmt.Errorf("%s: %q does not begin with unix:path=", variable, address)
	}
	return path, nil
}

// dialSystemd connects and says who we are. Whatever is asked ends with ctx.
func dialSystemd(ctx context.Context, h Host, private bool) (*systemdBus, error) {
	path, err := systemdSocket(h, private)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	socket, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		_ = socket.SetDeadline(end) // a Unix socket takes it
	}
	conn, err := dbus.NewConn(socket, dbus.WithContext(ctx))
	if err != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b := &systemdBus{path: path, ctx: ctx, conn: conn}
	err = conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Geteuid()))})
	if err == nil && !private {
		err = conn.Hello()
	}
	if err != nil {
		b.close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

func (b *systemdBus) close() { _ = b.conn.Close() }

func (b *systemdBus) units() ([]systemdUnit, error) {
	var units []systemdUnit
	call := b.conn.Object(systemdName, systemdObject).CallWithContext(b.ctx, systemdManager+".ListUnits", 0)
	if err := call.Store(&units); err != nil {
		return nil, fmt.Errorf("%s: list the units: %w", b.path, err)
	}
	return units, nil
}

// managerText is a property of systemd's own. known is false where this systemd has none such.
func (b *systemdBus) managerText(property string) (value string, known bool, err error) {
	var answer dbus.Variant
	err = b.conn.Object(systemdName, systemdObject).CallWithContext(b.ctx, getProperty, 0, systemdManager, property).Store(&answer)
	if systemdLacks(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("%s: %s: %w", b.path, property, err)
	}
	value, ok := answer.Value().(string)
	if !ok {
		return "", false, fmt.Errorf("%s: %s: %s is not a text", b.path, property, answer)
	}
	return value, true, nil
}

// text asks for a property of a unit; without one it is empty.
func (b *systemdBus) text(u *systemdUnit, kind, property string, take func(string)) {
	b.ask(u, kind, property, func(v any) error {
		s, ok := v.(string)
		if !ok && v != nil {
			return fmt.Errorf("%v is not a text", v)
		}
		take(s)
		return nil
	})
}

// number asks for a property of a unit; without one nothing is taken.
func (b *systemdBus) number(u *systemdUnit, kind, property string, take func(float64)) {
	b.ask(u, kind, property, func(v any) error {
		switch n := v.(type) {
		case nil:
		case uint32:
			take(float64(n))
		case uint64:
			take(float64(n))
		default:
			return fmt.Errorf("%v is not a number", v)
		}
		return nil
	})
}

// ask sends a question. A bus allows no more than 128 of one connection's without an answer.
func (b *systemdBus) ask(u *systemdUnit, kind, property string, take func(any) error) {
	const most = 64
	if len(b.asked) == most {
		b.listen()
	}
	call := b.conn.Object(systemdName, u.Path).GoWithContext(b.ctx, getProperty, 0, make(chan *dbus.Call, 1), systemdName+"."+kind, property)
	b.asked = append(b.asked, systemdQuestion{call, u.Name + ": " + property, take})
}

// listen waits for the answers to what was asked.
func (b *systemdBus) listen() {
	for _, q := range b.asked {
		if err := b.hear(q); err != nil {
			b.errs = append(b.errs, fmt.Errorf("%s: %s: %w", b.path, q.what, err))
			if b.ctx.Err() != nil || errors.Is(err, dbus.ErrClosed) { // the same for all the rest
				break
			}
		}
	}
	b.asked = b.asked[:0]
}

func (b *systemdBus) hear(q systemdQuestion) error {
	select {
	case <-q.Done:
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
	var answer dbus.Variant
	err := q.Store(&answer)
	if err != nil && !systemdLacks(err) {
		return err
	}
	return q.take(answer.Value()) // nil where there is none
}

// answers waits for the rest, and returns what went wrong with any.
func (b *systemdBus) answers() error {
	b.listen()
	return errors.Join(b.errs...)
}

// systemdLacks says that there is no such property: an old systemd knows less, and a unit may have gone since it was
// listed.
func systemdLacks(err error) bool {
	var refusal dbus.Error
	if !errors.As(err, &refusal) {
		return false
	}
	switch refusal.Name {
	case "org.freedesktop.DBus.Error.UnknownProperty", "org.freedesktop.DBus.Error.UnknownInterface", "org.freedesktop.DBus.Error.UnknownObject",
		"org.freedesktop.DBus.Error.UnknownMethod", "org.freedesktop.systemd1.NoSuchUnit":
		return true
	}
	return false
}
