package prog

import (
	"strings"
	"testing"

	"github.com/onsi/gomega"
)

// Every syntax error names the line, what was found and what was wanted.
func TestSyntaxErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                            `line 1: found no program, wanted a line "prog NAME"`,
		"# only a comment\n":                          `line 1: found no program, wanted a line "prog NAME"`,
		"file A = empty":                              `line 1: found "file A = empty", wanted "prog NAME"`,
		"prog":                                        `line 1: found "prog", wanted "prog NAME"`,
		"\n\nprog a b":                                `line 3: found "prog a b", wanted "prog NAME"`,
		"prog x\nprog y":                              `line 2: found a second program, wanted one program a file`,
		"prog x\nfile A = empty\nneeds link":          `line 3: found needs behind a file or a step, wanted it above them`,
		"prog x\nmkdir(D)\nfile A = empty":            `line 3: found a file behind a step, wanted all files first`,
		"prog x\nfile a = empty":                      `line 2: found "a = empty", wanted a file name such as A or D/B`,
		"prog x\nfile A on otherwise = empty":         `line 2: found "otherwise = empty", wanted "other"`,
		"prog x\nfile A onother = empty":              `line 2: found "onother = empty", wanted "="`,
		"prog x\nfile A":                              `line 2: found the end of the line, wanted "="`,
		"prog x\nfile A = 'b'*1p zero*1p":             `line 2: found "zero*1p", wanted the end of the line`,
		"prog x\nfile A = emptyish":                   `line 2: found "emptyish", wanted data such as 'b'*1p, pat1*1p, hole*1p, zero*1p, unwritten*1p, any*1p`,
		"prog x\nfile A = pat":                        `line 2: found "pat", wanted a pattern such as pat1`,
		"prog x\nfile A = pat9999999999*1":            `line 2: found "pat9999999999*1", wanted a pattern such as pat1`,
		"prog x\nfile A = hole":                       `line 2: found the end of the line, wanted "*"`,
		"prog x\nfile A = hole*-1":                    `line 2: found length -1, wanted at least 0`,
		"prog x\nfile A = hole*1p-5000":               `line 2: found length 1p-5000, wanted at least 0`,
		"prog x\nfile A = pat1[2p:1p]":                `line 2: found a slice from 2p to 1p, wanted 0 <= from <= to`,
		"prog x\nfile A = pat1[-1:1p]":                `line 2: found a slice from -1 to 1p, wanted 0 <= from <= to`,
		"prog x\nfile A = pat1[0 1p]":                 `line 2: found "1p]", wanted ":"`,
		"prog x\nfile A = pat1[0:1p":                  `line 2: found the end of the line, wanted "]"`,
		"prog x\nfile A = 'bc'*2":                     `line 2: found "'bc'*2", wanted a byte such as 'b'`,
		"prog x\nfile A = '€'":                        `line 2: found "'€'", wanted a byte such as 'b'`,
		"prog x\nfile A = '":                          `line 2: found "'", wanted a byte such as 'b'`,
		"prog x\nfile A = '''":                        `line 2: found "'''", wanted a byte such as 'b'`,
		"prog x\nfile A = mix(zero*1p)":               `line 2: found one source in mix(), wanted at least two`,
		"prog x\nfile A = mix(zero*1p, 'b'*2p)":       `line 2: found lengths 1p and 2p in one mix, wanted them equal`,
		"prog x\nfile A = mix zero*1p":                `line 2: found "zero*1p", wanted "("`,
		"prog x\nfile A = mix(zero*1p 'b'*1p)":        `line 2: found "'b'*1p)", wanted ","`,
		"prog x\nOpen(A)":                             `line 2: found "Open(A)", wanted a step such as d = open(A, rdwr)`,
		"prog x\nx1: mkdir(D)":                        `line 2: found actor "x1", wanted t1, t2, ... for a thread or p1, p2, ... for a process`,
		"prog x\nt123: mkdir(D)":                      `line 2: found actor "t123", wanted t1, t2, ... for a thread or p1, p2, ... for a process`,
		"prog x\nt1: ":                                `line 2: found the end of the line, wanted a step`,
		"prog x\nd = 5":                               `line 2: found "5", wanted an operation`,
		"prog x\nmmap2(d)":                            `line 2: found "mmap2", wanted an operation: ` + strings.Join(OpNames(), " "),
		"prog x\nfile=open(A, rdwr)":                  `line 2: found the name "file", wanted one that means nothing else`,
		"prog x\nt1: needs = open(A, rdwr)":           `line 2: found the name "needs", wanted one that means nothing else`,
		"prog x\nd = fsync(d)":                        `line 2: found "d =" in front of fsync, which makes nothing to be named`,
		"prog x\nopen(A, rdwr)":                       `line 2: found no name for what open makes, wanted "x = open(file, flags)"`,
		"prog x\nfsync":                               `line 2: fsync(fd): found the end of the line, wanted "("`,
		"prog x\nfsync(A)":                            `line 2: fsync(fd): fd: found "A)", wanted a descriptor`,
		"prog x\nwait(A)":                             `line 2: wait(actor): actor: found "A)", wanted an actor`,
		"prog x\nfsync(d, d)":                         `line 2: fsync(fd): found ", d)", wanted ")"`,
		"prog x\npread(d, m)":                         `line 2: pread(fd, buf, offset): found ")", wanted ","`,
		"prog x\npread(d, {m}, 0)":                    `line 2: pread(fd, buf, offset): buf: found "{m}, 0)", wanted a range such as m[0:1p]`,
		"prog x\nreadv(d, m)":                         `line 2: readv(fd, iov): iov: found "m)", wanted a vector such as {m[0:1p], b}`,
		"prog x\nreadv(d, {m b})":                     `line 2: readv(fd, iov): iov: found "b})", wanted ","`,
		"prog x\nreadv(d, {})":                        `line 2: readv(fd, iov): iov: found "})", wanted a range such as m[0:1p]`,
		"prog x\nload(m[0-1p])":                       `line 2: load(buf): buf: found "-1p])", wanted ":"`,
		"prog x\nload(m[:1p])":                        `line 2: load(buf): buf: found ":1p])", wanted a size such as 1p, 2p+512 or 40`,
		"prog x\nload(m[0:1p)":                        `line 2: load(buf): buf: found ")", wanted "]"`,
		"prog x\nload(m[0:1]*1@1)":                    `line 2: load(buf): buf: found a count that is not from 2 to 1100 behind m*`,
		"prog x\nload(m[0:1]*1101@1)":                 `line 2: load(buf): buf: found a count that is not from 2 to 1100 behind m*`,
		"prog x\nload(m[0:1]*2)":                      `line 2: load(buf): buf: found ")", wanted "@"`,
		"prog x\npread(d, m, 99999999999999999999)":   `line 2: pread(fd, buf, offset): offset: found "99999999999999999999)", wanted a size such as 1p, 2p+512 or 40`,
		"prog x\nd = open(A, rdwr|fast)":              `line 2: open(file, flags): flags: found "fast)", wanted one of rdonly wronly rdwr direct append sync dsync creat trunc`,
		"prog x\nd = open(D/b, rdwr)":                 `line 2: open(file, flags): found "/b, rdwr)", wanted ","`,
		"prog x\nfsync(d) -> ":                        `line 2: found the end of the line, wanted a result such as 1p, 0..2p, EFAULT, SIGBUS, ok or any`,
		"prog x\nfsync(d) -> anything":                `line 2: found "anything", wanted a result such as 1p, 0..2p, EFAULT, SIGBUS, ok or any`,
		"prog x\nfsync(d) -> 1..":                     `line 2: found the end of the line, wanted a size such as 1p, 2p+512 or 40`,
		"prog x\nfsync(d) -> 1 | ":                    `line 2: found the end of the line, wanted a result such as 1p, 0..2p, EFAULT, SIGBUS, ok or any`,
		"prog x\nfsync(d) and more":                   `line 2: found "and more", wanted the end of the line`,
		"prog x\nfsync(d) " + strings.Repeat("é", 30): `line 2: found "` + strings.Repeat("é", 20) + `...", wanted the end of the line`,
	} {
		p, err := Parse(text)
		g := gomega.NewWithT(t)
		g.Expect(p).To(gomega.BeNil(), text)
		g.Expect(err).To(gomega.MatchError(want), text)
		g.Expect(err).To(gomega.BeAssignableToTypeOf(&SyntaxError{}), text)
	}
}

// What stands in front of the steps of the tables below.
const head = `prog x
file A = pat1*4p
file S on other = pat2*1p
d = open(A, rdwr)
m = mmap(d, shared, rw, 0, 4p)
b = anon('b'*2p)
u = anon('u'*1p, 100)
p1: pd = open(A, rdonly)
wait(p1)
`

// Every rule of Validate refuses with the step and the reason.
func TestInvalidPrograms(t *testing.T) {
	for steps, want := range map[string]string{
		"fsync(e)":                       `step 7, fsync(e): fd: e is not known here`,
		"fsync(pd)":                      `step 7, fsync(pd): fd: pd belongs to another process`,
		"p1: fsync(d)":                   `step 7, fsync(d): fd: d belongs to another process`,
		"p2: fsync(pd)":                  `step 7, fsync(pd): fd: pd belongs to another process`,
		"fsync(m)":                       `step 7, fsync(m): fd: m is a mapping, wanted a descriptor`,
		"fsync(b)":                       `step 7, fsync(b): fd: b is a buffer, wanted a descriptor`,
		"close(d)\nfsync(d)":             `step 8, fsync(d): fd: d was ended by close`,
		"munmap(m)\nload(m)":             `step 8, load(m): buf: m: m was ended by munmap`,
		"munmap(m[0:4p])\nload(m[0:1]!)": `step 8, load(m[0:1]!): buf: m[0:1]!: m was ended by munmap`,
		"n = mremap(m, 2p)\nload(m)":     `step 8, load(m): buf: m: m was ended by mremap`,
		"load(d)":                        `step 7, load(d): buf: d: d is a descriptor, wanted a mapping or a buffer`,
		"load(x[0:1])":                   `step 7, load(x[0:1]): buf: x[0:1]: x is not known here`,
		"load(m[1p:0])":                  `step 7, load(m[1p:0]): buf: m[1p:0]: wanted 0 <= from <= to`,
		"load(m[-1:1])":                  `step 7, load(m[-1:1]): buf: m[-1:1]: wanted 0 <= from <= to`,
		"load(m[0:1p-5000]!)":            `step 7, load(m[0:1p-5000]!): buf: m[0:1p-5000]!: wanted 0 <= from <= to`,
		"load(m[3p:5p])":                 `step 7, load(m[3p:5p]): buf: m[3p:5p]: ends behind the 4p that are mapped; write ! behind a range that is meant to fault`,
		"load(m[1p:16385])":              `step 7, load(m[1p:16385]): buf: m[1p:16385]: wanted 0 <= from <= to`,
		"readv(d, {b[0:1]*3@1p})":        `step 7, readv(d, {b[0:1]*3@1p}): iov: b[0:1]*3@1p: ends behind the 2p that are mapped; write ! behind a range that is meant to fault`,
		"readv(d, {b*3@1p})":             `step 7, readv(d, {b*3@1p}): iov: b*3@1p: a repeated range needs bounds, and goes upwards`,
		"readv(d, {b[1p:1p+1]*3@-1})":    `step 7, readv(d, {b[1p:1p+1]*3@-1}): iov: b[1p:1p+1]*3@-1: a repeated range needs bounds, and goes upwards`,
		"readv(d, {bad[0:60000p]!, bad[0:60000p]!})": `step 7, readv(d, {bad[0:60000p]!, bad[0:60000p]!}): iov: found 120000p in all, wanted at most 65536p`,
		"readv(d, {b[0:2p]*1100@0, bad[0:65536p]!})": `step 7, readv(d, {b[0:2p]*1100@0, bad[0:65536p]!}): iov: found 67736p in all, wanted at most 65536p`,
		"load(bad[0:1])":                                    `step 7, load(bad[0:1]): buf: bad[0:1]: wanted bounds and a declared fault, such as bad[0:1p]!`,
		"load(bad!)":                                        `step 7, load(bad!): buf: bad!: wanted bounds and a declared fault, such as bad[0:1p]!`,
		"munmap(m[1p:2p])\nload(m[0:2p])":                   `step 8, load(m[0:2p]): buf: m[0:2p]: overlaps [1p:2p], which is not accessible; write ! behind a range that is meant to fault`,
		"mprotect(b[0:1p], none)\nload(b)":                  `step 8, load(b): buf: b: overlaps [0:1p], which is not accessible; write ! behind a range that is meant to fault`,
		"munmap(m[1p:2p])\nmprotect(m[0:3p]!, rw)\nload(m)": `step 9, load(m): buf: m: overlaps [1p:2p], which is not accessible; write ! behind a range that is meant to fault`,
		"munmap(m[1:2p])":                                   `step 7, munmap(m[1:2p]): found [1:2p], 0 behind a page boundary, wanted whole pages`,
		"mlock(u)":                                          `step 7, mlock(u): found [0:1p], 100 behind a page boundary, wanted whole pages`,
		"msync(m[0:100], sync)":                             `step 7, msync(m[0:100], sync): found [0:100], 0 behind a page boundary, wanted whole pages`,
		"madvise(bad[0:1p]!, dontneed)":                     `step 7, madvise(bad[0:1p]!, dontneed): found bad, wanted a mapping or a buffer`,
		"munmap(m[0:1p]*2@1p)":                              `step 7, munmap(m[0:1p]*2@1p): found a repeated range, wanted one range`,
		"load(m[0:1p]*2@1p)":                                `step 7, load(m[0:1p]*2@1p): found a repeated range, wanted one range`,
		"check(m[0:1p]*2@1p)":                               `step 7, check(m[0:1p]*2@1p): found a repeated range, wanted one range`,
		"n = mremap(m[0:4p], 2p)":                           `step 7, n = mremap(m[0:4p], 2p): wanted the name of a whole mapping, without bounds`,
		"n = mremap(b, 2p)":                                 `step 7, n = mremap(b, 2p): wanted the name of a whole mapping, without bounds`,
		"munmap(m[0:1p])\nn = mremap(m!, 2p)":               `step 8, n = mremap(m!, 2p): wanted the name of a whole mapping, without bounds`,
		"n = mremap(m, 0)":                                  `step 7, n = mremap(m, 0): found length 0, wanted 1 to 65536p`,
		"n = mmap(d, shared, r, 0, 65537p)":                 `step 7, n = mmap(d, shared, r, 0, 65537p): found length 65537p, wanted 1 to 65536p`,
		"n = mmap(d, shared, r, 1, 1p)":                     `step 7, n = mmap(d, shared, r, 1, 1p): found offset 1, wanted whole pages`,
		"n = mmap(d, shared, r, -1p, 1p)":                   `step 7, n = mmap(d, shared, r, -1p, 1p): found offset -1p, wanted whole pages`,
		"n = mmap(d, populate, r, 0, 1p)":                   `step 7, n = mmap(d, populate, r, 0, 1p): found populate, wanted exactly one of shared private`,
		"n = mmap(d, shared|private, r, 0, 1p)":             `step 7, n = mmap(d, shared|private, r, 0, 1p): found shared|private, wanted exactly one of shared private`,
		"n = mmap(d, shared, r|w, 0, 1p)":                   `step 7, n = mmap(d, shared, r|w, 0, 1p): found r|w, wanted one word`,
		"mprotect(m, r|w)":                                  `step 7, mprotect(m, r|w): found r|w, wanted one word`,
		"madvise(m, dontneed|pageout)":                      `step 7, madvise(m, dontneed|pageout): found dontneed|pageout, wanted one word`,
		"lseek(d, 0, set|cur)":                              `step 7, lseek(d, 0, set|cur): found set|cur, wanted one word`,
		"fadvise(d, 0, 0, dontneed|dontneed)":               `step 7, fadvise(d, 0, 0, dontneed|dontneed): found dontneed|dontneed, wanted one word`,
		"stat(A, size|blocks)":                              `step 7, stat(A, size|blocks): found size|blocks, wanted one word`,
		"fallocate(d, punch|zero, 0, 1p)":                   `step 7, fallocate(d, punch|zero, 0, 1p): found punch|zero, wanted one word`,
		"e = open(A, creat)":                                `step 7, e = open(A, creat): found creat, wanted exactly one of rdonly wronly rdwr`,
		"e = open(A, rdwr|rdonly)":                          `step 7, e = open(A, rdwr|rdonly): found rdwr|rdonly, wanted exactly one of rdonly wronly rdwr`,
		"e = open(A, rdonly|trunc)":                         `step 7, e = open(A, rdonly|trunc): found rdonly|trunc, whose effect is not defined (open(2))`,
		"e = open(B, rdwr)":                                 `step 7, e = open(B, rdwr): file: file B is not known here`,
		"e = open(D/B, rdwr|creat)":                         `step 7, e = open(D/B, rdwr|creat): file: directory D is not known here`,
		"rename(A, D/B)":                                    `step 7, rename(A, D/B): new: directory D is not known here`,
		"unlink(B)":                                         `step 7, unlink(B): file: file B is not known here`,
		"d = open(A, rdwr)":                                 `step 7, d = open(A, rdwr): the name d is taken`,
		"close(d)\nd = open(A, rdwr)":                       `step 8, d = open(A, rdwr): the name d is taken`,
		"p2 = open(A, rdwr)":                                `step 7, p2 = open(A, rdwr): the name p2 is taken`,
		"c = anon(empty)":                                   `step 7, c = anon(empty): found length 0, wanted 1 to 65536p`,
		"c = anon(hole*65536p, 8)\nx = anon(hole*65536p+1)": `step 8, x = anon(hole*65536p+1): found length 65536p+1, wanted 1 to 65536p`,
		"c = anon('c'*1p, 4096)":                            `step 7, c = anon('c'*1p, 4096): found alignment 4096, wanted 0 to 4095 bytes behind a page boundary`,
		"c = anon('c'*1p, 1p)":                              `step 7, c = anon('c'*1p, 1p): found alignment 1p, wanted 0 to 4095 bytes behind a page boundary`,
		"c = anon(mix('c'*1p, zero*1p))":                    `step 7, c = anon(mix('c'*1p, zero*1p)): data: mix and any are for what is expected, not for what is written`,
		"store(m[0:1p], any*1p)":                            `step 7, store(m[0:1p], any*1p): data: mix and any are for what is expected, not for what is written`,
		"store(m[0:1p], 's'*2p)":                            `step 7, store(m[0:1p], 's'*2p): found 2p of data for a range of 1p, wanted them equal`,
		"store(bad[0:1p]!, 's'*2p)":                         `step 7, store(bad[0:1p]!, 's'*2p): found 2p of data for a range of 1p, wanted them equal`,
		"check(m[0:1p], 's'*1p | empty)":                    `step 7, check(m[0:1p], 's'*1p | empty): found 0 of data for a range of 1p, wanted them equal`,
		"wait(t1)":                                          `step 7, wait(t1): actor: t1 has done nothing yet`,
		"wait(d)":                                           `step 7, wait(d): actor: d has done nothing yet`,
		"t1: wait(p1)":                                      `step 7, wait(p1): actor: only the main thread waits`,
		"fsync(d) -> FAULT":                                 `step 7, fsync(d): "FAULT" is neither an errno nor a signal`,
		"pread(d, b, 0) -> 2p..1p":                          `step 7, pread(d, b, 0): found 2p..1p, wanted the smaller value first`,
	} {
		p, err := Parse(head + steps)
		g := gomega.NewWithT(t)
		g.Expect(err).NotTo(gomega.HaveOccurred(), steps)
		g.Expect(p.Validate()).To(gomega.MatchError(want), steps)
	}
}

func TestInvalidFilesAndNeeds(t *testing.T) {
	for text, want := range map[string]string{
		"needs magic":                          `needs magic: unknown; see the list of needs`,
		"file A = empty\nfile A = empty":       `file A = empty: the file is declared twice`,
		"file D/A = empty":                     `file D/A = empty: a file that exists before the first step is in no directory`,
		"file A = any*1p":                      `file A = any*1p: mix and any are for what is expected, not for what is written`,
		"file A = mix(zero*1p, hole*1p) + 'b'": `file A = mix(zero*1p, hole*1p) + 'b': mix and any are for what is expected, not for what is written`,
	} {
		p, err := Parse("prog x\n" + text)
		g := gomega.NewWithT(t)
		g.Expect(err).NotTo(gomega.HaveOccurred(), text)
		g.Expect(p.Validate()).To(gomega.MatchError(want), text)
	}
}

// Steps put together in Go can be wrong in ways that no text can be.
func TestInvalidSteps(t *testing.T) {
	b := Buf{Ranges: []Range{{Of: "b", Whole: true}}}
	for want, s := range map[string]Step{
		`step 1, boil(): unknown operation`:                                                                                 {Op: "boil"},
		`step 1, fsync(): found 0 arguments, wanted fsync(fd)`:                                                              {Op: "fsync"},
		`step 1, x = anon(): found 0 arguments, wanted anon(data, [align])`:                                                 {Op: "anon", Makes: "x"},
		`step 1, drop_caches(0): found 1 arguments, wanted drop_caches()`:                                                   {Op: "drop_caches", Args: []Arg{Bytes(0)}},
		`step 1, anon('a'): found the name "", wanted one for what an operation makes, and none where it makes nothing`:     {Op: "anon", Args: []Arg{FillOf('a', Bytes(1))}},
		`step 1, x = mkdir(D): found the name "x", wanted one for what an operation makes, and none where it makes nothing`: {Op: "mkdir", Makes: "x", Args: []Arg{Name("D")}},
		`step 1, fsync(b): fd: found b, wanted a descriptor`:                                                                {Op: "fsync", Args: []Arg{b}},
		`step 1, mkdir(1p): dir: found 1p, wanted a file name`:                                                              {Op: "mkdir", Args: []Arg{Pages(1)}},
		`step 1, load({}): buf: found {}, wanted a range such as m[0:1p]`:                                                   {Op: "load", Args: []Arg{Buf{Vector: true}}},
		`step 1, readv(d, b): iov: found b, wanted a vector such as {m[0:1p], b}`:                                           {Op: "readv", Args: []Arg{Name("d"), b}},
		`step 1, stat(A, color): field: found color, wanted flags`:                                                          {Op: "stat", Args: []Arg{Name("A"), Words{"color"}}},
		`step 1, stat(A, ): field: found , wanted flags`:                                                                    {Op: "stat", Args: []Arg{Name("A"), Words{}}},
		`step 1, truncate(A, 'a'): length: found 'a', wanted a size`:                                                        {Op: "truncate", Args: []Arg{Name("A"), FillOf('a', Bytes(1))}},
		`step 1, check(A, 'a'): data: found 'a', wanted data such as pat1*1p | empty`:                                       {Op: "check", Args: []Arg{Name("A"), FillOf('a', Bytes(1))}},
		`step 1, file = anon('a'): the name file is taken`:                                                                  {Op: "anon", Makes: "file", Args: []Arg{FillOf('a', Bytes(1))}},
		`step 1, fsync(<nil>): fd: found <nil>, wanted a descriptor`:                                                        {Op: "fsync", Args: []Arg{nil}},
	} {
		p := &Prog{Name: "x", Steps: []Step{s}}
		gomega.NewWithT(t).Expect(p.Validate()).To(gomega.MatchError(want))
	}
}

// What looks odd and still has a meaning.
func TestValidPrograms(t *testing.T) {
	for _, steps := range []string{
		"load(m[0:0])", "load(m[3p:9p]!)", "load(bad[0:0]!)", "check(bad[0:1]!)", "check(m)", "check(S)", "check(m[0:2], 'a' + any*1)",
		"munmap(m[1p:2p])\nload(m[0:1p])\nload(m[2p:4p])\nmunmap(m[1p:2p]!)",
		"mprotect(b, none)\nmprotect(b!, r)\nload(b)",
		"mprotect(b[0:1p], none)\nmprotect(b!, rw)\nload(b)",
		"munmap(m)\nmunmap(b)\nclose(d)",
		"n = mremap(m, 1)\nload(n)\nmunmap(n)",
		"unlink(A)\ne = open(A, rdonly)\nf = open(A, wronly|creat|trunc)",
		"mkdir(D)\nmkdir(D/E)\nrename(A, D/E/F)\ncheck(D/E/F)",
		"p2: d = open(A, rdonly)\np2: m = mmap(d, private, r, 0, 1p)\nwait(p2)\np2: load(m)\nwait(p2)",
		"t1: e = open(A, rdonly)\nfsync(e)\nt2: fsync(e)\nwait(t1)\nwait(t1)",
		"fallocate(d, zero|keep, 0, 1p)", "pwritev2(d, {b, u}, -1, dsync|append)", "pread(d, u, 1p-1) -> any | EFAULT | 1..2p",
		"c = anon(hole*1, 4095)\npread(d, c, 0)", "stat(S, size)", "lseek(d, -1, end)", "readv(d, {b[0:1]*1025@1})",
	} {
		p, err := Parse(head + steps)
		g := gomega.NewWithT(t)
		g.Expect(err).NotTo(gomega.HaveOccurred(), steps)
		g.Expect(p.Validate()).To(gomega.Succeed(), steps)
	}
}
