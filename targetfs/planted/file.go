package planted

import (
	"context"
	"math"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// file is a regular file without any fault.
type file struct {
	node
	data
}

var (
	_ fs.NodeOpener      = (*file)(nil)
	_ fs.NodeGetattrer   = (*file)(nil)
	_ fs.NodeSetattrer   = (*file)(nil)
	_ fs.NodeReader      = (*file)(nil)
	_ fs.NodeWriter      = (*file)(nil)
	_ fs.NodeAllocater   = (*file)(nil)
	_ fs.NodeLseeker     = (*file)(nil)
	_ fs.NodeFsyncer     = (*file)(nil)
	_ fs.NodeOnForgetter = (*file)(nil)
)

// Open does not ask for FOPEN_KEEP_CACHE, so every open drops the page cache. It does not ask for FOPEN_DIRECT_IO either: O_DIRECT
// works without, and descriptors opened so can be mapped.
func (f *file) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, 0, 0
}

func (f *file) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attributes(&out.Attr)
	return 0
}

// attributes fills in all of them. The caller has the lock.
func (f *file) attributes(out *fuse.Attr) {
	f.node.attributes(out)
	out.Size = uint64(f.size)
	out.Blocks = uint64(len(f.blocks)) * (blockSize / 512) // of 512 bytes: stat(2)
}

func (f *file) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if size, ok := in.GetSize(); ok {
		f.setSize(int64(size))
		f.touch()
	}
	f.change(in)
	f.attributes(&out.Attr)
	return 0
}

func (f *file) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fuse.ReadResultData(dest[:f.readAt(dest, off)]), 0
}

func (f *file) Write(_ context.Context, _ fs.FileHandle, src []byte, off int64) (uint32, syscall.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if errno := f.writeAt(src, off); errno != 0 {
		return 0, errno
	}
	f.touch()
	return uint32(len(src)), 0
}

// Allocate is fallocate(2). The kernel lets KEEP_SIZE, PUNCH_HOLE and ZERO_RANGE through (fuse_file_fallocate in
// fs/fuse/file.c) and answers EOPNOTSUPP to the rest itself.
func (f *file) Allocate(_ context.Context, _ fs.FileHandle, off, length uint64, mode uint32) syscall.Errno {
	if off > math.MaxInt64 || length > math.MaxInt64-off {
		return syscall.EFBIG
	}
	at, n := int64(off), int64(length)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch mode &^ unix.FALLOC_FL_KEEP_SIZE {
	case unix.FALLOC_FL_PUNCH_HOLE:
		f.punch(at, n)
		f.touch()
		return 0
	case 0, unix.FALLOC_FL_ZERO_RANGE:
	default:
		return syscall.EOPNOTSUPP
	}
	if errno := f.reserve(at, n); errno != 0 {
		return errno
	}
	if mode&unix.FALLOC_FL_ZERO_RANGE != 0 {
		f.unwrite(at, n)
	}
	if mode&unix.FALLOC_FL_KEEP_SIZE == 0 {
		f.size = max(f.size, at+n)
	}
	f.touch()
	return 0
}

// Lseek is SEEK_DATA and SEEK_HOLE; the kernel does the rest itself. It does not write mapped pages back before it asks
// (fuse_lseek in fs/fuse/file.c), so we have it done first: a store into a hole must count as data. No lock is held
// meanwhile, for the pages come as WRITEs.
func (f *file) Lseek(_ context.Context, _ fs.FileHandle, off uint64, whence uint32) (uint64, syscall.Errno) {
	if off > math.MaxInt64 {
		return 0, syscall.ENXIO
	}
	f.NotifyContent(0, 0) // it may fail when nothing is cached, which is as good
	f.mu.Lock()
	defer f.mu.Unlock()
	seek := f.seekData
	if whence == unix.SEEK_HOLE {
		seek = f.seekHole
	}
	found, errno := seek(int64(off))
	return uint64(found), errno
}

// OnForget frees the blocks once neither a name nor the kernel refers to the file.
func (f *file) OnForget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free()
}
