package planted

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"faultline/targetfs/connection"
)

// Serve mounts an empty file system with fault f on the directory dir, writes the line "mounted DIR" to ready, and serves until
// it is unmounted, its connection is aborted, or SIGTERM or SIGINT comes; it unmounts on a signal. It mounts with mount(2)
// where it may and with fusermount3 where not. The type is "fuse.planted".
//
// Serve is the whole work of a process: the process must exit when it returns, which ends the requests that are still stuck,
// and must never touch dir itself.
func Serve(dir string, f Fault, ready io.Writer) error {
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer cancel()

	before, err := connection.Devices()
	if err == nil {
		err = mount(dir, f)
	}
	if err != nil {
		return fmt.Errorf("mount planted file system (%v) on %s: %w", f, dir, err)
	}
	device, err := connection.New(before)
	if err == nil {
		_, err = fmt.Fprintf(ready, "mounted %s\n", dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("serve planted file system (%v) on %s: %w", f, dir, err), connection.Detach(dir))
	}
	connection.Wait(ctx, device)
	if ctx.Err() != nil {
		return connection.Detach(dir)
	}
	return nil
}

func mount(dir string, f Fault) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return syscall.ENOTDIR
	}
	if _, err := os.ReadFile("/proc/self/stack"); err != nil && slices.Contains([]string{BlockFault, KeepLock, KeepSize}, f.Name) {
		return fmt.Errorf("tell page faults from other reads, which needs root: %w", err)
	}
	_, err = fs.Mount(dir, newRoot(f), options())
	return err
}

func options() *fs.Options {
	none := time.Duration(0)
	return &fs.Options{
		// Every stat asks the server.
		AttrTimeout:     &none,
		EntryTimeout:    &none,
		NullPermissions: true,
		MountOptions: fuse.MountOptions{
			Name:        "planted",
			FsName:      "planted",
			DirectMount: true,
			MaxWrite:    1 << 20,
			// READs of one page, one after the other, so that faults that count them can be aimed. With fusermount3 the last
			// max_read wins, which is go-fuse's own, of MaxWrite: a READ may then be for many pages.
			Options:      []string{"default_permissions", fmt.Sprintf("max_read=%d", os.Getpagesize())},
			MaxReadAhead: os.Getpagesize(),
			SyncRead:     true,
			// All changes come through the kernel: a new mtime must not drop pages that are right.
			ExplicitDataCacheControl: true,
			DisableXAttrs:            true,
		},
	}
}
