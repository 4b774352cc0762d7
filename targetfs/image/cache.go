package image

import (
	"container/list"
	"fmt"
	"slices"
	"sync"

	"faultline/targetfs/disk"
)

// cache keeps the most recently used clean metadata blocks. What it returns is shared and must not be changed.
type cache struct {
	mu     sync.Mutex
	limit  int // blocks
	recent *list.List
	byAddr map[uint64]*list.Element
}

type cached struct {
	addr uint64
	data []byte
}

func newCache(limit int) *cache {
	return &cache{limit: max(limit, 16), recent: list.New(), byAddr: map[uint64]*list.Element{}}
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

// flush writes what was committed to the device and makes it durable. Blocks freed until now may be used again.
func (im *Image) flush() error {
	if err := im.writeInPlace(); err != nil {
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

func (im *Image) writeInPlace() error {
	addrs := make([]uint64, 0, len(im.dirty))
	for addr := range im.dirty {
		addrs = append(addrs, addr)
	}
	slices.Sort(addrs)
	for _, addr := range addrs {
		if _, err := im.dev.WriteAt(im.dirty[addr].data, im.offset(addr)); err != nil {
			return fmt.Errorf("write block %d: %w", addr, err)
		}
	}
	if err := im.dev.Sync(); err != nil {
		return fmt.Errorf("sync the device: %w", err)
	}
	return nil
}
