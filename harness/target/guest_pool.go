package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"faultline/harness/guest"
	"faultline/harness/guest/initramfs"
	"faultline/harness/guest/kernels"
	"faultline/harness/guest/pid1"
	"faultline/harness/machine/agent"
	"faultline/targetfs/disk"
	"faultline/targetfs/image"
)

// guestPools are kept while we run, one for all targets that are alike: a target that is replaced finds its guest in reserve, with a disk made from the
// same template.
var guestPools = struct {
	sync.Mutex
	all map[string]*alike
}{all: map[string]*alike{}}

// alike are the guests of one spec.
type alike struct {
	pool  *guest.Pool
	known knowledge
}

// alike finds or makes the guests of a spec. Their files have no names any more when it returns, so that nothing of them can be left behind.
func (b *local) alike(ctx context.Context, o guestOptions, k kernels.Kernel) (*alike, error) {
	guestPools.Lock()
	defer guestPools.Unlock()
	key := strings.Join([]string{b.spec, b.opts.Temp, k.Linux, k.Source}, "\x00")
	if a := guestPools.all[key]; a != nil {
		return a, nil
	}
	s := guest.Spec{
		Kernel: k, Memory: o.memory, Temp: b.opts.Temp, KVM: o.kvm,
		Order: pid1.Order{Agent: agent.Role, Mounts: o.mounts()},
	}
	dir, err := makeHome(b.opts.Temp, b.owner)
	if err != nil {
		return nil, err
	}
	err = o.fill(ctx, b.spec, &s, dir.Path)
	if removeErr := removeOurs(dir); err == nil {
		err = removeErr
	}
	if err != nil {
		return nil, err
	}
	a := &alike{pool: guest.NewPool(s, b.opts.tell)}
	guestPools.all[key] = a
	return a, nil
}

// fill makes the files of a guest in dir and opens them.
func (o guestOptions) fill(ctx context.Context, spec string, s *guest.Spec, dir string) error {
	initrd := filepath.Join(dir, "initrd")
	if err := o.writeInitrd(spec, s.Kernel, initrd); err != nil {
		return err
	}
	var err error
	if s.Initrd, err = keepOpen(initrd); err != nil {
		return err
	}
	add := func(name string, format func(path string) error) error {
		path := filepath.Join(dir, name)
		if err := format(path); err != nil {
			return err
		}
		template, err := keepOpen(path)
		s.Disks = append(s.Disks, template)
		return err
	}
	err = add("other", func(path string) error { return makeFS(ctx, otherType.disk(), path, otherSize, "") })
	if err != nil || o.disk() == nil {
		return err
	}
	return add("disk", func(path string) error { return o.format(ctx, s.Kernel, path) })
}

// keepOpen opens a file until our end, and names it in a way that outlives its own name (proc_pid_fd(5)).
func keepOpen(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	kept = append(kept, f)
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd()), nil
}

// kept are the files that must not be closed. It is guarded by guestPools.
var kept []*os.File

func (o guestOptions) writeInitrd(spec string, k kernels.Kernel, path string) error {
	must, maybe := o.modules()
	err := initramfs.Create(path, "/proc/self/exe", k.Modules, must, maybe)
	if lacking, is := errors.AsType[*initramfs.NoModule](err); is {
		return &Missing{spec, []string{lacking.Error()}}
	}
	return err
}

// format makes the file system that every guest begins with.
func (o guestOptions) format(ctx context.Context, k kernels.Kernel, path string) error {
	of := o.disk()
	if of.name == "gfs2" && o.mkfs == "" {
		return o.formatGFS2(path, parseVersion(k.Release))
	}
	return makeFS(ctx, of, path, o.size, o.mkfs)
}

func makeFS(ctx context.Context, of *fsType, path string, size int64, options string) error {
	if err := makeImage(path, size); err != nil {
		return err
	}
	_, err := runTool(ctx, of.mkfs[0], slices.Concat(of.mkfs[1:], strings.Fields(options), []string{path})...)
	return err
}

// newFormat is the first kernel that mounts format 1802 (GFS2_FS_FORMAT_MAX in include/uapi/linux/gfs2_ondisk.h).
var newFormat = version{5, 13}

func (o guestOptions) formatGFS2(path string, kernel version) error {
	options := image.FormatOptions{Journals: o.nodes}
	if kernel.less(newFormat) {
		options.Version = disk.Format1801
	}
	return formatImage(path, o.size, options)
}
