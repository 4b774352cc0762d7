package model

import (
	"errors"
	"slices"

	"faultline/generators/prog"
)

// Untorn writes (pwritev2(2), RWF_ATOMIC): direct, of one piece whose length is a power of two, at a multiple of its length. All of it is written or
// nothing, a buffer that goes bad half way included (fs/iomap/direct-io.c: iomap_dio_bio_iter; fs/read_write.c: generic_atomic_write_valid).
func (m *model) atomicWrite(c *transferCall, sp *span) (prog.Expect, error) {
	i := c.fd.ino
	switch {
	case len(c.flags) > 1 || c.moves || c.fd.append_:
		return nil, errors.New("the model knows RWF_ATOMIC alone, at an offset of its own")
	case !c.fd.direct || len(c.buf.Ranges) > 1 || c.buf.Ranges[0].Count > 1 || sp.n&(sp.n-1) != 0 || c.off%sp.n != 0:
		return prog.Expect{prog.Fails("EINVAL"), prog.Fails("EOPNOTSUPP")}, nil
	case sp.can < sp.n:
		return prog.Expect{prog.Fails("EFAULT"), prog.Fails("EINVAL")}, nil
	}
	want := m.counts(sp.n, sp.n)
	if sp.n != m.page || !m.isAligned(sp, c.off) {
		want = append(want, prog.Fails("EINVAL")) // smaller than the least length, larger than the largest, memory that the device cannot take
	}
	if sp.sure < sp.n {
		want = append(want, prog.Fails("EFAULT"), prog.Fails("EINVAL"))
	}
	if m.isMapped(i) {
		// A page that is in use cannot be dropped from the cache first; then there is no way through the cache instead.
		want, i.collided = append(want, prog.Fails("EAGAIN")), true
	}
	moved, sure := m.read(sp.places, sp.n), int64(0)
	if len(want) == 1 {
		sure = sp.n
	}
	m.extend(i, c.off+sp.n, sure == sp.n)
	m.transfer([]place{{ino: i, off: c.off, n: sp.n}}, sp.places, moved, sure)
	return want, nil
}

// isMapped reports whether some mapping shows the file.
func (m *model) isMapped(i *inode) bool {
	return slices.ContainsFunc(m.areas, func(a *area) bool { return a.ino == i && !a.gone })
}
