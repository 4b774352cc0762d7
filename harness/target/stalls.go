package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"faultline/harness/demand"
)

// Ways to stall, for Options.StallWith.
const (
	// WithUserfaultfd makes stalls memory of userfaultfd(2).
	WithUserfaultfd = "userfaultfd"
	// WithFUSE makes them files of a FUSE mount, whose pages arrive on demand (package demand).
	WithFUSE = "fuse"
)

// StallWithEnv is the variable of the environment that says which way to stall where Options do not. It reaches the processes of suites too.
const StallWithEnv = "FAULTLINE_STALL_WITH"

// stallWays are the values of Options.StallWith.
var stallWays = []string{"", WithUserfaultfd, WithFUSE}

// chooseStalls decides how programs stop system calls: with userfaultfd where it is there, or else with FUSE files.
func (b *local) chooseStalls(ctx context.Context) error {
	uffd := b.lacks["userfaultfd"]
	way := b.opts.StallWith
	if way == WithUserfaultfd || way == "" && uffd == "" || b.guest != nil {
		b.setLack("stall", uffd)
		if uffd == "" {
			b.facts.Stalls = WithUserfaultfd
		}
		return nil
	}
	if uffd == "" {
		uffd = "FUSE files stop system calls here, as was asked for"
	}
	b.setLack("userfaultfd", uffd)
	b.setLack("uffd-wp", uffd)
	if why := b.serveStalls(ctx); why != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b.setLack("stall", fmt.Sprintf("%s; and no FUSE file can do instead: %v", uffd, why))
		return nil
	}
	b.facts.Stalls = WithFUSE
	delete(b.lacks, "stall-poison")
	return nil
}

// serveStalls starts the server of files with pages on demand. Its mount lies beside the folder for files elsewhere, which is not on the file system under test, where
// there is one.
func (b *local) serveStalls(ctx context.Context) error {
	if err := missing(b.spec, lacksFuse()); err != nil {
		return errors.New(strings.Join(err.(*Missing).What, ", "))
	}
	place := b.opts.Temp
	if b.Other() != "" {
		place = filepath.Dir(b.Other())
	}
	m, err := ask[made](ctx, b.hands, "make a folder in "+place, "make", makeArgs{Base: place, Owner: b.owner})
	if err != nil {
		return err
	}
	b.laterRemove(m.Home)
	point := filepath.Join(m.Home.Path, "stalls")
	if err := os.Mkdir(point, 0o700); err != nil {
		return err
	}
	s, err := startServer(ctx, b.opts.Patience, demand.Role, point)
	b.later("end the server of stalls", func(ctx context.Context) error { return b.endStalls(ctx, s, point) })
	if err != nil {
		return err
	}
	b.stalls, b.stallServer = point, s
	return nil
}

// endStalls has the server unmount. Whoever still waits for a page, which can only be a worker that was left behind, gets an error.
func (b *local) endStalls(ctx context.Context, s *server, point string) error {
	var err error
	if s != nil {
		err = s.finish(b.opts.Patience, false)
	}
	_, unmountErr := ask[bool](context.WithoutCancel(ctx), b.hands, "unmount "+point, "unmount", unmountArgs{Point: point, Lazy: true})
	return errors.Join(err, unmountErr)
}

// Stalls is where stalls are files.
func (b *local) Stalls() string { return b.stalls }

// newUserfaultfd gets a userfaultfd that takes faults of the kernel too, by the system call or, since Linux 6.1, from a device that somebody may have opened to
// us: USERFAULTFD_IOC_NEW of include/uapi/linux/userfaultfd.h.
func newUserfaultfd() (fd int, through string, err error) {
	const flags = unix.O_CLOEXEC | unix.O_NONBLOCK
	r, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, flags, 0, 0)
	if errno == 0 {
		return int(r), "for faults in the kernel too", nil
	}
	const device, request = "/dev/userfaultfd", 0xaa00
	if f, openErr := os.OpenFile(device, os.O_RDWR, 0); openErr == nil {
		defer f.Close()
		if r, _, e := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, flags); e == 0 {
			return int(r), "through " + device, nil
		}
	}
	return -1, "", fmt.Errorf("userfaultfd: %w; it takes root, sysctl vm.unprivileged_userfaultfd=1, or access to %s", errno, device)
}
