package cli

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"faultline/harness/target"
	"faultline/targetfs/disk"
	"faultline/targetfs/image"
)

// mkfsFlags are the flags of fs mkfs.
type mkfsFlags struct {
	size, uuid    string
	bsize, format uint32
	journals      int
	journalSize   string
	force         bool
	bytes         int64 // of size; 0 to take that of the device
	formatting    image.FormatOptions
	made          bool // the file is ours to remove when this fails
}

func fsMkfsCommand() *cobra.Command {
	f := &mkfsFlags{}
	cmd := &cobra.Command{
		Use:   "mkfs IMAGE",
		Short: "Make an empty GFS2 in a file or on a block device; one that holds data only with --force",
		Example: `  faultline fs mkfs gfs2.img --size 1G
  faultline fs mkfs gfs2.img --size 1G --format 1801 --bsize 1024 --journals 2`,
		Args: imageArg,
		RunE: func(_ *cobra.Command, args []string) error { return f.run(args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.size, "size", "", "size of the image such as 512M or 1T; by default that of a file or device which exists")
	flags.Uint32Var(&f.bsize, "bsize", 4096, "block size in bytes: 512, 1024, 2048 or 4096")
	flags.Uint32Var(&f.format, "format", disk.Format1802, "version of the format: 1801, which kernels as old as 5.10 want, or 1802")
	flags.IntVar(&f.journals, "journals", 1, "number of journals: of nodes that can mount it")
	flags.StringVar(&f.journalSize, "journal-size", "", "size of each journal such as 32M; by default by the size of the image")
	flags.StringVar(&f.uuid, "uuid", "", "UUID of the file system; by default a random one")
	flags.BoolVar(&f.force, "force", false, "format what holds data: it is lost")
	return cmd
}

func (f *mkfsFlags) run(path string) error {
	if err := f.check(); err != nil {
		return err
	}
	dev, err := f.open(path)
	if err != nil {
		return imageError(path, err)
	}
	defer dev.Close()
	err = f.prepare(dev)
	if err == nil {
		err = image.Format(dev, f.bytes, f.formatting)
	}
	if err != nil && f.made {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return imageError(path, err)
	}
	fmt.Printf("%s: GFS2 of %d bytes, format %d, block size %d, journals %d, UUID %s\n", path, f.bytes, f.format, f.bsize, f.journals, uuidText(f.formatting.UUID))
	return nil
}

// check turns the flags into what Format takes.
func (f *mkfsFlags) check() (err error) {
	f.formatting = image.FormatOptions{
		BlockSize: disk.BlockSize(f.bsize), Version: f.format, Journals: f.journals,
		// Who makes an image can write to it when it is mounted.
		RootUID: uint32(os.Geteuid()), RootGID: uint32(os.Getegid()),
	}
	if f.size != "" {
		if f.bytes, err = target.ParseSize(f.size); err != nil {
			return usage("--size: %v", err)
		}
	}
	if f.journalSize != "" {
		if f.formatting.JournalBytes, err = target.ParseSize(f.journalSize); err != nil {
			return usage("--journal-size: %v", err)
		}
	}
	f.formatting.UUID, err = parseUUID(f.uuid)
	return err
}

// open opens the device, or makes the file.
func (f *mkfsFlags) open(path string) (*os.File, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if f.bytes == 0 {
			return nil, errors.New("it does not exist, and without --size it is not known how large to make it")
		}
		f.made = true
		return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	}
	return openExclusively(path, os.O_RDWR)
}

// prepare locks the device, refuses to lose data, and gives a file its size.
func (f *mkfsFlags) prepare(dev *os.File) error {
	if err := lockImage(dev, unix.LOCK_EX); err != nil {
		return err
	}
	size, err := imageSize(dev)
	if err != nil {
		return err
	}
	used, err := holdsData(dev)
	if err != nil {
		return err
	}
	if used && !f.force {
		return errors.New("it holds data, which would be lost; --force formats it all the same")
	}
	if f.bytes == 0 {
		f.bytes = size
	}
	// Before anything is lost.
	if err := f.formatting.Validate(f.bytes); err != nil {
		return err
	}
	info, err := dev.Stat()
	if err != nil {
		return err
	}
	if isBlock(info) {
		if f.bytes > size {
			return fmt.Errorf("the device has %d bytes, fewer than --size", size)
		}
		return nil
	}
	// What was there goes: a file without holes would keep its old content in free blocks.
	if err := dev.Truncate(0); err != nil {
		return err
	}
	return dev.Truncate(f.bytes)
}

// head is how much of the start of a block device must be zeros for it to count as empty: file systems and partition tables have
// their marks there.
const head = 1 << 20

// holdsData tells whether a file has anything but holes, or the start of a block device anything but zeros.
func holdsData(dev *os.File) (bool, error) {
	info, err := dev.Stat()
	if err != nil {
		return false, err
	}
	if info.Mode().IsRegular() {
		_, err := unix.Seek(int(dev.Fd()), 0, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return false, nil
		}
		return info.Size() > 0, nil
	}
	start := make([]byte, head)
	n, err := dev.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return strings.Trim(string(start[:n]), "\x00") != "", nil
}

// parseUUID reads a UUID in the form of RFC 4122, or makes a random one when text is empty.
func parseUUID(text string) (u [16]byte, err error) {
	if text == "" {
		rand.Read(u[:]) // never fails
		u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
		return u, nil
	}
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != len(u) || len(text) != 36 || uuidText([16]byte(b)) != strings.ToLower(text) {
		return u, usage("--uuid %s: wanted a UUID such as 01234567-89ab-cdef-0123-456789abcdef", text)
	}
	return [16]byte(b), nil
}

func uuidText(u [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
