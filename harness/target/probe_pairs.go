package target

import (
	"errors"
	"os"

	"faultline/generators/prog"
)

// Probes of requests on two files, and of those whose struct points to more memory.

// frame is a frame of zstd (RFC 8878) that stands for 8192 times the byte z.
const frame = "(\xb5/\xfd`\x00\x1f\x03\x00\x01z"

// pointers are where, in our memory, things lie that structs point to.
const (
	vectorAt = 1024
	bytesAt  = 2048
)

// encodedWrite writes a frame, and reads what it stands for.
func (p *prober) encodedWrite() error {
	p.frame()
	if err := p.ioctl(prog.Requests["btrfs_encoded_write"]); err != nil {
		return err
	}
	return p.decoded()
}

// frame gets the struct of an encoded write of a frame ready.
func (p *prober) frame() {
	args := map[string]int64{
		"iov": int64(p.at(vectorAt)), "iovcnt": 1, "len": 8192, "unencoded_len": 8192, "compression": 2, // BTRFS_ENCODED_IO_COMPRESSION_ZSTD
	}
	p.fields("btrfs_encoded", args)
	p.set(vectorAt, "iovec", "iov_len", int64(len(frame)))
	p.set(vectorAt, "iovec", "iov_base", int64(p.at(bytesAt)))
	copy(p.mem[bytesAt:], frame)
}

// decoded reads what was written.
func (p *prober) decoded() error {
	if err := p.file.Sync(); err != nil {
		return err
	}
	return p.begins('z', "ioctl(BTRFS_IOC_ENCODED_WRITE)")
}

// exchange swaps a page with another file, and looks at it.
func (p *prober) exchange() error {
	return p.second('x', func(f *os.File) error {
		if err := p.request("xfs_exchange", map[string]int64{"file1_fd": int64(f.Fd()), "length": int64(p.page)}); err != nil {
			return err
		}
		return p.begins('x', "ioctl(XFS_IOC_EXCHANGE_RANGE)")
	})
}

func (p *prober) parents() error {
	return p.request("xfs_parents", map[string]int64{"gp_bufsize": 1024, "gp_buffer": int64(p.at(bytesAt))})
}

// move moves a page to another file, and looks at it.
func (p *prober) move() error {
	return p.second('v', func(f *os.File) error {
		if err := p.request("f2fs_move", map[string]int64{"dst_fd": int64(f.Fd()), "len": int64(p.page)}); err != nil {
			return err
		}
		var b [1]byte
		if _, err := f.ReadAt(b[:], 0); err != nil {
			return err
		}
		if b[0] != 'd' {
			return errors.New("ioctl(F2FS_IOC_MOVE_RANGE) did not bring the bytes of the source")
		}
		return nil
	})
}
