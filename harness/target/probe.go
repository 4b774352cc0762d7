package target

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// Abilities are found out by doing, in the child, on files in our own folder.

// probed is what the file system can do.
type probed struct {
	Lacks    map[string]string // need -> reason, for what does not work
	DIOAlign int               // bytes; 0 if the kernel does not say
}

// probes has a row for every need that is an ability, except "other". The error of a probe is the reason.
var probes = slices.Concat([]probeRow{
	{"odirect", (*prober).odirect},
	{"dio512", (*prober).dio512},
	{"shared-mmap", (*prober).sharedMmap},
	{"unwritten", (*prober).unwritten},
	{"punch", fallocate("PUNCH_HOLE", unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE)},
	{"zero-range", fallocate("ZERO_RANGE", unix.FALLOC_FL_ZERO_RANGE)},
	{"collapse", fallocate("COLLAPSE_RANGE", unix.FALLOC_FL_COLLAPSE_RANGE)},
	{"insert", fallocate("INSERT_RANGE", unix.FALLOC_FL_INSERT_RANGE)},
	{"link", (*prober).link},
	{"nowait", (*prober).nowait},
	{"nowait-write", (*prober).nowaitWrite},
	{"hipri", rwFlag("RWF_HIPRI", unix.RWF_HIPRI)},
	{"dontcache", rwFlag("RWF_DONTCACHE", unix.RWF_DONTCACHE)},
	{"atomic-write", (*prober).atomicWrite},
	{"append-flag", (*prober).appendFlag},
	{"sync-flag", (*prober).syncFlag},
	{"populate", (*prober).populate},
	{"pageout", (*prober).pageout},
	{"drop-caches", (*prober).dropCaches},
	{"prot-none", (*prober).protNone},
	{"mlock", (*prober).mlock},
	{"userfaultfd", uffd("", 0)},
	{"uffd-wp", uffd("UFFD_FEATURE_PAGEFAULT_FLAG_WP", 1<<0)},
	{"stall-poison", uffd("UFFD_FEATURE_POISON", 1<<14)},
}, entryProbes, metadataProbes, typeProbes, taskProbes, protectProbes)

// probeRow is an ability, and how to find out whether it is there.
type probeRow struct {
	need string
	do   func(p *prober) error
}

// prober is the folder, a file of filePages pages of data that every probe gets afresh, and memory to read and write.
type prober struct {
	dir  string
	file *os.File
	page int
	mem  []byte // filePages pages, page-aligned, filled with 'm'
}

const filePages = 8

// probeArgs are a folder of ours, and the needs to try. Without any, the alignments of direct I/O are asked for.
type probeArgs struct {
	Dir   string
	Needs []string
}

// probe tries in a folder of ours, and leaves nothing behind.
func probe(args probeArgs) (probed, error) {
	p := prober{dir: args.Dir, page: os.Getpagesize()}
	mem, err := unix.Mmap(-1, 0, filePages*p.page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return probed{}, fmt.Errorf("get memory for probes: %w", err)
	}
	defer unix.Munmap(mem)
	p.mem = mem
	fill(p.mem, 'm')
	result := probed{Lacks: map[string]string{}}
	for _, row := range probes {
		if !slices.Contains(args.Needs, row.need) {
			continue
		}
		reason, err := p.run(row.do)
		if err != nil {
			return probed{}, fmt.Errorf("probe %s: %w", row.need, err)
		}
		if reason != nil {
			result.Lacks[row.need] = reasonText(reason)
		}
	}
	if len(args.Needs) == 0 {
		_, err = p.run(func(p *prober) (err error) {
			result.DIOAlign, _, err = p.dioAlign()
			return err
		})
	}
	return result, err
}

// run does one probe on a fresh file. reason is why the file system lacks the ability, err why it could not be tried.
func (p *prober) run(do func(p *prober) error) (reason, err error) {
	path := filepath.Join(p.dir, ".probe")
	p.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		p.file.Close()
		if removeErr := os.Remove(path); err == nil {
			err = removeErr
		}
	}()
	data := bytes.Repeat([]byte{'d'}, filePages*p.page)
	if _, err := p.file.WriteAt(data, 0); err != nil {
		return nil, err
	}
	if err := p.file.Sync(); err != nil {
		return nil, err
	}
	return p.try(do), nil
}

// try turns a fault in mapped memory (SIGBUS) into an error; see debug.SetPanicOnFault.
func (p *prober) try(do func(p *prober) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			fault, ok := r.(runtime.Error)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("touching mapped memory: %w", fault)
		}
	}()
	return do(p)
}

// reasonText adds the name of the errno, which people search for.
func reasonText(err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) && unix.ErrnoName(errno) != "" {
		return fmt.Sprintf("%v (%s)", err, unix.ErrnoName(errno))
	}
	return err.Error()
}

func (p *prober) fd() int { return int(p.file.Fd()) }

// direct opens the file once more with O_DIRECT.
func (p *prober) direct() (*os.File, error) {
	fd, err := unix.Open(p.file.Name(), unix.O_RDWR|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open(O_DIRECT): %w", err)
	}
	return os.NewFile(uintptr(fd), p.file.Name()), nil
}

func (p *prober) odirect() error { return p.directIO(p.page, p.page) }

// directIO writes one unit into the file and reads it back, with file offset and memory at the given alignment.
func (p *prober) directIO(unit, offset int) error {
	d, err := p.direct()
	if err != nil {
		return err
	}
	defer d.Close()
	buf := p.mem[offset : offset+unit]
	fill(buf, 'n')
	if _, err := unix.Pwrite(int(d.Fd()), buf, int64(offset)); err != nil {
		return fmt.Errorf("pwrite of %d bytes at %d with O_DIRECT: %w", unit, offset, err)
	}
	fill(buf, 0)
	n, err := unix.Pread(int(d.Fd()), buf, int64(offset))
	if err != nil {
		return fmt.Errorf("pread of %d bytes at %d with O_DIRECT: %w", unit, offset, err)
	}
	if n != unit || !allBytes(buf, 'n') {
		return fmt.Errorf("pread of %d bytes at %d with O_DIRECT gave %d bytes, or others than were written", unit, offset, n)
	}
	return nil
}

// dio512 asks statx(2) as well as trying, since btrfs and others silently use the page cache for what is not aligned.
func (p *prober) dio512() error {
	offset, memory, err := p.dioAlign()
	if err != nil {
		return err
	}
	if offset > 512 || memory > 512 {
		return fmt.Errorf("statx says that offsets are aligned to %d and memory to %d bytes", offset, memory)
	}
	return p.directIO(512, p.page+512)
}

// dioAlign are the alignments of direct I/O in bytes, 0 where the kernel does not say (STATX_DIOALIGN, Linux 6.1).
func (p *prober) dioAlign() (offset, memory int, err error) {
	var st unix.Statx_t
	err = unix.Statx(unix.AT_FDCWD, p.file.Name(), 0, unix.STATX_DIOALIGN, &st)
	if errors.Is(err, unix.ENOSYS) {
		return 0, 0, nil
	}
	if err != nil || st.Mask&unix.STATX_DIOALIGN == 0 {
		return 0, 0, err
	}
	return int(st.Dio_offset_align), int(st.Dio_mem_align), nil
}

// link makes a second name.
func (p *prober) link() error {
	second := p.file.Name() + "2"
	if err := unix.Link(p.file.Name(), second); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	return os.Remove(second)
}

// unwritten reserves space inside the size and beyond it.
func (p *prober) unwritten() error {
	size := int64(filePages * p.page)
	if err := unix.Fallocate(p.fd(), 0, size, int64(p.page)); err != nil {
		return fmt.Errorf("fallocate(0): %w", err)
	}
	if err := unix.Fallocate(p.fd(), unix.FALLOC_FL_KEEP_SIZE, 2*size, int64(p.page)); err != nil {
		return fmt.Errorf("fallocate(KEEP_SIZE): %w", err)
	}
	return nil
}

// fallocate tries a mode on the second page of the file.
func fallocate(name string, mode uint32) func(p *prober) error {
	return func(p *prober) error {
		if err := unix.Fallocate(p.fd(), mode, int64(p.page), int64(p.page)); err != nil {
			return fmt.Errorf("fallocate(%s): %w", name, err)
		}
		return nil
	}
}

// rwFlag tries a flag of preadv2(2) and pwritev2(2), buffered and, where there is O_DIRECT, direct. EAGAIN is an answer, not a refusal.
func rwFlag(name string, flag int) func(p *prober) error {
	return func(p *prober) error {
		if err := p.bothWays(p.file, name+" on a buffered file", flag); err != nil {
			return err
		}
		d, err := p.direct()
		if err != nil {
			return nil // nobody asks for both then
		}
		defer d.Close()
		return p.bothWays(d, name+" on a file with O_DIRECT", flag)
	}
}

// atomicWrite writes a page, and looks at it.
func (p *prober) atomicWrite() error {
	d, err := p.direct()
	if err != nil {
		return err
	}
	defer d.Close()
	page := p.mem[:p.page]
	fill(page, 'a')
	if n, err := unix.Pwritev2(int(d.Fd()), [][]byte{page}, 0, unix.RWF_ATOMIC); err != nil || n != len(page) {
		return fmt.Errorf("pwritev2 of a page with RWF_ATOMIC on a file with O_DIRECT gave %d: %w", n, cmp.Or(err, io.ErrShortWrite))
	}
	return p.begins('a', "pwritev2 with RWF_ATOMIC")
}

func (p *prober) bothWays(f *os.File, what string, flag int) error {
	vector := [][]byte{p.mem[:p.page]}
	if _, err := unix.Preadv2(int(f.Fd()), vector, 0, flag); err != nil && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("preadv2 with %s: %w", what, err)
	}
	if _, err := unix.Pwritev2(int(f.Fd()), vector, 0, flag); err != nil && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("pwritev2 with %s: %w", what, err)
	}
	return nil
}

// nowait asks for reads of both kinds and for direct writes; nowaitWrite asks for buffered writes, which fewer file systems have.
func (p *prober) nowait() error {
	if _, err := unix.Preadv2(p.fd(), [][]byte{p.mem[:p.page]}, 0, unix.RWF_NOWAIT); err != nil && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("preadv2(RWF_NOWAIT): %w", err)
	}
	d, err := p.direct()
	if err != nil {
		return nil // nobody asks for both then
	}
	defer d.Close()
	return p.bothWays(d, "RWF_NOWAIT on a file with O_DIRECT", unix.RWF_NOWAIT)
}

func (p *prober) nowaitWrite() error {
	if _, err := unix.Pwritev2(p.fd(), [][]byte{p.mem[:p.page]}, 0, unix.RWF_NOWAIT); err != nil && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("pwritev2(RWF_NOWAIT) of a buffered file: %w", err)
	}
	return nil
}

// appendFlag sees where the bytes went: before 4.16 the flag was unknown.
func (p *prober) appendFlag() error {
	if _, err := unix.Pwritev2(p.fd(), [][]byte{{'a'}}, 0, unix.RWF_APPEND); err != nil {
		return fmt.Errorf("pwritev2(RWF_APPEND): %w", err)
	}
	end, err := p.file.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("lseek: %w", err)
	}
	if end != int64(filePages*p.page)+1 {
		return fmt.Errorf("pwritev2(RWF_APPEND) of 1 byte made a file of %d pages %d bytes long", filePages, end)
	}
	return nil
}

func (p *prober) syncFlag() error {
	for _, f := range []struct {
		name string
		flag int
	}{{"RWF_DSYNC", unix.RWF_DSYNC}, {"RWF_SYNC", unix.RWF_SYNC}} {
		if _, err := unix.Pwritev2(p.fd(), [][]byte{{'s'}}, 0, f.flag); err != nil {
			return fmt.Errorf("pwritev2(%s): %w", f.name, err)
		}
	}
	return nil
}

func fill(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}

func allBytes(b []byte, want byte) bool { return len(bytes.Trim(b, string(rune(want)))) == 0 }
