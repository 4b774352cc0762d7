package mount_test

import (
	"fmt"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"faultline/harness/self"
	"faultline/targetfs/session"
)

// nothingRole is a process that serves a file system that keeps names and sizes in memory, and no data: its argument is the mount point. It costs
// what /dev/fuse costs, and so it says how fast a server could be.
const nothingRole = "mount-nothing"

func init() {
	self.Register(nothingRole, func(args []string) int {
		fs := &nothing{RawFileSystem: fuse.NewDefaultRawFileSystem(), nodes: map[uint64]*blank{1: newBlank(unix.S_IFDIR | 0o755)}}
		s, err := session.Mount(fs, args[0], &fuse.MountOptions{FsName: "nothing", Name: "nothing", MaxWrite: 1 << 20, MaxBackground: 64,
			ExplicitDataCacheControl: true, DisableReadDirPlus: true, ExtraCapabilities: fuse.CAP_HANDLE_KILLPRIV_V2,
			DirectMountFlags: unix.MS_NOSUID | unix.MS_NODEV})
		if err != nil {
			return 1
		}
		fmt.Println("mounted")
		s.Serve()
		return 0
	})
}

// nothing is the file system, blank one of its inodes.
type nothing struct {
	fuse.RawFileSystem
	mu    sync.Mutex
	nodes map[uint64]*blank
	last  uint64
}

type blank struct {
	mode     uint32
	size     uint64
	names    map[string]int // of a directory: where they are in list
	list     []name         // in the order of a listing; inode 0 where one was removed
	unlinked bool
}

type name struct {
	text string
	ino  uint64
}

func newBlank(mode uint32) *blank { return &blank{mode: mode, names: map[string]int{}} }

// find is the inode of that name, 0 when there is none.
func (d *blank) find(text string) uint64 {
	if at, ok := d.names[text]; ok {
		return d.list[at].ino
	}
	return 0
}

func (d *blank) add(text string, ino uint64) {
	d.names[text] = len(d.list)
	d.list = append(d.list, name{text, ino})
}

func (d *blank) remove(text string) {
	d.list[d.names[text]].ino = 0
	delete(d.names, text)
	if len(d.names) == 0 {
		d.list = nil
	}
}

func (f *nothing) String() string { return "nothing" }

func (f *nothing) entry(ino uint64, out *fuse.EntryOut) {
	out.NodeId, out.Ino = ino, ino
	out.Mode, out.Size, out.Nlink = f.nodes[ino].mode, f.nodes[ino].size, 1
	out.SetEntryTimeout(time.Hour)
	out.SetAttrTimeout(time.Hour)
}

func (f *nothing) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ino := f.nodes[h.NodeId].find(name); ino != 0 {
		f.entry(ino, out)
	} else {
		out.SetEntryTimeout(time.Hour)
	}
	return fuse.OK
}

func (f *nothing) make(dir uint64, name string, mode uint32, out *fuse.EntryOut) fuse.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	ino := f.last + 1
	f.nodes[ino] = newBlank(mode)
	f.nodes[dir].add(name, ino)
	f.entry(ino, out)
	return fuse.OK
}

func (f *nothing) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return f.make(in.NodeId, name, unix.S_IFDIR|in.Mode, out)
}

func (f *nothing) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	out.OpenFlags = fuse.FOPEN_NOFLUSH | fuse.FOPEN_KEEP_CACHE
	return f.make(in.NodeId, name, unix.S_IFREG|in.Mode, &out.EntryOut)
}

func (f *nothing) Unlink(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.nodes[h.NodeId]
	ino := d.find(name)
	if ino == 0 {
		return fuse.ENOENT
	}
	d.remove(name)
	f.nodes[ino].unlinked = true
	return fuse.OK
}

func (f *nothing) Rmdir(cancel <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return f.Unlink(cancel, h, name)
}

func (f *nothing) Forget(ino, _ uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := f.nodes[ino]; i != nil && i.unlinked {
		delete(f.nodes, ino)
	}
}

func (f *nothing) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	out.Ino, out.Mode, out.Size, out.Nlink = in.NodeId, f.nodes[in.NodeId].mode, f.nodes[in.NodeId].size, 1
	out.SetTimeout(time.Hour)
	return fuse.OK
}

func (f *nothing) SetAttr(cancel <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	if size, ok := in.GetSize(); ok {
		f.mu.Lock()
		f.nodes[in.NodeId].size = size
		f.mu.Unlock()
	}
	return f.GetAttr(cancel, &fuse.GetAttrIn{InHeader: in.InHeader}, out)
}

func (f *nothing) Open(_ <-chan struct{}, _ *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	out.OpenFlags = fuse.FOPEN_NOFLUSH | fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

func (f *nothing) Read(_ <-chan struct{}, _ *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	return fuse.ReadResultData(buf), fuse.OK // what the last answer left there
}

func (f *nothing) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.nodes[in.NodeId]
	i.size = max(i.size, in.Offset+uint64(len(data)))
	return uint32(len(data)), fuse.OK
}

func (f *nothing) OpenDir(_ <-chan struct{}, _ *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return fuse.OK
}

func (f *nothing) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.nodes[in.NodeId].list
	for at := int(in.Offset); at < len(list); at++ {
		if list[at].ino != 0 && !out.AddDirEntry(fuse.DirEntry{Name: list[at].text, Ino: list[at].ino, Mode: unix.S_IFREG, Off: uint64(at) + 1}) {
			break
		}
	}
	return fuse.OK
}

func (f *nothing) Fsync(<-chan struct{}, *fuse.FsyncIn) fuse.Status    { return fuse.OK }
func (f *nothing) FsyncDir(<-chan struct{}, *fuse.FsyncIn) fuse.Status { return fuse.OK }

func (f *nothing) StatFs(<-chan struct{}, *fuse.InHeader, *fuse.StatfsOut) fuse.Status {
	return fuse.OK
}
