package image

import (
	"errors"
	"syscall"

	"faultline/targetfs/disk"
	"faultline/targetfs/journal"
)

func isNotExist(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR)
}

// checkSystem checks the system files: that they exist, carry the flag, and have the right sizes.
func (c *checker) checkSystem() {
	master := c.im.Master()
	c.systemInode(master)
	for _, name := range []string{nameInum, nameStatfs, nameRindex, nameQuota} {
		c.systemNamed(master, name)
	}
	jindex, perNode := c.systemNamed(master, nameJindex), c.systemNamed(master, namePerNode)
	if root := c.inodes[c.im.Root()]; root == nil || !root.dir {
		c.say(c.im.Root(), "root is no directory")
	}
	if jindex == 0 || perNode == 0 {
		return
	}
	journals, err := c.tx.numbered(jindex, "journal")
	if c.failed(err) {
		return
	}
	if len(journals) == 0 {
		c.say(jindex, "no journal")
	}
	for i, addr := range journals {
		c.checkJournal(addr, i)
	}
	c.perNodeFiles(perNode, "inum_range", len(journals), disk.InumRangeSize)
	c.perNodeFiles(perNode, "statfs_change", len(journals), disk.StatfsChangeSize)
	for _, addr := range c.perNodeFiles(perNode, "quota_change", len(journals), 0) {
		c.checkQuotaChange(addr)
	}
}

func (c *checker) systemNamed(dir uint64, name string) uint64 {
	addr, err := c.tx.system(dir, name)
	if c.failed(err) {
		return 0
	}
	c.systemInode(addr)
	return addr
}

func (c *checker) systemInode(addr uint64) {
	if facts := c.inodes[addr]; facts == nil || !facts.system {
		c.say(addr, "system inode without the system flag")
	}
}

// perNodeFiles finds the files of each node and checks their size; 0 accepts any.
func (c *checker) perNodeFiles(dir uint64, name string, nodes int, size uint64) []uint64 {
	addrs, err := c.tx.numbered(dir, name)
	if c.failed(err) {
		return nil
	}
	if len(addrs) != nodes {
		c.say(dir, "%d files %s for %d journals", len(addrs), name, nodes)
	}
	for _, addr := range addrs {
		c.systemInode(addr)
		di, err := c.tx.dinode(addr)
		if !c.failed(err) && size != 0 && (di.Size != size || di.Height != 0) {
			c.say(addr, "%s of %d bytes at height %d, want %d stuffed bytes", name, di.Size, di.Height, size)
		}
	}
	return addrs
}

// checkJournal checks size and holes, with either of which wrong a mount fails, and that there is nothing to replay.
func (c *checker) checkJournal(addr uint64, id int) {
	c.systemInode(addr)
	f, err := c.tx.journalFile(addr, uint32(id))
	if c.failed(err) {
		return
	}
	head, err := journal.Head(c.im.dev, f)
	if !c.failed(err) && !journal.Clean(head) {
		c.say(addr, "journal %d is dirty", id)
	}
}

func (c *checker) checkQuotaChange(addr uint64) {
	di, err := c.tx.dinode(addr)
	if c.failed(err) {
		return
	}
	if di.Size == 0 || di.Size%quotaBytes != 0 || di.Size > 64*quotaBytes {
		c.say(addr, "quota_change of %d bytes, want a multiple of %d", di.Size, quotaBytes)
		return
	}
	for lblk := range di.Size >> c.im.bs.Shift() {
		r, err := c.tx.extent(&di, lblk, 1)
		if c.failed(err) {
			return
		}
		if r.addr == 0 {
			c.say(addr, "quota_change with a hole at block %d", lblk)
			return
		}
		if _, err := c.tx.read(r.addr, disk.TypeQC); c.failed(err) {
			return
		}
	}
}
