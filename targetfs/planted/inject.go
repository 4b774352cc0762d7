package planted

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// staleByte is what StaleTail finds on the disk that we do not have.
const staleByte = 0xa5

// injector decides which requests are hit.
type injector struct {
	Fault
	mu      sync.Mutex
	seen    int // requests that the fault is for, since the mount
	choices *rand.Rand
}

func newInjector(f Fault) *injector {
	return &injector{Fault: f, choices: rand.New(rand.NewPCG(f.Seed, 0))}
}

// faulty is a regular file that carries the fault.
type faulty struct {
	file
	injector *injector
	seen     int // as injector.seen, for this file; under injector.mu
	kept     kept
}

// fires counts a request that the fault called name is for, and tells whether it is hit.
func (f *faulty) fires(name string) bool {
	in := f.injector
	if in.Name != name {
		return false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.seen++
	f.seen++
	switch {
	case in.Nth > 0:
		return in.seen == in.Nth
	case in.Each > 0:
		return f.seen == in.Each
	case in.Rate > 0:
		return in.choices.IntN(in.Rate) == 0
	}
	return true
}

func (f *faulty) Getattr(ctx context.Context, h fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	errno := f.file.Getattr(ctx, h, out)
	if f.fires(LongSize) {
		out.Size++
	}
	return errno
}

func (f *faulty) Read(ctx context.Context, h fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	switch {
	case f.fires(BlockRead), f.injector.Name == BlockFault && fromPageFault(ctx) && f.fires(BlockFault):
		select {}
	case f.fires(Spin):
		for {
		}
	case f.fires(Die):
		os.Exit(1)
	case f.fires(EIO):
		return nil, syscall.EIO
	case f.fires(Slow):
		time.Sleep(f.injector.Delay)
	}
	f.keepLock(ctx)
	result, errno := f.file.Read(ctx, h, dest, off)
	if errno != 0 || result.Size() == 0 {
		return result, errno
	}
	dest = dest[:result.Size()]
	switch {
	case f.fires(CorruptByte):
		dest[0] ^= 0xff
	case f.fires(ShortRead):
		dest = dest[:len(dest)/2]
	}
	return fuse.ReadResultData(dest), 0
}

func (f *faulty) Write(ctx context.Context, h fs.FileHandle, src []byte, off int64) (uint32, syscall.Errno) {
	old := f.length()
	all, end := uint32(len(src)), off+int64(len(src))
	switch {
	case f.fires(BlockWrite):
		select {}
	case f.fires(ENOSPC):
		return 0, syscall.ENOSPC
	case f.fires(TearWrite):
		_, errno := f.file.Write(ctx, h, src[:all/2], off)
		f.lengthen(end)
		return all, errno
	case off < old && f.fires(StaleData):
		kept := min(end, old) - off
		_, errno := f.file.Write(ctx, h, src[kept:], off+kept)
		return all, errno
	}
	n, errno := f.file.Write(ctx, h, src, off)
	f.leak(old, off)
	return n, errno
}

func (f *faulty) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	old := f.length()
	if _, size := in.GetSize(); size && f.injector.Name == KeepSize {
		f.kept.await(ctx)
	}
	errno := f.file.Setattr(ctx, h, in, out)
	f.leak(old, f.length())
	return errno
}

func (f *faulty) Allocate(ctx context.Context, h fs.FileHandle, off, length uint64, mode uint32) syscall.Errno {
	old := f.length()
	errno := f.file.Allocate(ctx, h, off, length, mode)
	f.leak(old, f.length())
	return errno
}

// keepLock is what KeepLock and KeepSize do at a READ.
func (f *faulty) keepLock(ctx context.Context) {
	name := f.injector.Name
	switch {
	case name != KeepLock && name != KeepSize:
	case !fromPageFault(ctx):
		if f.fires(name) {
			f.kept.keep(ctx)
		}
	case name == KeepLock:
		f.kept.await(ctx)
	}
}

// leak is StaleTail: the file grew from length old, and nobody wrote [old, end). Two requests never change the length of one
// file at once, for the kernel sends them under the inode's lock.
func (f *faulty) leak(old, end int64) {
	end = min(end, (old/blockSize+1)*blockSize)
	if old >= end || !f.fires(StaleTail) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writeAt(bytes.Repeat([]byte{staleByte}, int(end-old)), old)
}

func (f *faulty) length() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size
}

// lengthen makes the file at least size bytes long.
func (f *faulty) lengthen(size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setSize(max(f.size, size))
}

// fromPageFault tells whether the thread that caused the request is handling a page fault: the kernel's handle_mm_fault is then on
// its stack (proc_pid_stack(5)). The thread may not sleep yet, and a running thread has no stack to show, so it is asked
// again for a while.
func fromPageFault(ctx context.Context) bool {
	caller, ok := fuse.FromContext(ctx)
	if !ok {
		return false
	}
	for range 1000 {
		stack, err := os.ReadFile(fmt.Sprintf("/proc/%d/stack", caller.Pid))
		if err != nil {
			return false
		}
		if len(stack) > 0 {
			return bytes.Contains(stack, []byte("handle_mm_fault"))
		}
		time.Sleep(time.Millisecond)
	}
	return false
}
