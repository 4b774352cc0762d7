package target

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// protectProbes are rows of the table probes: requests that several file systems have, about protected files and the whole file system.
var protectProbes = []probeRow{
	{"verity", (*prober).verity},
	{"verity-metadata", (*prober).verityMetadata},
	{"encrypt", (*prober).encrypt},
	{"setfslabel", readsArgument("setfslabel")},
	{"goingdown", readsArgument("goingdown")},
}

// readsArgument makes a request whose argument cannot be read, which changes nothing.
func readsArgument(name string) func(p *prober) error {
	return func(p *prober) error {
		r := prog.Requests[name]
		const unmapped = 1
		err := call("ioctl("+r.C+")", unix.SYS_IOCTL, uintptr(p.fd()), uintptr(r.Number), unmapped)
		if errors.Is(err, unix.EFAULT) {
			return nil
		}
		if err == nil {
			err = errors.New("ioctl(" + r.C + ") does not read its argument")
		}
		return err
	}
}

// protected calls use with a protected file, whose first byte is 'v'.
func (p *prober) protected(use func(q *prober) error) error {
	name := p.file.Name() + "2"
	data := make([]byte, 2*p.page)
	fill(data, 'v')
	if err := os.WriteFile(name, data, 0o600); err != nil {
		return err
	}
	defer os.Remove(name)
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	q := &prober{dir: p.dir, file: f, page: p.page, mem: p.mem}
	if err := q.request("verity_enable", map[string]int64{"version": 1, "hash_algorithm": 1, "block_size": int64(p.page)}); err != nil {
		return err
	}
	if err := use(q); err != nil {
		return err
	}
	return q.begins('v', "ioctl(FS_IOC_ENABLE_VERITY)")
}

func (p *prober) verity() error {
	return p.protected(func(q *prober) error { return q.request("verity_measure", map[string]int64{"digest_size": 32}) })
}

// verityMetadata reads a byte of the tree.
func (p *prober) verityMetadata() error {
	return p.protected(func(q *prober) error {
		return q.request("verity_metadata", map[string]int64{"metadata_type": 1, "length": 1, "buf_ptr": int64(q.at(bytesAt))})
	})
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
	return fmt.Errorf("an encrypted folder, or none: %w", err)
}
