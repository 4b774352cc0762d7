package usercopy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// memory is the address space of a caller.
type memory interface {
	// resident is how many bytes from the start of r are in pages that are mapped and present.
	resident(r Range) (int, error)
	// touch makes the page at addr present, for writing if asked, and changes none of its bytes. It may take as long as the fault takes.
	touch(addr uintptr, write bool) error
}

// task is the memory of a running task.
type task int

// touch reads one byte with process_vm_readv(2), which faults as an access of the task itself would. For writing, it asks process_vm_writev(2)
// first to store a byte from an address of ours that cannot be read: the kernel gets the page for writing before it looks at what is to be
// stored (process_vm_rw_single_vec in mm/process_vm_access.c), so a private page is copied and a shared one made writable, and then nothing
// is stored. To read the byte and store it again would undo a store that another thread of the task makes in between. The call fails
// with EFAULT either way; the read that follows tells whether there is a page.
func (t task) touch(addr uintptr, write bool) error {
	remote := []unix.RemoteIovec{{Base: addr, Len: 1}}
	if write {
		if _, err := unix.ProcessVMWritev(int(t), unreadable(), remote, 0); err != nil && !errors.Is(err, unix.EFAULT) {
			return refusal(err)
		}
	}
	var b byte
	if _, err := unix.ProcessVMReadv(int(t), []unix.Iovec{{Base: &b, Len: 1}}, remote, 0); err != nil {
		return fmt.Errorf("touch %#x of task %d: %w", addr, int(t), refusal(err))
	}
	return nil
}

// unreadable is one byte of our memory that cannot be read.
var unreadable = sync.OnceValue(func() []unix.Iovec {
	guard, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return []unix.Iovec{{Base: nil, Len: 1}} // page zero is not mapped either
	}
	return []unix.Iovec{{Base: unsafe.SliceData(guard), Len: 1}}
})

const (
	// present is the bit of /proc/PID/pagemap that says that a page is in memory (Documentation/admin-guide/mm/pagemap.rst).
	present = 1 << 63
	// pagemapEntry is the size of what it says about one page, in bytes.
	pagemapEntry = 8
	// pagemapPages is how many pages are looked up at a time.
	pagemapPages = 512
)

// resident looks the pages up. Bit 63 says nothing about writing: a page that is present and not writable counts, and the kernel makes it
// writable in its own copy without asking the server, for FUSE has no request for that.
func (t task) resident(r Range) (int, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/pagemap", int(t)))
	if err != nil {
		return 0, refusal(err)
	}
	defer f.Close()
	size := uintptr(os.Getpagesize())
	end := r.Addr + uintptr(r.Len)
	entries := make([]byte, pagemapPages*pagemapEntry)
	for at := r.Addr &^ (size - 1); at < end; {
		pages := min((end-at+size-1)/size, pagemapPages)
		n, err := f.ReadAt(entries[:pages*pagemapEntry], int64(at/size*pagemapEntry))
		for i := 0; i+pagemapEntry <= n; i += pagemapEntry {
			if binary.NativeEndian.Uint64(entries[i:])&present == 0 {
				return int(max(at, r.Addr) - r.Addr), nil
			}
			at += size
		}
		if err != nil { // the end of the address space too
			return int(min(max(at, r.Addr), end) - r.Addr), nil
		}
	}
	return r.Len, nil
}

// iovecSize is the size of a struct iovec of a 64-bit program, in bytes.
const iovecSize = 16

// maxVector is the longest iovec that the kernel takes: UIO_MAXIOV.
const maxVector = 1024

// vector reads an iovec from a task's memory.
func vector(tid int, addr uintptr, count uint64) ([]Range, error) {
	count = min(count, maxVector)
	if count == 0 {
		return nil, nil
	}
	raw := make([]byte, count*iovecSize)
	n, err := unix.ProcessVMReadv(tid, []unix.Iovec{{Base: &raw[0], Len: count * iovecSize}}, []unix.RemoteIovec{{Base: addr, Len: len(raw)}}, 0)
	if err != nil {
		return nil, fmt.Errorf("read its iovec: %w", refusal(err))
	}
	if n < len(raw) {
		return nil, fmt.Errorf("read its iovec: %d bytes of %d", n, len(raw))
	}
	var all []Range
	for ; len(raw) > 0; raw = raw[iovecSize:] {
		length := min(binary.NativeEndian.Uint64(raw[8:]), uint64(maxCount))
		all = append(all, Range{uintptr(binary.NativeEndian.Uint64(raw)), int(length)})
	}
	return all, nil
}
