package initramfs

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// moduleLimit is more than any module needs, in bytes unpacked.
const moduleLimit = 256 << 20

// readModule reads a module's file, unpacked: a kernel inserts only ELF, and not all kernels unpack by themselves.
func readModule(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := unpacker(path.Ext(file), f)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", file, err)
	}
	data, err := io.ReadAll(io.LimitReader(r, moduleLimit+1))
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", file, err)
	}
	if len(data) > moduleLimit || !bytes.HasPrefix(data, []byte("\x7fELF")) {
		return nil, fmt.Errorf("%s holds no kernel module", file)
	}
	return data, nil
}

func unpacker(ext string, r io.Reader) (io.Reader, error) {
	switch ext {
	case ".gz":
		return gzip.NewReader(r)
	case ".xz":
		return xz.NewReader(r)
	case ".zst":
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return r, nil
}
