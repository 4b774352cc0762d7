package model

import (
	"fmt"
	"slices"

	"faultline/generators/prog"
)

// transferCall is one read or write of any form, its arguments taken apart.
type transferCall struct {
	fd    *descriptor
	buf   prog.Buf
	off   int64
	flags prog.Words
	// moves says that the call uses and moves the file position.
	moves bool
}

func (m *model) call(s *prog.Step) (c transferCall, err error) {
	c.fd = m.fd(s)
	c.buf = s.Args[1].(prog.Buf)
	c.moves = len(s.Args) < 3
	if !c.moves {
		c.off = s.Args[2].(prog.Size).In(m.page)
		c.moves = len(s.Args) > 3 && c.off == -1
	}
	if len(s.Args) > 3 {
		c.flags = s.Args[3].(prog.Words)
	}
	if c.moves {
		if c.fd.lost {
			return c, fmt.Errorf("the position of the descriptor is not known here; set it with lseek first")
		}
		c.off = c.fd.pos
	}
	return c, nil
}

// refused is how a call fails before it looks at its buffer: a negative offset comes first, which of mode and vector comes next differs by
// kernel (vfs_readv).
func (c *transferCall) refused(permitted bool) (prog.Expect, error) {
	switch {
	case c.fd.ino.pipe != nil:
		return nil, fmt.Errorf("a pipe has no offset")
	case c.fd.ino.dir:
		return nil, fmt.Errorf("the model does not read or write directories")
	case c.off < 0, permitted && c.tooMany():
		return fails("EINVAL"), nil
	case c.tooMany():
		return append(fails("EBADF"), prog.Fails("EINVAL")), nil
	case !permitted:
		return fails("EBADF"), nil
	}
	return nil, nil
}

// tooMany says why a vector is refused before anything else happens: more than IOV_MAX pieces (readv(2)).
func (c *transferCall) tooMany() bool {
	n := 0
	for _, r := range c.buf.Ranges {
		n += max(r.Count, 1)
	}
	return n > 1024
}

func (m *model) readStep(s *prog.Step) (prog.Expect, error) {
	if m.fd(s).ino.pipe != nil && len(s.Args) == 2 {
		return m.pipeRead(s)
	}
	c, err := m.call(s)
	if err != nil {
		return nil, err
	}
	if refused, err := c.refused(c.fd.read); refused != nil || err != nil {
		return refused, err
	}
	i := m.view(c.fd.ino)
	sp := m.lookup(s, c.buf, true)
	t := tally{n: sp.n, sure: sp.sure, can: sp.can}
	t.availSure = clamp(i.minSize()-c.off, sp.n)
	t.avail = clamp(i.maxSize()-c.off, sp.n)
	lo, hi := min(t.sure, t.availSure), min(t.can, t.avail)
	direct := c.fd.direct && sp.n > 0
	want := m.readResults(&t, lo, hi, direct)
	if direct && !m.isAligned(sp, c.off) {
		want, lo = append(want, prog.Fails("EINVAL")), 0
	}
	switch {
	case c.flags.Has("nowait") && hi > 0:
		want, lo = append(append(m.upTo(hi), want...), prog.Fails("EAGAIN")), 0
	case c.flags.Has("nowait") && sp.n > 0:
		want = append(want, prog.Fails("EAGAIN"))
	}
	if direct && t.sure < t.n {
		lo = 0
	}
	if direct && i.cutShort && c.off+sp.n > i.minSize() {
		m.prog.Need("clean-short-write")
	}
	if direct && hi > 0 && (m.sec != nil && m.storable(c.fd.ino) || m.overlap(sp.shared(), c.fd.ino, c.off, c.off+sp.n)) {
		// A block that a store through a mapping has just reserved cannot be read directly (iomap_dio_iter, IOMAP_DELALLOC).
		want, lo = append(want, prog.Fails("EIO")), 0
	}
	if direct && hi > 0 && m.chases(sp, c.fd.ino, c.off) {
		m.prog.Need("self-direct-read")
	}
	m.copyOnWrite(sp)
	src := []place{{ino: c.fd.ino, off: c.off, n: hi}}
	m.transfer(sp.places, src, m.read(src, hi), lo)
	if direct && m.sec != nil {
		m.unstable(sp)
	}
	if direct && hi < sp.can {
		m.slack(sp, hi)
	}
	m.move(&c, want)
	return want, nil
}

// tally counts the bytes of a transfer: asked for, touchable, available in the file.
type tally struct {
	n, sure, can     int64
	availSure, avail int64
}

// readResults are the counts a read may return. A buffered read copies up to the first bad byte exactly; EFAULT only if that is the first. A
// direct read may fail as a whole, or return what it has (user-visible rules of filemap_read, iomap_dio_rw, btrfs_direct_read).
func (m *model) readResults(t *tally, lo, hi int64, direct bool) prog.Expect {
	if t.avail == 0 {
		if direct && t.sure < t.n {
			return m.counts(0, 0, prog.Fails("EFAULT"))
		}
		if t.sure < t.n {
			m.prog.Need("eof-first")
		}
		return m.counts(0, 0)
	}
	var want prog.Expect
	if direct && t.sure < t.n {
		want = append(want, prog.Fails("EFAULT"))
		if m.wholeDIO && t.can < t.availSure {
			return want
		}
		lo = 0
	}
	if hi > 0 {
		want = append(m.counts(max(lo, 1), hi), want...)
	}
	if t.availSure == 0 {
		want = append(want, prog.Exactly(prog.Size{}))
	}
	if t.sure == 0 && !direct {
		want = append(want, prog.Fails("EFAULT"))
	}
	return want
}

// storable reports whether the file can be stored to through a mapping.
func (m *model) storable(i *inode) bool {
	for _, a := range m.areas {
		if a.ino == i && a.shared && slices.ContainsFunc(a.pages, func(p page) bool { return p.write && !p.unmapped }) {
			return true
		}
	}
	return false
}

// unstable notes that others write the destination of a direct read meanwhile. Where data has checksums they may no longer match what was
// read: btrfs then zeroes it, and complains in the kernel log.
func (m *model) unstable(sp *span) {
	for _, p := range sp.places {
		if p.a.shared && m.writes(nil, p.a.ino) || !p.a.shared && m.writes(p.a, nil) {
			if m.sec.during != nil {
				m.prog.Need("unstable-buffer")
			}
		}
	}
}

// slack are the bytes of a direct read's buffer that lie behind the end of the file. The device's last block reaches into them, with whatever
// it holds there, and the rest of the buffer may be zeroed as a hole would be (iomap_dio_rw cuts the count only at the end).
func (m *model) slack(sp *span, hi int64) {
	block := min(sp.can, m.pagesOf(hi)*m.page)
	tail := join(m.read(sp.places, hi), unknown(block-hi), zeros(sp.can-block))
	m.write(sp.places, mix(tail, m.read(sp.places, sp.can)), 0)
}

func (m *model) writeStep(s *prog.Step) (prog.Expect, error) {
	if m.fd(s).ino.pipe != nil && len(s.Args) == 2 {
		return m.pipeWrite(s)
	}
	c, err := m.call(s)
	if err != nil {
		return nil, err
	}
	if c.flags.Has("nowait") {
		m.prog.Need(map[bool]string{true: "nowait", false: "nowait-write"}[c.fd.direct])
	}
	if refused, err := c.refused(c.fd.write); refused != nil || err != nil {
		return refused, err
	}
	i := c.fd.ino
	if c.fd.append_ || c.flags.Has("append") {
		if v := m.view(i); !v.known() || m.sec != nil {
			return nil, fmt.Errorf("the model cannot append while the size is not known")
		}
		c.off = m.view(i).maxSize()
	}
	sp := m.lookup(s, c.buf, false)
	if sp.n == 0 {
		return m.counts(0, 0), nil
	}
	if c.flags.Has("atomic") {
		return m.atomicWrite(&c, sp)
	}
	sp = m.selfExtending(s, &c, sp)
	m.relies(&c, sp)
	i.cutShort = i.cutShort || !c.fd.direct && sp.sure < sp.n
	want, sure, can := m.writeResults(&c, sp)
	if can > 0 {
		// What is stored behind the end of the file can still be the source of the write that zeroes it.
		moved := m.read(sp.places, can)
		m.extend(i, c.off+can, sure == can)
		if c.fd.direct && m.overlap(sp, i, c.off, c.off+can) {
			// A page that is the source of this very write cannot be dropped from the cache and may stay stale (generic/729).
			sure, i.collided = 0, true
		}
		i.collided = i.collided || c.fd.direct && m.sec != nil
		m.transfer([]place{{ino: i, off: c.off, n: can}}, sp.places, moved, sure)
	}
	m.move(&c, want)
	return want, nil
}

// relies notes what the program relies on when the buffer of its write goes bad, or may, or maps the very pages that it writes.
func (m *model) relies(c *transferCall, sp *span) {
	i, end, stop := m.view(c.fd.ino), c.off+sp.n, c.off+sp.sure
	const small = 1024 // bytes of a file that may have no blocks of its own
	if i.mapped && i.minSize() < small {
		m.prog.Need("mapped-store-keeps")
	}
	bad, own := stop < end, m.overlap(sp, c.fd.ino, c.off, end)
	if sp.sure == 0 && c.off > i.minSize() {
		m.prog.Need("clean-efault")
	}
	if !c.fd.direct {
		if bad && unreadBlock(i, c.off, end, stop) && (sp.sure < sp.can || stop%m.page != 0) {
			m.prog.Need("cold-write-keeps")
		}
		if (bad || own) && unreadBlock(i, c.off, end, c.off) {
			m.prog.Need("cold-fault-keeps")
		}
		return
	}
	if bad && (sp.align < m.page || c.off%m.page != 0) {
		m.prog.Need("sub-block-efault")
	}
	if bad && sp.sure > 0 && stop < i.maxSize() {
		m.prog.Need("short-dio-keeps")
	}
	if bad && end > i.minSize() {
		m.prog.Need("clean-append")
	}
	if (bad || own) && (end > i.minSize() || !i.data.slice(c.off, end).solid()) {
		m.prog.Need("clean-blocks") // blocks are allocated before they are written, or are not written at all
	}
}

// unreadBlock reports whether a buffered write from off to end has a block of the file whose old bytes it need not read first, as it was to write all
// of it, but which goes on behind stop, where its buffer may be bad. Blocks have 512 bytes at least.
func unreadBlock(i *inode, off, end, stop int64) bool {
	const block = 512
	up := func(n int64) int64 { return (n + block - 1) / block * block }
	return min(end/block*block, up(i.maxSize())) > max(up(off), stop)
}

// selfExtending looks the buffer of a write up again when it maps the file behind its end: as the write makes the file grow, more of the
// buffer may become readable.
func (m *model) selfExtending(s *prog.Step, c *transferCall, sp *span) *span {
	i := c.fd.ino
	sizes, between, data := i.sizes, i.between, i.data
	for sp.can > 0 && sp.can < sp.n && m.view(i) == i && c.off+sp.can > i.maxSize() {
		m.grow(i, c.off+sp.can, true)
		i.may(c.off + sp.can)
		again := m.lookup(s, c.buf, false)
		if again.can == sp.can {
			break
		}
		sp = again
	}
	i.sizes, i.between, i.data = sizes, between, data
	return sp
}

// writeResults are the counts a write may return, how many bytes are certainly and perhaps written.
func (m *model) writeResults(c *transferCall, sp *span) (want prog.Expect, sure, can int64) {
	direct := c.fd.direct
	switch {
	case sp.sure == sp.n:
		want, sure, can = m.counts(sp.n, sp.n), sp.n, sp.n
	case sp.can == 0:
		want = fails("EFAULT")
	case !direct && m.exactShort && sp.sure == sp.can:
		want, sure, can = m.counts(sp.can, sp.can), sp.can, sp.can
	case direct && m.wholeDIO && sp.can < sp.n:
		want, can = fails("EFAULT"), sp.can
	default:
		want, can = append(m.counts(1, sp.can), prog.Fails("EFAULT")), sp.can
	}
	if direct && !m.isAligned(sp, c.off) {
		want, sure = append(want, prog.Fails("EINVAL")), 0
		if c.flags.Has("nowait") {
			want = append(want, prog.Fails("EOPNOTSUPP")) // it goes through the page cache then, without nowait-write (fs/f2fs/file.c: f2fs_buffered_write_iter)
		}
	}
	if c.flags.Has("nowait") {
		want, sure = append(want, prog.Fails("EAGAIN")), 0
		if can > 0 {
			want = append(m.upTo(can), want...)
		}
	}
	return want, sure, can
}

// extend grows a file for a write that reaches to end, or perhaps less far.
func (m *model) extend(i *inode, end int64, certain bool) {
	if end <= i.minSize() {
		return
	}
	weak := m.writes(nil, i) || m.doubt
	m.grow(i, end, weak || !certain)
	if certain && !weak {
		i.sizes = append([]int64{end}, above(i.sizes, end)...)
		i.between = i.between && !i.known()
		return
	}
	// The size follows the data: it may be seen, or left, anywhere on the way.
	i.between = true
	i.may(max(end, i.maxSize()))
}

func above(sizes []int64, end int64) []int64 {
	for k, size := range sizes {
		if size > end {
			return sizes[k:]
		}
	}
	return nil
}

// isAligned reports whether a direct transfer has the alignment the program may count on: whole pages, or 512 bytes where it needs that.
func (m *model) isAligned(sp *span, off int64) bool {
	unit := m.page
	if m.dio512 {
		unit = 512
	}
	return sp.align >= unit && off%unit == 0
}

// move advances the file position by the count returned; unless there is just one, the position is no longer known.
func (m *model) move(c *transferCall, want prog.Expect) {
	if !c.moves {
		return
	}
	if len(want) == 1 && want[0].Err != "" {
		return
	}
	if len(want) != 1 || want[0].Lo != want[0].Hi {
		c.fd.lost = true
		return
	}
	c.fd.pos = c.off + want[0].Lo.In(m.page)
}

// counts is the expectation of a value from lo to hi, or one of others.
func (m *model) counts(lo, hi int64, others ...prog.Outcome) prog.Expect {
	return append(prog.Expect{prog.Between(m.size(lo), m.size(hi))}, others...)
}

func (m *model) upTo(hi int64) prog.Expect { return m.counts(1, hi) }

func (m *model) size(n int64) prog.Size { return prog.SizeOf(n, m.page) }

func fails(name string) prog.Expect { return prog.Expect{prog.Fails(name)} }

func clamp(n, most int64) int64 { return max(0, min(n, most)) }
