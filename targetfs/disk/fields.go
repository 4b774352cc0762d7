package disk

// fields reads or writes the fields of a structure one after another. The structures that every operation decodes and encodes list their
// fields by hand, once for both directions: encoding/binary finds them by reflection, which is many times slower. The buffer must be
// large enough.
type fields struct {
	b     []byte // what comes next
	write bool
}

func (f *fields) u16(v *uint16) {
	if f.write {
		be.PutUint16(f.b, *v)
	} else {
		*v = be.Uint16(f.b)
	}
	f.b = f.b[2:]
}

func (f *fields) u32(v *uint32) {
	if f.write {
		be.PutUint32(f.b, *v)
	} else {
		*v = be.Uint32(f.b)
	}
	f.b = f.b[4:]
}

func (f *fields) u64(v *uint64) {
	if f.write {
		be.PutUint64(f.b, *v)
	} else {
		*v = be.Uint64(f.b)
	}
	f.b = f.b[8:]
}

func (f *fields) i64(v *int64) {
	u := uint64(*v)
	f.u64(&u)
	*v = int64(u)
}

// pad passes over n bytes that mean nothing, and are written as zero.
func (f *fields) pad(n int) {
	if f.write {
		clear(f.b[:n])
	}
	f.b = f.b[n:]
}

func (f *fields) inum(n *Inum) {
	f.u64(&n.FormalIno)
	f.u64(&n.Addr)
}

func (f *fields) header(h *MetaHeader) {
	f.u32(&h.Magic)
	f.u32((*uint32)(&h.Type))
	f.pad(8)
	f.u32(&h.Format)
	f.u32(&h.Jid)
}

func (f *fields) dinode(di *Dinode) {
	f.header(&di.MetaHeader)
	f.inum(&di.Num)
	f.u32(&di.Mode)
	f.u32(&di.UID)
	f.u32(&di.GID)
	f.u32(&di.Nlink)
	f.u64(&di.Size)
	f.u64(&di.Blocks)
	f.i64(&di.Atime)
	f.i64(&di.Mtime)
	f.i64(&di.Ctime)
	f.u32(&di.Major)
	f.u32(&di.Minor)
	f.u64(&di.GoalMeta)
	f.u64(&di.GoalData)
	f.u64(&di.Generation)
	f.u32(&di.Flags)
	f.u32(&di.PayloadFormat)
	f.pad(2)
	f.u16(&di.Height)
	f.pad(6)
	f.u16(&di.Depth)
	f.u32(&di.Entries)
	f.pad(16)
	f.u64(&di.Eattr)
	f.u32(&di.AtimeNsec)
	f.u32(&di.MtimeNsec)
	f.u32(&di.CtimeNsec)
	f.pad(44)
}

func (f *fields) leaf(lf *Leaf) {
	f.header(&lf.MetaHeader)
	f.u16(&lf.Depth)
	f.u16(&lf.Entries)
	f.u32(&lf.DirentFormat)
	f.u64(&lf.Next)
	f.u64(&lf.Inode)
	f.u32(&lf.Dist)
	f.u32(&lf.Nsec)
	f.u64(&lf.Sec)
	f.pad(40)
}

func (f *fields) dirent(d *Dirent) {
	f.inum(&d.Inum)
	f.u32(&d.Hash)
	f.u16(&d.RecLen)
	f.u16(&d.NameLen)
	f.u16(&d.Type)
	f.u16(&d.Rahead)
	f.pad(12)
}

func (f *fields) rgrp(rg *Rgrp) {
	f.header(&rg.MetaHeader)
	f.u32(&rg.Flags)
	f.u32(&rg.Free)
	f.u32(&rg.Dinodes)
	f.u32(&rg.Skip)
	f.u64(&rg.Igeneration)
	f.u64(&rg.Data0)
	f.u32(&rg.Data)
	f.u32(&rg.Bitbytes)
	f.u32(&rg.Crc)
	f.pad(60)
}
