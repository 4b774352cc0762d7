// Package unpack reads what distributions pack kernels in: Debian packages (ar(5) archives that hold a tar), and files compressed with gzip, xz or
// zstd. What an archive names is never trusted: everything is written below one os.Root. It imports nothing of ours.
//
//	root, err := os.OpenRoot(dir)
//	err = unpack.Deb(f, root, func(name string) string {
//		return strings.TrimPrefix(name, "usr/bin/") // "" leaves a file out
//	})
package unpack

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"path"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// maxWindow bounds the memory in bytes that a zstd stream may ask for: what "zstd --ultra --long=27" needs.
const maxWindow = 1 << 27

// readAhead is how many bytes are read at once.
const readAhead = 1 << 18

// Reader decompresses r by the ending of name: .gz, .xz or .zst. With any other ending it is r itself. Close frees what the decompressor holds
// and leaves r open. It may read more of r than the compressed stream.
func Reader(name string, r io.Reader) (io.ReadCloser, error) {
	var plain io.ReadCloser
	var err error
	switch path.Ext(name) {
	case ".gz":
		plain, err = gzip.NewReader(r)
	case ".xz":
		var x *xz.Reader
		x, err = xz.NewReader(bufio.NewReaderSize(r, readAhead)) // it asks for one byte at a time
		plain = io.NopCloser(x)
	case ".zst":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow)); err == nil {
			plain = z.IOReadCloser()
		}
	default:
		plain = io.NopCloser(r)
	}
	if err != nil {
		return nil, fmt.Errorf("decompress %s: %w", name, err)
	}
	return plain, nil
}
