package target

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// metadataProbes are rows of the table probes: calls on metadata.
var metadataProbes = []probeRow{
	{"file-handle", (*prober).handle},
	{"file-attr", (*prober).attributes},
	{"statmount", (*prober).mounts},
	{"quota", (*prober).quota},
}

// call is a system call whose error is named.
func call(name string, number uintptr, args ...uintptr) error {
	var all [6]uintptr
	copy(all[:], args)
	if _, _, errno := unix.Syscall6(number, all[0], all[1], all[2], all[3], all[4], all[5]); errno != 0 {
		return fmt.Errorf("%s: %w", name, errno)
	}
	return nil
}

// at is an address in our memory.
func (p *prober) at(offset int) uintptr { return uintptr(unsafe.Pointer(&p.mem[offset])) }

// set writes a field of a struct at an offset of our memory.
func (p *prober) set(offset int, record, field string, n int64) {
	f := prog.Structs[record].Field(field)
	var number [8]byte
	binary.LittleEndian.PutUint64(number[:], uint64(n))
	copy(p.mem[offset+int(f.At):][:f.Width], number[:])
}

// handle opens the file by its handle, and reads it.
func (p *prober) handle() error {
	handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, p.file.Name(), unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return fmt.Errorf("name_to_handle_at: %w", err)
	}
	fd, err := unix.OpenByHandleAt(p.fd(), handle, unix.O_RDWR)
	if err != nil {
		return fmt.Errorf("open_by_handle_at: %w", err)
	}
	f := os.NewFile(uintptr(fd), "by handle")
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return err
	}
	if b[0] != 'd' {
		return errors.New("open_by_handle_at did not find the file")
	}
	return nil
}

// attributes gives back what it got.
func (p *prober) attributes() error {
	path, err := unix.BytePtrFromString(p.file.Name())
	if err != nil {
		return err
	}
	cwd := unix.AT_FDCWD
	args := []uintptr{uintptr(cwd), uintptr(unsafe.Pointer(path)), p.at(0), uintptr(prog.Structs["file_attr"].Size), 0}
	if err := call("file_getattr", unix.SYS_FILE_GETATTR, args...); err != nil {
		return err
	}
	return call("file_setattr", unix.SYS_FILE_SETATTR, args...)
}

// mounts asks for the mount that the file is on, and for those below the root.
func (p *prober) mounts() error {
	var st unix.Statx_t
	if err := unix.Statx(p.fd(), "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID_UNIQUE, &st); err != nil {
		return fmt.Errorf("statx: %w", err)
	}
	const request, result = "mount_request", 512
	clear(p.mem[:2*result])
	p.set(0, request, "size", prog.Structs[request].Size)
	p.set(0, request, "mnt_id", int64(st.Mnt_id))
	p.set(0, request, "param", 3) // STATMOUNT_SB_BASIC, STATMOUNT_MNT_BASIC
	if err := call("statmount", unix.SYS_STATMOUNT, p.at(0), p.at(result), uintptr(prog.Structs["mount_info"].Size), 0); err != nil {
		return err
	}
	p.set(0, request, "mnt_id", -1) // LSMT_ROOT
	p.set(0, request, "param", 0)
	return call("listmount", unix.SYS_LISTMOUNT, p.at(0), p.at(result), 1, 0)
}

// quota asks for our own, and sets nothing of it.
func (p *prober) quota() error {
	clear(p.mem[:512])
	for _, c := range []struct {
		name   string
		number uintptr
	}{{"quotactl_fd(Q_GETQUOTA)", 0x80000700}, {"quotactl_fd(Q_SETQUOTA)", 0x80000800}} {
		if err := call(c.name, unix.SYS_QUOTACTL_FD, uintptr(p.fd()), c.number, uintptr(os.Geteuid()), p.at(0)); err != nil {
			return err
		}
		p.set(0, "dqblk", "dqb_valid", 0)
	}
	return nil
}
