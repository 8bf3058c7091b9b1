package collector

import (
	"encoding/binary"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ethtoolSocket asks the kernel, with the requests of linux/ethtool.h.
type ethtoolSocket struct {
	fd  int
	buf []byte
}

const (
	ethtoolStringLength = 32 // ETH_GSTRING_LEN
	ethtoolStatistics   = 1  // ETH_SS_STATS
)

func openEthtool() (*ethtoolSocket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &ethtoolSocket{fd: fd}
	runtime.AddCleanup(s, func(fd int) { _ = unix.Close(fd) }, fd) // when a configuration without it is loaded
	return s, nil
}

func (s *ethtoolSocket) driver(device string) (ethtoolDriver, error) {
	info, err := unix.IoctlGetEthtoolDrvinfo(s.fd, device)
	if err != nil {
		return ethtoolDriver{}, err
	}
	word := unix.ByteSliceToString
	return ethtoolDriver{
		name: word(info.Driver[:]), version: word(info.Version[:]), firmware: word(info.Fw_version[:]), bus: word(info.Bus_info[:]),
		rom: word(info.Erom_version[:]), statistics: int(info.N_stats),
	}, nil
}

// link asks with the request that is out of date, since the metrics are made of what it answers. This is struct ethtool_cmd.
func (s *ethtoolSocket) link(device string) (ethtoolLink, error) {
	const length, supported, advertised, autonegotiation = 44, 4, 8, 18
	b := s.request(unix.ETHTOOL_GSET, length)
	if err := s.ask(device, b); err != nil {
		return ethtoolLink{}, err
	}
	return ethtoolLink{
		supported: binary.NativeEndian.Uint32(b[supported:]), advertised: binary.NativeEndian.Uint32(b[advertised:]),
		autonegotiates: b[autonegotiation] == 1,
	}, nil
}

// statistics asks for the names once, and then for the numbers: struct ethtool_gstrings and struct ethtool_stats. How many
// there are may change between two requests, and the kernel writes as many as there are then: the buffer has room for more.
func (s *ethtoolSocket) statistics(device string, driver ethtoolDriver, names []string, values []uint64) ([]string, []uint64, error) {
	if driver.statistics == 0 {
		return nil, nil, unix.EOPNOTSUPP
	}
	const more = 4096
	if len(names) != driver.statistics {
		const count, strings = 8, 12
		b := s.request(unix.ETHTOOL_GSTRINGS, strings+(driver.statistics+more)*ethtoolStringLength)
		binary.NativeEndian.PutUint32(b[4:], ethtoolStatistics)
		binary.NativeEndian.PutUint32(b[count:], uint32(driver.statistics))
		if err := s.ask(device, b); err != nil {
			return nil, nil, err
		}
		names = make([]string, min(int(binary.NativeEndian.Uint32(b[count:])), driver.statistics))
		for i := range names {
			names[i] = unix.ByteSliceToString(b[strings+i*ethtoolStringLength:][:ethtoolStringLength])
		}
	}
	const count, numbers, length = 4, 8, 8
	b := s.request(unix.ETHTOOL_GSTATS, numbers+(driver.statistics+more)*length)
	binary.NativeEndian.PutUint32(b[count:], uint32(driver.statistics))
	if err := s.ask(device, b); err != nil {
		return nil, nil, err
	}
	for i := range min(int(binary.NativeEndian.Uint32(b[count:])), len(names)) {
		values = append(values, binary.NativeEndian.Uint64(b[numbers+i*length:]))
	}
	return names, values, nil
}

// request is a zeroed buffer that begins with the command.
func (s *ethtoolSocket) request(command uint32, length int) []byte {
	if cap(s.buf) < length {
		s.buf = make([]byte, length)
	}
	b := s.buf[:length]
	clear(b)
	binary.NativeEndian.PutUint32(b, command)
	return b
}

// ask has the kernel answer in b. This is struct ifreq.
func (s *ethtoolSocket) ask(device string, b []byte) error {
	var request struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [24 - unsafe.Sizeof(uintptr(0))]byte
	}
	if len(device) >= len(request.name) {
		return unix.ENODEV
	}
	copy(request.name[:], device)
	request.data = unsafe.Pointer(&b[0]) //nolint:gosec // the kernel's interface; b outlives the call
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s.fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))) //nolint:gosec // the kernel's interface
		runtime.KeepAlive(b)
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}
