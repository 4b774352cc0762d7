package demand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"faultline/harness/self"
	"faultline/targetfs/connection"
)

// Role is the name of the process that serves.
const Role = "demand-server"

func init() { self.Register(Role, main) }

// main is the body of the role.
func main(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "want a mount point")
		return 2
	}
	if err := serve(args[0], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// serve mounts on dir, says so, and serves until somebody has unmounted it, or the lease ends: then it unmounts. Who still waits for a page gets an
// error when the process ends.
func serve(dir string, lease io.Reader, ready io.Writer) error {
	before, err := connection.Devices()
	if err == nil {
		_, err = fs.Mount(dir, &root{}, options())
	}
	if err != nil {
		return fmt.Errorf("mount files with pages on demand on %s: %w", dir, err)
	}
	device, err := connection.New(before)
	if err == nil {
		_, err = fmt.Fprintln(ready, "mounted")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("serve files with pages on demand on %s: %w", dir, err), connection.Detach(dir))
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, lease) // its end is all that counts
		cancel()
	}()
	connection.Wait(ctx, device)
	if ctx.Err() != nil {
		return connection.Detach(dir)
	}
	return nil
}

func options() *fs.Options {
	return &fs.Options{MountOptions: fuse.MountOptions{
		Name:        "faultline-demand",
		FsName:      "faultline-demand",
		DirectMount: true,
		// Less than a page: no readahead (process_init_reply in fs/fuse/inode.c). 0 would be the kernel's own.
		MaxReadAhead: 1,
		// Served pages stay what they are, whatever the time stamps say.
		ExplicitDataCacheControl: true,
		DisableXAttrs:            true,
	}}
}
