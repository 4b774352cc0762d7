package target

import (
	"errors"
	"path/filepath"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// Probes of what only one type of file system has.

// typeProbes are rows of the table probes.
var typeProbes = []probeRow{
	{"xfs-handle", (*prober).xfsHandle},
	{"xfs-scrubv", (*prober).scrubv},
}

// Where in our memory things lie that structs point to, besides those of probe_pairs.go.
const (
	handleAt = 4096
	lengthAt = handleAt + 64
	pathAt   = 8192
)

// within does something with the folder open, in which the probe's file is.
func (p *prober) within(do func(dir int) error) error {
	fd, err := unix.Open(filepath.Dir(p.file.Name()), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return do(fd)
}

// xfsHandle asks for handles in all three ways, and opens one of them.
func (p *prober) xfsHandle() error {
	args := map[string]int64{
		"fd": int64(p.fd()), "path": int64(p.at(pathAt)), "ihandle": int64(p.at(handleAt)), "ihandlen": prog.Structs["xfs_handle"].Size,
		"ohandle": int64(p.at(handleAt)), "ohandlen": int64(p.at(lengthAt)),
	}
	p.fields("xfs_handle_req", args)
	copy(p.mem[pathAt:], p.file.Name())
	for _, name := range []string{"xfs_path_to_fshandle", "xfs_path_to_handle", "xfs_fd_to_handle"} {
		if err := p.ioctl(prog.Requests[name]); err != nil {
			return err
		}
	}
	return p.within(func(dir int) error {
		fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(dir), prog.XFSOpenByHandle, p.at(0))
		if errno != 0 {
			return errno
		}
		defer unix.Close(int(fd))
		var b [1]byte
		if _, err := unix.Pread(int(fd), b[:], 0); err != nil {
			return err
		}
		if b[0] != 'd' {
			return errors.New("ioctl(XFS_IOC_OPEN_BY_HANDLE) did not find the file")
		}
		return nil
	})
}

// scrubv asks whether there is online scrub, as programs do.
func (p *prober) scrubv() error {
	return p.request("xfs_scrubv", map[string]int64{"svh_nr": 1, "svh_vectors": int64(p.at(bytesAt))})
}
