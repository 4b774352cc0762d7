package model

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
)

const opened = `prog x
file A = pat1*4p
d = open(A, rdwr)
m = mmap(d, shared, rw, 0, 4p)
b = anon('b'*2p)
`

// What the model cannot follow it refuses, with the step and the reason.
func TestWhatDeriveRefuses(t *testing.T) {
	for steps, want := range map[string]string{
		"fsync(e)": `step 4, fsync(e): fd: e is not known here`,
		"e = open(A, rdwr|append)\nt1: truncate(A, 1p)\nt2: pwrite(e, b, 0)\nwait(t1)\nwait(t2)": `step 6, pwrite(e, b, 0): the model cannot append while the size is not known`,
		"pwrite(d, m[1p:9p]!, 4p)\ne = open(A, rdwr|append)\nwrite(e, b)":                        `step 6, write(e, b): the model cannot append while the size is not known`,
		"preadv2(d, {b}, 0, nowait)\nread(d, m[3p:9p]!)\nwrite(d, m[3p:9p]!)\nread(d, b)":        `step 7, read(d, b): the position of the descriptor is not known here; set it with lseek first`,
		"mkdir(D)\ncheck(D)":                                                       `step 5, check(D): D is a directory`,
		"mkdir(D)\ne = open(D, rdonly)\nread(e, b)":                                `step 6, read(e, b): the model does not read or write directories`,
		"mkdir(D)\ne = open(D, rdonly)\nn = mmap(e, private, r, 0, 1p)":            `step 6, n = mmap(e, private, r, 0, 1p): the model does not map directories`,
		"mkdir(D)\nrename(D, E)":                                                   `step 5, rename(D, E): the model renames files only`,
		"mkdir(D)\nrename(A, D)":                                                   `step 5, rename(A, D): the model renames files only`,
		"fallocate(d, collapse, 0, 100)":                                           `step 4, fallocate(d, collapse, 0, 100): the model collapses whole pages only`,
		"fallocate(d, insert, 100, 1p)":                                            `step 4, fallocate(d, insert, 100, 1p): the model inserts whole pages only`,
		"pwrite(d, m[1p:9p]!, 4p)\nfallocate(d, collapse, 0, 1p)":                  `step 5, fallocate(d, collapse, 0, 1p): the model cannot collapse a file whose size may change`,
		"t1: fallocate(d, insert, 0, 1p)\nwait(t1)":                                `step 4, fallocate(d, insert, 0, 1p): the model cannot insert into a file whose size may change`,
		"t1: rename(A, B)\nwait(t1)":                                               `step 4, rename(A, B): the model cannot follow names that change beside other actors`,
		"t1: link(A, B)\nwait(t1)":                                                 `step 4, link(A, B): the model cannot follow names that change beside other actors`,
		"t1: unlink(A)\nwait(t1)":                                                  `step 4, unlink(A): the model cannot follow names that change beside other actors`,
		"t1: mkdir(D)\nwait(t1)":                                                   `step 4, mkdir(D): the model cannot follow names that change beside other actors`,
		"t1: e = open(B, rdwr|creat)\nt2: f = open(B, rdonly)\nwait(t1)\nwait(t2)": `step 4, e = open(B, rdwr|creat): the model cannot follow names that change beside other actors`,
		"t1: n = mremap(m, 2p)\nwait(t1)":                                          `step 4, n = mremap(m, 2p): the model cannot follow mremap beside other actors`,
		"t1: read(d, b)\nlseek(d, 0, set)\nwait(t1)":                               `step 5, lseek(d, 0, set): two actors move one file position`,
		"t1: preadv2(d, {b}, -1, sync)\nt2: read(d, b)\nwait(t1)\nwait(t2)":        `step 5, read(d, b): two actors move one file position`,
		"setxattr(d, m, b[0:5], set)":                                              `step 4, setxattr(d, m, b[0:5], set): the model does not know the string in memory`,
		"ficlone(d, d)":                                                            `step 4, ficlone(d, d): the model does not clone onto the source itself`,
		"symlink(A, B)\nrename(B, C)":                                              `step 5, rename(B, C): the model renames files only`,
		"put(b[0:8], loff{})\nsendfile(d, d, b[0:8], 1p)":                          `step 5, sendfile(d, d, b[0:8], 1p): the model does not copy onto the source itself`,
		"io_getevents(b[0:32])":                                                    `step 4, io_getevents(b[0:32]): no request has been submitted whose event could be fetched`,
		"put(b[8:72], iocb{aio_fildes=d, aio_buf=b[80:90], aio_nbytes=10})\nput(b[0:8], pointer{to=b[8:72]})\nio_submit(b[0:8])\nfsync(d)": `step 6, io_submit(b[0:8]): the model wants io_getevents as the next step`,
		"ioctl(d, fiemap, b)":       `step 4, ioctl(d, fiemap, b): the model maps whole files, with no flag or with FIEMAP_FLAG_SYNC`,
		"ioctl(d, fiemap, b[0:10])": `step 4, ioctl(d, fiemap, b[0:10]): found 10 bytes of memory, the kernel goes up to byte 32`,
		"ioctl(d, fiemap, m)":       `step 4, ioctl(d, fiemap, m): the model does not know fiemap.fm_start here`,
		"ioctl(d, setflags, b)":     `step 4, ioctl(d, setflags, b): the model sets flags only to what the file has, as a request has returned them`,
		"put(b[0:32], clone_range{src_length=1p})\nioctl(d, clonerange, b)":           `step 5, ioctl(d, clonerange, b): the model does not know clone_range.src_fd here`,
		"put(b[0:32], clone_range{src_fd=d, src_length=1p})\nioctl(d, clonerange, b)": `step 5, ioctl(d, clonerange, b): the model does not clone onto the source itself`,
	} {
		g := gomega.NewWithT(t)
		p, err := prog.Parse(opened + steps)
		g.Expect(err).NotTo(gomega.HaveOccurred(), steps)
		g.Expect(Derive(p, 4096)).To(gomega.MatchError(want), "%s\n%s", steps, p)
	}
}

// Each operation has a function here, and no function is left over.
func TestEveryOperationHasAModel(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, op := range prog.OpNames() {
		g.Expect(Knows(op)).To(gomega.BeTrue(), op)
	}
	g.Expect(Knows("boil")).To(gomega.BeFalse())
	g.Expect(steps).To(gomega.HaveLen(len(prog.Ops)))
}

// Deriving an example changes nothing: what stands there is what the model says.
func TestExamplesStandAsDerived(t *testing.T) {
	for _, name := range prog.Examples() {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			p, err := prog.Parse(prog.Example(name))
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(Derive(p, 4096)).To(gomega.Succeed())
			g.Expect(p.String()).To(gomega.Equal(prog.Example(name)))
		})
	}
}

// Deriving twice, or a second copy, gives the same text, and the result is valid.
func TestDerivingIsDeterministicAndIdempotent(t *testing.T) {
	for seed := range uint64(600) {
		text := sequence(seed)
		if seed%2 == 0 {
			text = concurrent(seed)
		}
		p, q := derived(t, text), derived(t, text)
		if p == nil {
			continue
		}
		once := p.String()
		if q.String() != once {
			t.Fatalf("derived as\n%s\nand as\n%s", once, q)
		}
		if err := Derive(p, tiny); err != nil || p.String() != once {
			t.Fatalf("derived again (%v)\n%s\nit is\n%s", err, once, p)
		}
		again, err := prog.Parse(once)
		if err != nil || again.String() != once {
			t.Fatalf("%v\n%s", err, once)
		}
	}
}

// A text serves machines with any page size, if its sizes stand near the boundaries of pages.
func TestTextsServeAnyPageSize(t *testing.T) {
	texts := map[string]string{}
	for _, name := range prog.Examples() {
		texts[name] = prog.Example(name)
	}
	for file, text := range golden(t) {
		texts[filepath.Base(file)] = text
	}
	for name, text := range texts {
		for _, page := range []int64{4096, 16384, 65536} {
			g := gomega.NewWithT(t)
			p, err := prog.Parse(text)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(Derive(p, page)).To(gomega.Succeed())
			g.Expect(p.String()).To(gomega.Equal(text), "%s with pages of %d", name, page)
		}
	}
}

// BenchmarkDerive walks through random sequential programs; "parse-ratio" is its time against that of parsing the same text.
func BenchmarkDerive(b *testing.B) {
	var programs []*prog.Prog
	var texts []string
	for seed := range uint64(200) {
		p, err := prog.Parse(sequence(seed))
		if err == nil && Derive(p, 4096) == nil {
			programs, texts = append(programs, p), append(texts, p.String())
		}
	}
	i := 0
	for b.Loop() {
		if err := Derive(programs[i%len(programs)], 4096); err != nil {
			b.Fatal(err)
		}
		i++
	}
	derive := b.Elapsed().Seconds() / float64(i)
	start := time.Now()
	for k := range i {
		if _, err := prog.Parse(texts[k%len(texts)]); err != nil {
			b.Fatal(err)
		}
	}
	parse := time.Since(start).Seconds() / float64(i)
	b.ReportMetric(1/derive, "programs/s")
	b.ReportMetric(derive/parse, "parse-ratio")
}
