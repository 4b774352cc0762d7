package fused

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"faultline/targetfs/connection"
	"faultline/targetfs/control"
	"faultline/targetfs/glock"
	"faultline/targetfs/image"
	"faultline/targetfs/session"
)

// Mount mounts an image on the directories of opts and serves it in the background, until it is unmounted. It mounts with mount(2)
// where it may and with fusermount3 where not. When it returns, the mounts are there.
func Mount(opts Options) (*Server, error) {
	if len(opts.Dirs) != opts.nodes() {
		return nil, fmt.Errorf("mount %s: %d directories for %d nodes", opts.Image, len(opts.Dirs), opts.nodes())
	}
	s := &Server{options: opts, log: opts.Log, ended: make(chan struct{})}
	if s.log == nil {
		s.log = log.Default()
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.newCopier()
	if err := s.open(); err != nil {
		return nil, err
	}
	s.space = glock.NewSpace(func(name glock.Name) string {
		if name.Type != glock.Inode {
			return ""
		}
		return s.title(name.Number)
	})
	if err := s.mountAll(); err != nil {
		return nil, errors.Join(err, s.finish())
	}
	go s.commit()
	return s, nil
}

// open opens the image and locks it against a second mount: by us, and of a block device by the kernel as well, which O_EXCL keeps away
// (open(2)).
func (s *Server) open() error {
	mode := os.O_RDWR
	if s.options.ReadOnly {
		mode = os.O_RDONLY
	}
	if info, err := os.Stat(s.options.Image); err == nil && info.Mode()&os.ModeDevice != 0 {
		mode |= unix.O_EXCL
	}
	f, err := os.OpenFile(s.options.Image, mode, 0)
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("mount %s: %w", s.options.Image, ErrBusy)
	}
	if err != nil {
		return fmt.Errorf("mount an image: %w", err)
	}
	device := newEager(f)
	fail := func(err error) error {
		device.Close()
		return fmt.Errorf("mount %s: %w", s.options.Image, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrBusy
		}
		return fail(err)
	}
	size, err := f.Seek(0, 2) // of a block device too
	if err != nil {
		return fail(err)
	}
	im, err := image.Open(device, size, image.Options{
		ReadOnly: s.options.ReadOnly, Quota: s.options.Quota, Journal: s.options.Journal})
	if err != nil {
		return fail(err)
	}
	s.file, s.image = device, im
	return nil
}

func (s *Server) mountAll() error {
	for i, dir := range s.options.Dirs {
		n := s.newNode(fmt.Sprintf("node%d", i), dir)
		if err := n.mount(); err != nil {
			for _, mounted := range s.nodes {
				err = errors.Join(err, connection.Abort(mounted.dir))
			}
			close(s.ended)
			return fmt.Errorf("mount %s on %s: %w", s.options.Image, dir, err)
		}
		s.nodes = append(s.nodes, n)
	}
	go s.serve()
	for _, n := range s.nodes {
		if n.shared() && n.fuse.Kernel().Flags64()&fuse.CAP_DIRECT_IO_ALLOW_MMAP == 0 {
			return errors.Join(ErrOneNode, s.Abort())
		}
		n.readAhead()
	}
	s.listen()
	return nil
}

// holdTime is how long a node keeps an inode that it has just got and that another one wants, so that a task can use the page which
// its fault brought. gfs2 begins with 200 ms.
const holdTime = 20 * time.Millisecond

func (s *Server) newNode(name, dir string) *node {
	n := &node{RawFileSystem: fuse.NewDefaultRawFileSystem(), s: s, name: name, dir: dir, around: newAround()}
	options := glock.Options{Name: name, CheckOrder: s.options.CheckOrder}
	options.Hooks.Describe = n.describe
	if s.options.nodes() > 1 {
		options.HoldTime = holdTime
		options.Hooks.Sync = n.flushInode
		options.Hooks.Invalidate = n.dropInode
	}
	n.glocks = s.space.Join(options)
	return n
}

// mount makes the mount. Requests are answered when serve is called.
func (n *node) mount() error {
	info, err := os.Stat(n.dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return syscall.ENOTDIR
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return ErrNoDevice
	}
	if os.Geteuid() != 0 {
		if _, err := exec.LookPath("fusermount3"); err != nil {
			return ErrNoFusermount
		}
	}
	n.fuse, err = session.Mount(n, n.dir, n.mountOptions())
	return err
}

func (n *node) mountOptions() *fuse.MountOptions {
	o := &n.s.options
	fast := o.fast()
	m := &fuse.MountOptions{
		FsName: o.Image, Name: "gfs2",
		AllowOther:       o.AllowOther,
		DirectMountFlags: syscall.MS_NOSUID | syscall.MS_NODEV,
		MaxWrite:         1 << 20, MaxBackground: 64,
		EnableSymlinkCaching: !n.shared(), EnableLocks: n.shared(),
		// All changes come through the kernel, or through notifications. Without this a new mtime drops the pages. But only with it does
		// each read begin with GETATTR (fs/fuse/file.c, fuse_cache_read_iter), which the user-copy policies need.
		ExplicitDataCacheControl: fast || n.shared(),
		DisableReadDirPlus:       n.shared(),
		// Not CAP_ASYNC_DIO: at the end of an asynchronous direct write the kernel does not drop the pages that were read in meanwhile, and they
		// would stay old (suites/regress/testdata/async-direct-write-stale.prog; seen on 6.18).
		ExtraCapabilities: fuse.CAP_DONT_MASK | fuse.CAP_READDIRPLUS_AUTO | fuse.CAP_SETXATTR_EXT | fuse.CAP_IOCTL_DIR,
		PanicHandler:      func(what any) fuse.Status { return n.s.panicked(what, debug.Stack()) },
		Logger:            n.s.log,
	}
	if fast {
		// The server clears suid, sgid and capabilities, and so the kernel need not ask for the capabilities before each write.
		m.ExtraCapabilities |= fuse.CAP_HANDLE_KILLPRIV_V2
	}
	if !o.trusting() {
		m.EnableAcl, m.Options = true, append(m.Options, "default_permissions")
	}
	if n.shared() {
		m.ExtraCapabilities |= fuse.CAP_DIRECT_IO_ALLOW_MMAP
	}
	if o.Suid {
		m.DirectMountFlags &^= syscall.MS_NOSUID
	}
	if o.Dev {
		m.DirectMountFlags &^= syscall.MS_NODEV
	}
	if o.ReadOnly {
		m.DirectMountFlags |= syscall.MS_RDONLY
	}
	return m
}

// shared tells whether the image has other nodes.
func (n *node) shared() bool { return n.s.options.nodes() > 1 }

// maxReadAhead is how far the kernel reads ahead of a sequential reader, in KiB.
const maxReadAhead = 4096

// readAhead raises the limit of readahead, which is 128 KiB. Only root may; without it reading is slower.
func (n *node) readAhead() {
	if dev, err := control.Device(n.dir); err == nil {
		_ = os.WriteFile("/sys/class/bdi/"+dev+"/read_ahead_kb", fmt.Append(nil, maxReadAhead), 0)
	}
}
