package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"faultline/harness/mount"
)

func fsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fs",
		Short: "Make, mount, check and look at images of the bundled GFS2",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no command %q; see faultline fs --help", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(fsMkfsCommand(), fsCheckCommand(), fsDumpCommand(), fsMountCommand())
	cmd.AddCommand(fsAskCommands()...)
	return cmd
}

// imageArg is the argument of a command that is about one image.
func imageArg(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("%s takes one image, found %d arguments", cmd.CommandPath(), len(args))
	}
	return nil
}

// openExclusively opens a file or block device. The kernel then refuses a device that is mounted or otherwise in use (open(2), O_EXCL).
func openExclusively(path string, flags int) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if isBlock(info) {
		flags |= unix.O_EXCL
	}
	f, err := os.OpenFile(path, flags, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, errors.New("the device is mounted or otherwise in use")
	}
	return f, err
}

// openImage opens an image to look at, by way of open. It returns its size in bytes.
func openImage(path string, open func(string, int) (*os.File, error)) (*os.File, int64, error) {
	f, err := open(path, os.O_RDONLY)
	if err != nil {
		return nil, 0, imageError(path, err)
	}
	size, err := imageSize(f)
	if err != nil {
		f.Close()
		return nil, 0, imageError(path, err)
	}
	return f, size, nil
}

// imageSize is the size of a file or block device in bytes.
func imageSize(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() && !isBlock(info) {
		return 0, errors.New("it is neither a file nor a block device")
	}
	return f.Seek(0, io.SeekEnd)
}

func isBlock(info fs.FileInfo) bool {
	return info.Mode()&fs.ModeDevice != 0 && info.Mode()&fs.ModeCharDevice == 0
}

// lockImage makes sure that no server of ours has the image mounted, and that none does while we look: servers lock it exclusively.
func lockImage(f *os.File, how int) error {
	return mount.Patiently(func() error {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return mount.ErrBusy
		}
		return err
	})
}

// imageError is one line about an image that cannot be used.
func imageError(path string, err error) error { return usage("%v", mount.Explain(path, err)) }
