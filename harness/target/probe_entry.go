package target

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
	"faultline/harness/uring"
)

// Probes of further entry points. Each makes the call that programs make.

// entryProbes are rows of the table probes.
var entryProbes = []probeRow{
	{"fiemap", tries("fiemap")},
	{"getflags", (*prober).flags},
	{"fsgetxattr", tries("fsgetxattr")},
	{"reflink", (*prober).reflink},
	{"dedupe", (*prober).dedupe},
	{"fssetxattr", (*prober).fsxattr},
	{"getfsmap", tries("getfsmap")},
	{"getfslabel", tries("getfslabel")},
	{"fitrim", tries("fitrim")},
	{"xfs-scrub", tries("xfs_scrub")},
	{"ext4-ioctl", tries("ext4_getstate", "ext4_es_cache")},
	{"xfs-ioctl", tries("xfs_geometry", "xfs_getbmapx", "xfs_getbmap", "xfs_bulkstat", "xfs_inumbers", "xfs_ag_geometry", "xfs_counts")},
	{"btrfs-ioctl", tries("btrfs_fs_info", "btrfs_ino_lookup", "btrfs_subvol_info", "btrfs_search", "btrfs_search_v1", "btrfs_dev_info", "btrfs_space_info", "btrfs_rootref", "btrfs_defrag", "btrfs_rescan")},
	{"symlink", (*prober).symlink},
	{"xattr", (*prober).xattr},
	{"copy-range", (*prober).copyRange},
	{"sendfile", (*prober).sendfile},
	{"io-uring", (*prober).uring},
	{"uring-file-buffer", (*prober).uringFileBuffer},
	{"aio", (*prober).aio},
	{"splice", (*prober).splice},
	{"btrfs-encoded", tries("btrfs_encoded_read")},
	{"btrfs-encoded-write", (*prober).encodedWrite},
	{"btrfs-scrub", tries("btrfs_scrub")},
	{"xfs-exchange", (*prober).exchange},
	{"xfs-parents", (*prober).parents},
	{"f2fs-move", (*prober).move},
	{"f2fs-ioctl", tries("f2fs_features", "f2fs_pin_file", "f2fs_defragment")},
}

// requestArgs are the numbers that requests need in their structs, as programs have them.
var requestArgs = map[string]map[string]int64{
	"fiemap": {"fm_length": -1, "fm_flags": 1, "fm_extent_count": 8}, "ext4_es_cache": {"fm_length": -1, "fm_extent_count": 8},
	"btrfs_scrub": {"devid": 1, "end": 65536, "flags": 1}, "xfs_getbmap": {"bmv_length": -1, "bmv_count": 8},
	"xfs_getbmapx": {"bmv_length": -1, "bmv_count": 8}, "xfs_bulkstat": {"icount": 1}, "xfs_inumbers": {"icount": 1}, "btrfs_ino_lookup": {"objectid": 256},
	"getfsmap": {"fmh_count": 8, "high_device": -1, "high_flags": -1, "high_physical": -1, "high_owner": -1, "high_offset": -1},
	"fitrim":   {"len": -1}, "btrfs_dev_info": {"devid": 1}, "btrfs_space_info": {"space_slots": 8}, "btrfs_defrag": {"len": -1}, "f2fs_defragment": {"len": 4096},
	"btrfs_search_v1": {"tree_id": 1, "max_objectid": -1, "max_offset": -1, "max_transid": -1, "max_type": 255, "nr_items": 1},
	"btrfs_search":    {"tree_id": 1, "max_objectid": -1, "max_offset": -1, "max_transid": -1, "max_type": 255, "nr_items": 1, "buf_size": 2048},
}

// tries makes requests that need nothing but the file.
func tries(names ...string) func(p *prober) error {
	return func(p *prober) error {
		for _, name := range names {
			if err := p.request(name, requestArgs[name]); err != nil {
				return err
			}
		}
		return nil
	}
}

// request makes an ioctl with these numbers in its struct, at the start of our memory.
func (p *prober) request(name string, args map[string]int64) error {
	r := prog.Requests[name]
	p.fields(r.Struct, args)
	return p.ioctl(r)
}

// fields clears our memory and writes a struct to its start.
func (p *prober) fields(record string, args map[string]int64) {
	clear(p.mem)
	for field, n := range args {
		p.set(0, record, field, n)
	}
}

func (p *prober) ioctl(r *prog.Request) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd()), uintptr(r.Number), uintptr(unsafe.Pointer(&p.mem[0]))); errno != 0 {
		return fmt.Errorf("ioctl(%s): %w", r.C, errno)
	}
	return nil
}

// flags gives back what it got.
func (p *prober) flags() error {
	if err := p.request("getflags", nil); err != nil {
		return err
	}
	return p.ioctl(prog.Requests["setflags"])
}

// fsxattr gives back what it got.
func (p *prober) fsxattr() error {
	if err := p.request("fsgetxattr", nil); err != nil {
		return err
	}
	return p.ioctl(prog.Requests["fssetxattr"])
}

// second is another file with one page of the given byte.
func (p *prober) second(b byte, use func(f *os.File) error) error {
	name := p.file.Name() + "2"
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(name)
	defer f.Close()
	data := make([]byte, p.page)
	fill(data, b)
	if _, err := f.Write(data); err != nil {
		return err
	}
	return use(f)
}

// reflink clones a page in both ways, and looks at it.
func (p *prober) reflink() error {
	return p.second('r', func(f *os.File) error {
		args := map[string]int64{"src_fd": int64(f.Fd()), "src_length": int64(p.page), "dest_offset": int64(p.page)}
		if err := p.request("clonerange", args); err != nil {
			return err
		}
		got := make([]byte, p.page)
		if _, err := p.file.ReadAt(got, int64(p.page)); err != nil {
			return err
		}
		if !allBytes(got, 'r') {
			return errors.New("ioctl(FICLONERANGE) did not bring the bytes of the source")
		}
		return nil
	})
}

// dedupe compares a page with an equal one.
func (p *prober) dedupe() error {
	return p.second('d', func(f *os.File) error {
		args := map[string]int64{"src_length": int64(p.page), "dest_count": 1, "dest_fd": int64(f.Fd())}
		if err := p.request("dedupe", args); err != nil {
			return err
		}
		at := prog.Structs["dedupe_range"].Field("status").At
		if status := int32(binary.LittleEndian.Uint32(p.mem[at:])); status < 0 {
			return fmt.Errorf("ioctl(FIDEDUPERANGE) of two equal pages: %w", unix.Errno(-status))
		}
		return nil
	})
}

func (p *prober) symlink() error {
	link := p.file.Name() + "2"
	if err := os.Symlink("A", link); err != nil {
		return err
	}
	return os.Remove(link)
}

// xattr sets attributes as large as programs do.
func (p *prober) xattr() error {
	for _, name := range []string{"user.a", "user.b"} {
		if err := unix.Fsetxattr(p.fd(), name, p.mem[:512], 0); err != nil {
			return fmt.Errorf("fsetxattr(%s): %w", name, err)
		}
	}
	return nil
}

// copyRange copies a page, and looks at it.
func (p *prober) copyRange() error {
	return p.second('c', func(f *os.File) error {
		if _, err := unix.CopyFileRange(int(f.Fd()), new(int64), p.fd(), new(int64), p.page, 0); err != nil {
			return fmt.Errorf("copy_file_range: %w", err)
		}
		return p.begins('c', "copy_file_range")
	})
}

func (p *prober) sendfile() error {
	return p.second('s', func(f *os.File) error {
		if _, err := p.file.Seek(0, 0); err != nil {
			return err
		}
		if _, err := unix.Sendfile(p.fd(), int(f.Fd()), new(int64), p.page); err != nil {
			return fmt.Errorf("sendfile: %w", err)
		}
		return p.begins('s', "sendfile")
	})
}

// begins looks at the first byte of the file.
func (p *prober) begins(with byte, call string) error {
	var b [1]byte
	if _, err := p.file.ReadAt(b[:], 0); err != nil {
		return err
	}
	if b[0] != with {
		return fmt.Errorf("%s did not bring the bytes of the source", call)
	}
	return nil
}

// uring reads and writes a page through a ring, and reads into a registered buffer.
func (p *prober) uring() error {
	r, err := uring.New()
	if err != nil {
		return err
	}
	defer r.Close()
	at := uintptr(unsafe.Pointer(&p.mem[0]))
	for _, op := range []uint8{uring.Write, uring.Read} {
		errno := patiently(func() unix.Errno {
			_, errno := r.Do(op, p.fd(), at, uint32(p.page), 0)
			return errno
		})
		if errno != 0 {
			return fmt.Errorf("io_uring, opcode %d: %w", op, errno)
		}
	}
	whole := unix.Iovec{Base: &p.mem[0]}
	whole.SetLen(len(p.mem))
	errno := patiently(func() unix.Errno {
		_, errno := r.DoFixed(uring.ReadFixed, p.fd(), &whole, 0)
		return errno
	})
	if errno != 0 {
		return fmt.Errorf("io_uring with a registered buffer of %d pages: %w", filePages, errno)
	}
	return nil
}

// patiently makes a request again that was cancelled: the kernel gives up to make a thread for a request after some signals for us (io_uring/io-wq.c:
// io_should_retry_thread), and the Go runtime sends itself signals.
func patiently(request func() unix.Errno) (errno unix.Errno) {
	for range 20 {
		if errno = request(); errno != unix.ECANCELED {
			break
		}
	}
	return errno
}

// uringFileBuffer registers a private mapping of the file. Up to some kernel after 6.1 only anonymous memory and shmem will do (io_uring/rsrc.c).
func (p *prober) uringFileBuffer() error {
	r, err := uring.New()
	if err != nil {
		return err
	}
	defer r.Close()
	m, err := unix.Mmap(p.fd(), 0, p.page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("mmap(MAP_PRIVATE): %w", err)
	}
	defer unix.Munmap(m)
	buffer := unix.Iovec{Base: &m[0]}
	buffer.SetLen(len(m))
	if _, errno := r.DoFixed(uring.ReadFixed, p.fd(), &buffer, 0); errno != 0 {
		return fmt.Errorf("io_uring with a private mapping of a file as registered buffer: %w", errno)
	}
	return nil
}

// aio reads a byte. A file system without asynchronous I/O does it while it is submitted.
func (p *prober) aio() error {
	iocb, event := make([]byte, prog.Structs["iocb"].Size), make([]byte, prog.Structs["io_event"].Size)
	at := func(field string) []byte { return iocb[prog.Structs["iocb"].Field(field).At:] }
	binary.NativeEndian.PutUint32(at("aio_fildes"), uint32(p.fd()))
	binary.NativeEndian.PutUint64(at("aio_buf"), uint64(uintptr(unsafe.Pointer(&p.mem[0]))))
	binary.NativeEndian.PutUint64(at("aio_nbytes"), 1)
	context, pointer := new(uintptr), unsafe.Pointer(&iocb[0])
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(context)), 0); errno != 0 {
		return fmt.Errorf("io_setup: %w", errno)
	}
	defer unix.Syscall(unix.SYS_IO_DESTROY, *context, 0, 0)
	if _, _, errno := unix.Syscall(unix.SYS_IO_SUBMIT, *context, 1, uintptr(unsafe.Pointer(&pointer))); errno != 0 {
		return fmt.Errorf("io_submit: %w", errno)
	}
	if _, _, errno := unix.Syscall6(unix.SYS_IO_GETEVENTS, *context, 1, 1, uintptr(unsafe.Pointer(&event[0])), 0, 0); errno != 0 {
		return fmt.Errorf("io_getevents: %w", errno)
	}
	if n := binary.NativeEndian.Uint64(event[prog.Structs["io_event"].Field("res").At:]); n != 1 {
		return fmt.Errorf("an asynchronous read of one byte gave %d", int64(n))
	}
	return nil
}

// splice moves a page of memory, and one of the file, through a pipe to the file.
func (p *prober) splice() error {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return fmt.Errorf("pipe2: %w", err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	iov := unix.Iovec{Base: &p.mem[0]}
	iov.SetLen(p.page)
	if _, err := unix.Vmsplice(ends[1], []unix.Iovec{iov}, 0); err != nil {
		return fmt.Errorf("vmsplice: %w", err)
	}
	for _, move := range []struct {
		what       string
		from, to   int
		off1, off2 *int64
	}{{"to the file", ends[0], p.fd(), nil, new(int64)}, {"from the file", p.fd(), ends[1], new(int64), nil}} {
		if _, err := unix.Splice(move.from, move.off1, move.to, move.off2, p.page, 0); err != nil {
			return fmt.Errorf("splice %s: %w", move.what, err)
		}
	}
	return nil
}
