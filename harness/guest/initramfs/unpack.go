package initramfs

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"faultline/harness/guest/unpack"
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
	r, err := unpack.Reader(file, f)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", file, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, moduleLimit+1))
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", file, err)
	}
	if len(data) > moduleLimit || !bytes.HasPrefix(data, []byte("\x7fELF")) {
		return nil, fmt.Errorf("%s holds no kernel module", file)
	}
	return data, nil
}
