package unpack

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// maxFile bounds one file in bytes, so that a small archive cannot fill a disk.
const maxFile = 4 << 30

// Deb writes files of a Debian package below root. where gets the path of each regular file and symbolic link, without a slash in front, and returns
// where it goes, or "" to leave it out. Modes keep their executable bits, and nothing else; owners and times are dropped. Symbolic links are
// written only when they stay inside; devices, hard links and everything else are left out.
func Deb(r io.Reader, root *os.Root, where func(name string) string) error {
	name, data, err := dataMember(r)
	if err != nil {
		return fmt.Errorf("read a Debian package: %w", err)
	}
	plain, err := Reader(name, data)
	if err != nil {
		return err
	}
	defer plain.Close()
	archive := tar.NewReader(plain)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if err := entry(archive, h, root, where); err != nil {
			return fmt.Errorf("unpack %s: %w", h.Name, err)
		}
	}
	// To the end, so that the checksum of the whole is compared.
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return fmt.Errorf("read the end of %s: %w", name, err)
	}
	return nil
}

func entry(r io.Reader, h *tar.Header, root *os.Root, where func(string) string) error {
	if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeSymlink {
		return nil
	}
	name := strings.TrimPrefix(h.Name, "./")
	if !fs.ValidPath(name) {
		return errors.New("the path leads outside")
	}
	to := where(name)
	if to == "" {
		return nil
	}
	if err := root.MkdirAll(path.Dir(to), 0o755); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeSymlink {
		return symlink(root, h.Linkname, to)
	}
	if h.Size > maxFile {
		return fmt.Errorf("%d bytes are more than a file may have here, %d", h.Size, int64(maxFile))
	}
	f, err := root.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644|fs.FileMode(h.Mode)&0o111)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// symlink writes a link whose target lies below root.
func symlink(root *os.Root, target, to string) error {
	if path.IsAbs(target) || !fs.ValidPath(path.Join(path.Dir(to), target)) {
		return fmt.Errorf("the symbolic link to %s leads outside", target)
	}
	return root.Symlink(target, to)
}
