package target

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// protectProbes are rows of the table probes: requests that several file systems have, about protected files and the whole file system.
var protectProbes = []probeRow{
	{"verity", unprotected("verity_measure", map[string]int64{"digest_size": 32})},
	{"verity-metadata", unprotected("verity_metadata", map[string]int64{"metadata_type": 1, "length": 1})},
	{"encrypt", (*prober).encrypt},
	{"setfslabel", refuses("setfslabel", 'x')}, // it is too long
	{"goingdown", refuses("goingdown", 0x7f)},  // there are no such flags
}

// refusing are the file systems whose sources say that they refuse a label that is too long, and flags of a shutdown that they do not know. Others are not
// asked: ntfs3 looks at no flags, and is shut down (fs/ntfs3/super.c: ntfs_force_shutdown).
var refusing = []int64{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC}

// refuses makes a request whose argument the file system refuses, or cannot read: neither changes anything.
func refuses(name string, filled byte) func(p *prober) error {
	return func(p *prober) error {
		r := prog.Requests[name]
		var st unix.Statfs_t
		if err := unix.Fstatfs(p.fd(), &st); err != nil {
			return fmt.Errorf("fstatfs: %w", err)
		}
		if !slices.Contains(refusing, int64(st.Type)) {
			return fmt.Errorf("ioctl(%s) is tried where it is known to refuse what is wrong only: not on file systems of type %#x", r.C, st.Type)
		}
		fill(p.mem, filled)
		const unmapped = 1
		for _, try := range []struct {
			at   uintptr
			want unix.Errno
		}{{p.at(0), unix.EINVAL}, {unmapped, unix.EFAULT}} {
			err := call("ioctl("+r.C+")", unix.SYS_IOCTL, uintptr(p.fd()), uintptr(r.Number), try.at)
			if err == nil {
				return fmt.Errorf("ioctl(%s) of what must be refused: wanted %w", r.C, try.want)
			}
			if !errors.Is(err, try.want) {
				return err
			}
		}
		return nil
	}
}

// unprotected makes a request about a protected file for one that is not. None is protected for the probe: btrfs would note in its superblock that it has
// such files, which older kernels do not mount.
func unprotected(name string, args map[string]int64) func(p *prober) error {
	return func(p *prober) error {
		err := p.request(name, args)
		switch {
		case err == nil:
			return errors.New(name + " of a file that is not protected succeeds")
		case errors.Is(err, unix.ENODATA):
			return nil
		}
		return fmt.Errorf("of a file that is not protected, wanted ENODATA: %w", err)
	}
}

// encrypt adds a key and removes it, which another run may have done before.
func (p *prober) encrypt() error {
	if err := p.request("crypt_status", map[string]int64{"key_type": 1}); err != nil {
		return err
	}
	if err := p.request("crypt_add", map[string]int64{"key_type": 2, "raw_size": 64}); err != nil {
		return err
	}
	if err := p.ioctl(prog.Requests["crypt_remove"]); err != nil && !errors.Is(err, unix.ENOKEY) {
		return err
	}
	err := p.request("crypt_policy", map[string]int64{"policy_size": 24})
	if errors.Is(err, unix.ENODATA) {
		return nil
	}
	if err == nil {
		return errors.New("the folder is encrypted")
	}
	return err
}
