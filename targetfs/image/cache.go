package image

import (
	"container/list"
	"fmt"
	"maps"
	"slices"
	"sync"

	"faultline/targetfs/disk"
	"faultline/targetfs/journal"
)

// cache keeps the most recently used clean metadata blocks. What it returns is shared and must not be changed.
type cache struct {
	mu     sync.Mutex
	limit  int // blocks
	recent *list.List
	byAddr map[uint64]*list.Element
	sorted map[uint64][]DirEntry // entries of committed leaves, clean or dirty, in the order of a listing
}

// maxSorted bounds the memory that sorted takes: a leaf has some hundred entries at most.
const maxSorted = 1024

type cached struct {
	addr uint64
	data []byte
}

func newCache(limit int) *cache {
	return &cache{limit: max(limit, 16), recent: list.New(), byAddr: map[uint64]*list.Element{}, sorted: map[uint64][]DirEntry{}}
}

func (c *cache) get(addr uint64) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byAddr[addr]
	if !ok {
		return nil, false
	}
	c.recent.MoveToFront(e)
	return e.Value.(cached).data, true
}

func (c *cache) put(addr uint64, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byAddr[addr]; ok {
		e.Value = cached{addr, data}
		c.recent.MoveToFront(e)
		return
	}
	c.byAddr[addr] = c.recent.PushFront(cached{addr, data})
	if c.recent.Len() > c.limit {
		delete(c.byAddr, c.recent.Remove(c.recent.Back()).(cached).addr)
	}
}

func (c *cache) drop(addr uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sorted, addr)
	if e, ok := c.byAddr[addr]; ok {
		c.recent.Remove(e)
		delete(c.byAddr, addr)
	}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recent.Init()
	clear(c.byAddr)
	clear(c.sorted)
}

func (c *cache) getSorted(leaf uint64) ([]DirEntry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries, ok := c.sorted[leaf]
	return entries, ok
}

// putSorted keeps the entries of a leaf until drop is told that it changes.
func (c *cache) putSorted(leaf uint64, entries []DirEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sorted) >= maxSorted {
		clear(c.sorted)
	}
	c.sorted[leaf] = entries
}

// load is the committed content of block addr. The caller must not change it.
func (im *Image) load(addr uint64) ([]byte, error) {
	if b, ok := im.dirty[addr]; ok {
		return b.data, nil
	}
	if data, ok := im.cache.get(addr); ok {
		return data, nil
	}
	if err := im.checkAddr(addr); err != nil {
		return nil, err
	}
	data := make([]byte, im.bs)
	if _, err := im.dev.ReadAt(data, im.offset(addr)); err != nil {
		return nil, fmt.Errorf("read block %d: %w", addr, err)
	}
	im.cache.put(addr, data)
	return data, nil
}

func (im *Image) offset(addr uint64) int64 { return int64(addr) << im.bs.Shift() }

// checkAddr refuses a pointer that leads before the first resource group or beyond the device.
func (im *Image) checkAddr(addr uint64) error {
	if addr <= im.bs.SuperblockAddr() || addr >= im.blocks {
		return disk.Corrupt(addr, "a pointer leads outside the device of %d blocks", im.blocks)
	}
	return nil
}

// flush makes what was committed durable: first in the journal, then in place. Blocks freed until now may be used again.
func (im *Image) flush() error {
	if err := im.writeDirty(); err != nil {
		// What is on the device now nobody knows.
		im.withdrawn = err
		return err
	}
	for addr, b := range im.dirty {
		im.cache.put(addr, b.data)
	}
	clear(im.dirty)
	clear(im.held)
	return nil
}

func (im *Image) writeDirty() error {
	addrs := slices.Sorted(maps.Keys(im.dirty))
	if im.log == nil || len(addrs) == 0 {
		if err := im.writeInPlace(addrs); err != nil {
			return err
		}
		return im.dev.Sync()
	}
	record := journal.Record{Blocks: make([]journal.Block, len(addrs))}
	for i, addr := range addrs {
		b := im.dirty[addr]
		record.Blocks[i] = journal.Block{Addr: addr, Data: b.data, Jdata: b.jdata}
	}
	im.logged = true
	if err := im.log.Commit(record); err != nil {
		return err
	}
	return im.writeInPlace(addrs)
}

// writeInPlace writes dirty blocks to their places, adjacent ones at once.
func (im *Image) writeInPlace(addrs []uint64) error {
	var buf []byte
	for i, addr := range addrs {
		buf = append(buf, im.dirty[addr].data...)
		if i+1 < len(addrs) && addrs[i+1] == addr+1 && len(buf) < chunk {
			continue
		}
		first := addr + 1 - uint64(len(buf)>>im.bs.Shift())
		if _, err := im.dev.WriteAt(buf, im.offset(first)); err != nil {
			return fmt.Errorf("write blocks %d to %d: %w", first, addr, err)
		}
		buf = buf[:0]
	}
	return nil
}

// spares are buffers of dirty blocks that a later transaction has replaced, for the next one: every change copies a few blocks, and
// allocating those is dearer than the copies. Only commit gives, when it is alone: no View runs, and what a transaction returns is
// never a part of a block.
type spares [][]byte

// maxSpares bounds the memory that spares take.
const maxSpares = 256

// take is a buffer for a block. Its content is arbitrary.
func (s *spares) take(bs disk.BlockSize) []byte {
	last := len(*s) - 1
	if last < 0 {
		return make([]byte, bs)
	}
	b := (*s)[last]
	*s = (*s)[:last]
	return b
}

// give takes a buffer back; nil is none.
func (s *spares) give(b []byte) {
	if b != nil && len(*s) < maxSpares {
		*s = append(*s, b)
	}
}
