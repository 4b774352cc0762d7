package image

import "faultline/targetfs/disk"

// visit checks one inode and everything it owns.
func (c *checker) visit(addr uint64, state disk.BlockState) {
	c.own(addr, disk.InodeBlock, addr)
	if state == disk.Unlinked {
		c.say(addr, "unlinked inode was not reclaimed")
	}
	di, err := c.tx.dinode(addr)
	if c.failed(err) {
		return
	}
	facts := c.facts(addr)
	facts.nlink, facts.dir, facts.system = di.Nlink, di.IsDir(), di.Flags&disk.FlagSystem != 0
	c.checkFields(&di)
	count := c.walkTree(&di, addr, 0)
	if di.IsDir() {
		count += c.walkDir(&di)
	}
	count += c.walkXattrs(&di)
	if di.Blocks != 1+count {
		c.say(addr, "di_blocks is %d, owns %d", di.Blocks, 1+count)
	}
}

// facts is the record of inode addr, which a name may have made before its dinode was read.
func (c *checker) facts(addr uint64) *inodeFacts {
	if c.inodes[addr] == nil {
		c.inodes[addr] = &inodeFacts{}
	}
	return c.inodes[addr]
}

func (c *checker) checkFields(di *disk.Dinode) {
	addr := di.Num.Addr
	if !disk.ValidType(di.Mode) {
		c.say(addr, "mode %#o has no file type", di.Mode)
	}
	if di.Flags&disk.FlagSystem == 0 && (di.GoalMeta <= c.im.bs.SuperblockAddr() || di.GoalMeta > c.im.blocks) {
		c.say(addr, "allocation goal %d is outside the device", di.GoalMeta)
	}
	if di.Num.FormalIno == 0 {
		c.say(addr, "formal inode number is 0")
	}
	switch {
	case di.IsDir():
		if di.Flags&disk.FlagJdata == 0 {
			c.say(addr, "directory without the jdata flag")
		}
		if !hashed(di) && (di.Height != 0 || di.Size != uint64(c.im.bs.StuffedMax())) {
			c.say(addr, "linear directory of %d bytes at height %d", di.Size, di.Height)
		}
	case di.Type() == disk.ModeLink:
		if di.Height != 0 || di.Size == 0 {
			c.say(addr, "symbolic link of %d bytes at height %d", di.Size, di.Height)
		}
	case di.Type() != disk.ModeReg && (di.Height != 0 || di.Size != 0):
		c.say(addr, "special file of %d bytes at height %d", di.Size, di.Height)
	}
}

// walkTree owns the blocks of the metadata tree below the pointer array of block addr, and counts them.
func (c *checker) walkTree(di *disk.Dinode, addr uint64, level int) (count uint64) {
	if di.Height == 0 {
		return 0
	}
	ptrs, err := c.tx.pointers(addr, level)
	if c.failed(err) {
		return 0
	}
	last := level == int(di.Height)-1
	for i := range len(ptrs) / 8 {
		child := disk.Ptr(ptrs, i)
		if child == 0 || c.ioErr != nil || !c.own(child, disk.Used, di.Num.Addr) {
			continue
		}
		count++
		switch {
		case !last:
			count += c.walkTree(di, child, level+1)
		case di.IsDir():
			_, err := c.tx.read(child, disk.TypeJD)
			c.failed(err)
		}
	}
	return count
}

// walkXattrs owns and checks the blocks of extended attributes.
func (c *checker) walkXattrs(di *disk.Dinode) (count uint64) {
	if di.Eattr == 0 {
		if di.Flags&disk.FlagEAIndirect != 0 {
			c.say(di.Num.Addr, "flag for indirect attributes without attributes")
		}
		return 0
	}
	if di.Flags&disk.FlagEAIndirect == 0 {
		return c.walkEABlock(di, di.Eattr)
	}
	if !c.own(di.Eattr, disk.Used, di.Num.Addr) {
		return 0
	}
	count++
	addrs, err := c.tx.eaBlocks(di)
	c.failed(err)
	for _, addr := range addrs {
		count += c.walkEABlock(di, addr)
	}
	return count
}

func (c *checker) walkEABlock(di *disk.Dinode, addr uint64) (count uint64) {
	if !c.own(addr, disk.Used, di.Num.Addr) {
		return 0
	}
	count++
	b, err := c.tx.read(addr, disk.TypeEA)
	if c.failed(err) {
		return count
	}
	for ea, err := range disk.EAsOf(b).All(addr) {
		if c.failed(err) {
			break
		}
		if ea.NameLen == 0 {
			c.say(addr, "attribute without a name")
		}
		if ea.Type == disk.EAUnused {
			continue
		}
		if ea.Type > c.im.sb.MaxEAType() {
			c.say(addr, "attribute of type %v in format %d", ea.Type, c.im.sb.FsFormat)
		}
		count += c.walkValue(di, &ea)
	}
	return count
}

func (c *checker) walkValue(di *disk.Dinode, ea *disk.EA) (count uint64) {
	for i := range int(ea.NumPtrs) {
		addr := disk.Ptr(ea.Ptrs(), i)
		if !c.own(addr, disk.Used, di.Num.Addr) {
			continue
		}
		count++
		_, err := c.tx.read(addr, disk.TypeED)
		c.failed(err)
	}
	return count
}
