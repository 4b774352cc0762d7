package target

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
	"faultline/harness/uring"
)

// Probes of what only one type of file system has.

// typeProbes are rows of the table probes.
var typeProbes = []probeRow{
	{"xfs-handle", (*prober).xfsHandle},
	{"xfs-scrubv", (*prober).scrubv},
	{"btrfs-subvolume", (*prober).subvolume},
	{"btrfs-encoded-uring", (*prober).encodedReadUring},
	{"btrfs-encoded-write-uring", (*prober).encodedWriteUring},
	{"ext4-resize", reads("ext4_group_extend", "ext4_group_add", "ext4_resize")},
	{"f2fs-gc", reads("f2fs_features", "f2fs_gc", "f2fs_gc_range")},
	{"f2fs-sectrim", (*prober).secTrim},
	{"f2fs-compression", tries("f2fs_get_compression")},
	{"ocfs2-ioctl", (*prober).ocfs2Info},
}

// Where in our memory things lie that structs point to, besides those of probe_pairs.go.
const (
	handleAt = 4096
	lengthAt = handleAt + 64
	pathAt   = 8192
)

// reads makes a request that changes nothing, and others with an address that cannot be read: then they do nothing, and who has them says EFAULT. FUSE
// says that of all, and has not got the first.
func reads(harmless string, names ...string) func(p *prober) error {
	return func(p *prober) error {
		if err := p.request(harmless, nil); err != nil {
			return err
		}
		for _, name := range names {
			r := prog.Requests[name]
			if err := call("ioctl("+r.C+")", unix.SYS_IOCTL, uintptr(p.fd()), uintptr(r.Number), 0); !errors.Is(err, unix.EFAULT) {
				return cmp.Or(err, fmt.Errorf("ioctl(%s) with no memory did not fail", r.C))
			}
		}
		return nil
	}
}

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

// subvolume makes one, and removes it.
func (p *prober) subvolume() error {
	p.fields("btrfs_vol", map[string]int64{"name": 'S'})
	err := p.within(func(dir int) error {
		return call("ioctl(BTRFS_IOC_SUBVOL_CREATE_V2)", unix.SYS_IOCTL, uintptr(dir), prog.BtrfsCreate, p.at(0))
	})
	if err != nil {
		return err
	}
	return unix.Rmdir(filepath.Join(filepath.Dir(p.file.Name()), "S"))
}

// encodedReadUring and encodedWriteUring hand over through io_uring what the ioctl takes.
func (p *prober) encodedReadUring() error {
	p.fields("btrfs_encoded", map[string]int64{"iov": int64(p.at(vectorAt)), "iovcnt": 1})
	p.set(vectorAt, "iovec", "iov_len", int64(2*p.page))
	p.set(vectorAt, "iovec", "iov_base", int64(p.at(bytesAt)))
	return p.command("btrfs_encoded_read")
}

func (p *prober) encodedWriteUring() error {
	p.frame()
	if err := p.command("btrfs_encoded_write"); err != nil {
		return err
	}
	return p.decoded()
}

// command hands over a request whose struct is at the start of our memory.
func (p *prober) command(name string) error {
	r, err := uring.New()
	if err != nil {
		return err
	}
	defer r.Close()
	request := prog.Requests[name]
	errno := patiently(func() unix.Errno {
		_, errno := r.Do(uring.Command, p.fd(), p.at(0), 0, int64(request.Number))
		return errno
	})
	if errno != 0 {
		return fmt.Errorf("%s through io_uring: %w", request.C, errno)
	}
	return nil
}

// secTrim overwrites a page, and looks at it.
func (p *prober) secTrim() error {
	if err := p.request("f2fs_sec_trim", map[string]int64{"len": int64(p.page), "flags": 2}); err != nil { // F2FS_TRIM_FILE_ZEROOUT
		return err
	}
	return p.begins(0, "ioctl(F2FS_IOC_SEC_TRIM_FILE)")
}

// ocfs2Info asks for the size of blocks.
func (p *prober) ocfs2Info() error {
	const record, magic = "ocfs2_request", 0x4f32494e
	p.fields("ocfs2_info", map[string]int64{"oi_requests": int64(p.at(vectorAt)), "oi_count": 1})
	p.set(vectorAt, "pointer", "to", int64(p.at(bytesAt)))
	for field, n := range map[string]int64{"ir_magic": magic, "ir_code": 2, "ir_size": prog.Structs[record].Size} {
		p.set(bytesAt, record, field, n)
	}
	return p.ioctl(prog.Requests["ocfs2_info"])
}
