package demand

import (
	"context"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// root is the directory of spaces.
type root struct{ fs.Inode }

// Mkdir makes a space.
func (r *root) Mkdir(ctx context.Context, name string, _ uint32, _ *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if r.GetChild(name) != nil {
		return nil, unix.EEXIST
	}
	s := &space{stopped: make(chan Stop), files: map[uint32]*file{}}
	dir := r.NewInode(ctx, s, fs.StableAttr{Mode: unix.S_IFDIR})
	dir.AddChild(StopsName, dir.NewPersistentInode(ctx, &stops{space: s}, fs.StableAttr{Mode: unix.S_IFREG}), false)
	dir.AddChild(OrdersName, dir.NewPersistentInode(ctx, &orders{space: s}, fs.StableAttr{Mode: unix.S_IFREG}), false)
	return dir, 0
}

// space are the files of one address space.
type space struct {
	fs.Inode
	// stopped hands a stop over to who reads stops; until then the request waits, as it does anyway.
	stopped chan Stop

	mu    sync.Mutex
	files map[uint32]*file
}

// Create makes a file whose name is its number.
func (s *space) Create(ctx context.Context, name string, _, _ uint32, _ *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	number, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return nil, nil, 0, unix.EINVAL
	}
	f := &file{space: s, number: uint32(number)}
	s.mu.Lock()
	s.files[f.number] = f
	s.mu.Unlock()
	return s.NewInode(ctx, f, fs.StableAttr{Mode: unix.S_IFREG}), nil, fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH, 0
}

// Unlink takes the name away; the file stays as long as it is mapped.
func (s *space) Unlink(context.Context, string) syscall.Errno { return 0 }

func (s *space) find(number uint32) *file {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[number]
}

// file is one whose pages are kept back.
type file struct {
	fs.Inode
	pages
	space  *space
	number uint32
}

// Getattr tells the size.
func (f *file) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Size = f.size()
	return 0
}

// Setattr takes a new size.
func (f *file) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, given := in.GetSize(); given {
		const most = 1 << 20 // far more pages than anybody needs
		if size%uint64(pageSize) != 0 || size/uint64(pageSize) > most {
			return unix.EINVAL
		}
		f.resize(int(size / uint64(pageSize)))
	}
	return f.Getattr(ctx, h, out)
}

// Release forgets a file that nobody maps any more.
func (f *file) Release(context.Context, fs.FileHandle) syscall.Errno {
	f.space.mu.Lock()
	defer f.space.mu.Unlock()
	if f.space.files[f.number] == f {
		delete(f.space.files, f.number)
	}
	return 0
}

// Read answers when the pages have been served.
func (f *file) Read(ctx context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	clear(dest)
	for done := 0; done < len(dest); done += pageSize {
		number := (int(off) + done) / pageSize
		page := f.at(number)
		if page == nil {
			return fuse.ReadResultData(dest[:done]), 0
		}
		if errno := f.await(ctx, page, uint32(number)); errno != 0 {
			return nil, errno
		}
		copy(dest[done:], page.data)
	}
	return fuse.ReadResultData(dest), 0
}

// await tells of the stop and waits for the page. When the caller is being killed it is EINTR: the kernel waits for an answer all the same. Of
// signals the kernel tells only once, and not which (request_wait_answer in fs/fuse/dev.c), so from then on the caller is looked at.
func (f *file) await(ctx context.Context, page *page, number uint32) syscall.Errno {
	stop := Stop{File: f.number, Page: number}
	if caller, ok := fuse.FromContext(ctx); ok {
		stop.TID = int32(caller.Pid)
	}
	stopped, signalled := f.space.stopped, ctx.Done()
	var look <-chan time.Time
	for !page.isAnswered() {
		select {
		case <-page.answered:
		case stopped <- stop:
			stopped = nil
		case <-signalled:
			signalled, look = nil, time.After(0)
		case <-look:
			if dying(stop.TID) {
				return unix.EINTR
			}
			look = time.After(lookEvery)
		}
	}
	if page.bad {
		return unix.EIO
	}
	return 0
}

// stops is the file that tells who is stopped.
type stops struct {
	fs.Inode
	space *space
}

const unbuffered = fuse.FOPEN_DIRECT_IO | fuse.FOPEN_NONSEEKABLE | fuse.FOPEN_NOFLUSH

// Open lets every read come to us.
func (s *stops) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, unbuffered, 0
}

// Read waits for the next stop.
func (s *stops) Read(ctx context.Context, _ fs.FileHandle, dest []byte, _ int64) (fuse.ReadResult, syscall.Errno) {
	if len(dest) < StopBytes {
		return nil, unix.EINVAL
	}
	select {
	case stop := <-s.space.stopped:
		return fuse.ReadResultData(stop.Append(dest[:0])), 0
	case <-ctx.Done():
		return nil, unix.EINTR
	}
}

// orders is the file that takes orders.
type orders struct {
	fs.Inode
	space *space
}

// Open lets every write come to us.
func (o *orders) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, unbuffered, 0
}

// Write carries an order out.
func (o *orders) Write(_ context.Context, _ fs.FileHandle, data []byte, _ int64) (uint32, syscall.Errno) {
	order, err := parseOrder(data)
	if err != nil {
		return 0, unix.EINVAL
	}
	f := o.space.find(order.File)
	if f == nil {
		return 0, unix.ENOENT
	}
	if errno := f.carryOut(order); errno != 0 {
		return 0, errno
	}
	return uint32(len(data)), 0
}
