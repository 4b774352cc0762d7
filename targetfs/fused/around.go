package fused

import (
	"errors"
	"io"
	"os"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Reads here and there. The kernel reads ahead of who reads on, and asks for single pages of who does not. Where such reads lie close together,
// their surroundings are put into its cache before they are asked for (FUSE_NOTIFY_STORE): a request costs as much as a hundred kilobytes.
//
// What is stored replaces what is cached, a dirty page too (fs/fuse/dev.c, fuse_notify_store). So it must not be older than that: while a
// file is open for writing, by whomever, nothing of it is stored, and what makes it writable or changes its size waits until a store is over.
// FUSE has no page of a file dirty that nobody has open for writing: a mapping keeps its file open, and closing either writes the pages.
//
// A store waits for pages that are locked because they are being read. So nothing that a READ may wait for, a glock above all, is held meanwhile.

// around is what a node knows of such reads.
type around struct {
	mu      sync.Mutex
	over    sync.Cond      // a store is
	writers map[uint64]int // open files that may be written, by inode
	single  map[piece]uint // small reads of a piece lately
	stored  uint64         // pieces
	storing uint64         // the inode of which something is being stored, 0 for none
	buf     []byte         // what is stored
}

// piece is some pages of a file.
type piece struct{ ino, index uint64 }

// A piece of piecePages pages is stored when singleReads reads of smallPages pages at most were seen in it. What is known of maxPieces pieces is
// kept, half a gigabyte: reads that are spread over more of a file than that are left alone, most of them.
const (
	piecePages  = 128
	singleReads = 2
	smallPages  = 4
	maxPieces   = 1 << 10
)

func newAround() *around {
	a := &around{writers: map[uint64]int{}, single: map[piece]uint{}}
	a.over.L = &a.mu
	return a
}

// write begins a time in which the inode may be written, which written ends. Nothing of it is being stored then.
func (a *around) write(ino uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.writers[ino]++
	a.settle(ino)
}

func (a *around) written(ino uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.writers[ino]--; a.writers[ino] <= 0 {
		delete(a.writers, ino)
	}
}

// wait waits until nothing of the inode is being stored; of none when it is 0.
func (a *around) wait(ino uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle(ino)
}

func (a *around) settle(ino uint64) {
	for a.storing != 0 && (ino == 0 || a.storing == ino) {
		a.over.Wait()
	}
}

// begin notes a read of n bytes. It returns true when its piece is to be stored now, which end ends.
func (a *around) begin(ino uint64, off int64, n int) bool {
	page := os.Getpagesize()
	if n > smallPages*page {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.writers[ino] > 0 {
		return false
	}
	if len(a.single) >= maxPieces {
		clear(a.single)
	}
	p := piece{ino, uint64(off) / uint64(piecePages*page)}
	a.single[p]++
	if a.single[p] < singleReads || a.storing != 0 {
		return false
	}
	delete(a.single, p)
	a.stored++
	a.storing = ino
	return true
}

// count is how many pieces were stored.
func (a *around) count() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stored
}

func (a *around) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.storing = 0
	a.over.Broadcast()
}

// readAround is told of a READ that is about to be answered.
func (n *node) readAround(in *fuse.ReadIn, ino uint64) {
	if n.s.options.fast() && !n.shared() && in.Flags&unix.O_DIRECT == 0 && n.around.begin(ino, int64(in.Offset), int(in.Size)) {
		go n.storeAround(ino, int64(in.Offset))
	}
}

// storeAround stores the piece around an offset: its whole pages, for what is behind the end of the last one is the kernel's. A failure is
// nobody's: the kernel may have forgotten the inode.
func (n *node) storeAround(ino uint64, off int64) {
	a := n.around
	defer a.end()
	page := os.Getpagesize()
	if a.buf == nil {
		a.buf = make([]byte, piecePages*page)
	}
	off -= off % int64(len(a.buf))
	got, err := n.s.image.ReadAt(ino, a.buf, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return
	}
	_ = n.fuse.Store(n.nodeid(ino), off, a.buf[:got-got%page])
}
