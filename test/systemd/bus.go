// Package systemd is a stand-in for systemd on the system's D-Bus, for tests on machines that have neither: a socket that
// speaks D-Bus and answers, with made-up units, what exporters ask.
package systemd

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
)

// A Bus listens on a socket.
type Bus struct {
	Path string

	listener net.Listener
	open     sync.WaitGroup
	mu       sync.Mutex
	conns    map[net.Conn]bool
	units    []Unit
	manager  map[string]any
}

// A Unit is what is said of it, and its properties by interface and name.
type Unit struct {
	Name, Load, Active string
	Properties         map[string]any // "Service.Type"
}

// Start listens on path until Stop.
func Start(path string, manager map[string]any, units []Unit) (*Bus, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	b := &Bus{Path: path, listener: l, conns: map[net.Conn]bool{}, manager: manager, units: units}
	b.open.Go(b.accept)
	return b, nil
}

// Stop closes the socket and every connection, and waits for their end.
func (b *Bus) Stop() {
	_ = b.listener.Close()
	b.mu.Lock()
	for c := range b.conns {
		_ = c.Close()
	}
	b.mu.Unlock()
	b.open.Wait()
}

func (b *Bus) accept() {
	for {
		conn, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.conns[conn] = true
		b.mu.Unlock()
		b.open.Go(func() {
			_ = b.serve(conn) // the client has gone
			_ = conn.Close()
			b.mu.Lock()
			delete(b.conns, conn)
			b.mu.Unlock()
		})
	}
}

func (b *Bus) serve(conn net.Conn) error {
	r := bufio.NewReader(conn)
	if err := authenticate(conn, r); err != nil {
		return err
	}
	for serial := uint32(1); ; serial++ {
		call, err := dbus.DecodeMessage(r)
		if err != nil {
			return err
		}
		if call.Type != dbus.TypeMethodCall || call.Flags&dbus.FlagNoReplyExpected != 0 {
			continue
		}
		var answer bytes.Buffer
		if err := reply(call, b.answer(call)).EncodeTo(&answer, binary.LittleEndian); err != nil {
			return err
		}
		const serialAt = 8 // only a client's connection numbers its messages
		binary.LittleEndian.PutUint32(answer.Bytes()[serialAt:], serial)
		if _, err := conn.Write(answer.Bytes()); err != nil {
			return err
		}
	}
}

// authenticate is the conversation before the messages: whoever says who he is, is believed.
func authenticate(conn net.Conn, r *bufio.Reader) error {
	if zero, err := r.ReadByte(); err != nil || zero != 0 {
		return fmt.Errorf("begins with %d: %w", zero, err)
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		answer := "ERROR"
		switch command, _, _ := strings.Cut(strings.TrimSpace(line), " "); command {
		case "BEGIN":
			return nil
		case "AUTH":
			answer = "REJECTED EXTERNAL"
			if strings.HasPrefix(line, "AUTH EXTERNAL") {
				answer = "OK 00112233445566778899aabbccddeeff"
			}
		}
		if _, err := conn.Write([]byte(answer + "\r\n")); err != nil {
			return err
		}
	}
}

// refusal is an error's name.
type refusal string

func (r refusal) Error() string { return string(r) }

// reply makes the answer to a call out of a value, or of a refusal.
func reply(call *dbus.Message, value any) *dbus.Message {
	answer := &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(call.Serial()), dbus.FieldSender: dbus.MakeVariant("org.freedesktop.systemd1"),
	}}
	var no refusal
	if err, ok := value.(error); ok && errors.As(err, &no) {
		answer.Type = dbus.TypeError
		answer.Headers[dbus.FieldErrorName] = dbus.MakeVariant(string(no))
		value = "refused"
	}
	answer.Body = []any{value}
	answer.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(value))
	return answer
}

const (
	unknownProperty = refusal("org.freedesktop.DBus.Error.UnknownProperty")
	unknownMethod   = refusal("org.freedesktop.DBus.Error.UnknownMethod")
	unknownObject   = refusal("org.freedesktop.DBus.Error.UnknownObject")
)

func (b *Bus) answer(call *dbus.Message) any {
	header := func(f dbus.HeaderField) string { return fmt.Sprint(call.Headers[f].Value()) }
	switch header(dbus.FieldMember) {
	case "Hello":
		return ":1.7"
	case "ListUnits":
		return b.list()
	case "Get":
		if len(call.Body) != 2 {
			return unknownMethod
		}
		kind := strings.TrimPrefix(fmt.Sprint(call.Body[0]), "org.freedesktop.systemd1.")
		return b.property(header(dbus.FieldPath), kind, fmt.Sprint(call.Body[1]))
	}
	return unknownMethod
}

// listed is a unit as ListUnits has it.
type listed struct {
	Name, Description, Load, Active, Sub, Followed string
	Path                                           dbus.ObjectPath
	Job                                            uint32
	JobType                                        string
	JobPath                                        dbus.ObjectPath
}

func (b *Bus) list() []listed {
	var list []listed
	for _, u := range b.units {
		list = append(list, listed{Name: u.Name, Load: u.Load, Active: u.Active, Path: path(u.Name), JobPath: "/"})
	}
	return list
}

func (b *Bus) property(at, kind, name string) any {
	properties := b.manager
	if kind != "Manager" {
		properties = nil
		for _, u := range b.units {
			if string(path(u.Name)) == at {
				properties = u.Properties
			}
		}
		if properties == nil {
			return unknownObject
		}
		name = kind + "." + name
	}
	value, ok := properties[name]
	if !ok {
		return unknownProperty
	}
	if err, ok := value.(error); ok {
		return err
	}
	return dbus.MakeVariant(value)
}

// path is a unit's object: its name with anything but letters and digits as two hexadecimal digits behind an underscore.
func path(unit string) dbus.ObjectPath {
	var escaped strings.Builder
	for i := range len(unit) {
		c := unit[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' && i > 0 {
			escaped.WriteByte(c)
		} else {
			fmt.Fprintf(&escaped, "_%02x", c)
		}
	}
	return dbus.ObjectPath("/org/freedesktop/systemd1/unit/" + escaped.String())
}
