package collector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// What linux/rtnetlink.h and linux/gen_stats.h say about a queueing discipline (struct tcmsg and its attributes).
const (
	tcmsgLength = 20
	tcmIfindex  = 4
	tcmParent   = 12

	tcaKind   = 1
	tcaStats2 = 7

	tcaStatsBasic = 1
	tcaStatsQueue = 3
)

// askQueues has the kernel list the queueing disciplines of this process's network.
func askQueues() ([]queue, error) {
	answer, err := dumpQueues()
	if err != nil {
		return nil, fmt.Errorf("netlink: RTM_GETQDISC: %w", err)
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	names := map[uint32]string{}
	for _, i := range interfaces {
		names[uint32(i.Index)] = i.Name
	}
	var queues []queue
	for _, data := range answer {
		q, index, err := parseQueue(data)
		if err != nil {
			return nil, fmt.Errorf("netlink: RTM_NEWQDISC: %w", err)
		}
		if q.IfaceName = names[index]; q.IfaceName != "" { // else the interface went in between
			queues = append(queues, q)
		}
	}
	return queues, nil
}

// dumpQueues returns the payload of each message of the answer.
func dumpQueues() ([][]byte, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer func() { _ = unix.Close(fd) }()

	request := make([]byte, unix.SizeofNlMsghdr+tcmsgLength)
	binary.NativeEndian.PutUint32(request[0:], uint32(len(request)))
	binary.NativeEndian.PutUint16(request[4:], unix.RTM_GETQDISC)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("sendto", err)
	}
	var answer [][]byte
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("recvfrom", err)
		}
		messages, err := syscall.ParseNetlinkMessage(append([]byte(nil), buf[:n]...))
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return answer, nil
			case unix.NLMSG_ERROR:
				return nil, netlinkError(m.Data)
			default:
				answer = append(answer, m.Data)
			}
		}
	}
}

func netlinkError(data []byte) error {
	if len(data) < 4 {
		return errors.New("an error without a number")
	}
	return unix.Errno(-int32(binary.NativeEndian.Uint32(data)))
}

// parseQueue reads a struct tcmsg and its attributes.
func parseQueue(data []byte) (q queue, index uint32, err error) {
	if len(data) < tcmsgLength {
		return q, 0, fmt.Errorf("%d bytes, at least %d wanted", len(data), tcmsgLength)
	}
	index = binary.NativeEndian.Uint32(data[tcmIfindex:])
	if q.Parent = binary.NativeEndian.Uint32(data[tcmParent:]); q.Parent == ^uint32(0) { // the root, as the kernel has it
		q.Parent = 0
	}
	err = eachAttribute(data[tcmsgLength:], func(kind uint16, value []byte) error {
		switch kind {
		case tcaKind:
			q.Kind = unix.ByteSliceToString(value)
		case tcaStats2:
			return eachAttribute(value, q.count)
		}
		return nil
	})
	return q, index, err
}

// count reads struct gnet_stats_basic or gnet_stats_queue.
func (q *queue) count(kind uint16, value []byte) error {
	number := func(at int) uint32 { return binary.NativeEndian.Uint32(value[at:]) }
	switch {
	case kind == tcaStatsBasic && len(value) >= 12:
		q.Bytes, q.Packets = binary.NativeEndian.Uint64(value), number(8)
		q.known = true
	case kind == tcaStatsQueue && len(value) >= 20:
		q.Qlen, q.Backlog, q.Drops, q.Requeues, q.Overlimits = number(0), number(4), number(8), number(12), number(16)
	case kind == tcaStatsBasic || kind == tcaStatsQueue:
		return fmt.Errorf("statistics of %d bytes", len(value))
	}
	return nil
}

// eachAttribute gives take the attributes in b, each of which begins at a multiple of four bytes.
func eachAttribute(b []byte, take func(kind uint16, value []byte) error) error {
	for len(b) >= unix.SizeofNlAttr {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofNlAttr || length > len(b) {
			return fmt.Errorf("an attribute of %d bytes in %d", length, len(b))
		}
		const flags = unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER
		if err := take(binary.NativeEndian.Uint16(b[2:])&^flags, b[unix.SizeofNlAttr:length]); err != nil {
			return err
		}
		b = b[min((length+3)&^3, len(b)):]
	}
	return nil
}

// fileNumber is a file's inode.
func fileNumber(path string) (uint64, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return stat.Ino, nil
}
