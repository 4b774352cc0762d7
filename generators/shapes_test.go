package generators_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators"
)

// shapes says for nine xfstests in which the user buffer is the subject, which of our programs have their shape, and which lines show it.
var shapes = []struct {
	test, program string
	lines         []string
}{
	{"generic/647 (a)", "selfio/pread/buffered/private/data-to-hole/other-page/cold/aligned", []string{
		"file A = hole*1p + pat1[1p:2p]", "d = open(A, rdwr)", "m = mmap(d, private, rw, 0, 2p)", "pread(d, m[0:1p], 1p)",
	}},
	{"generic/647 (b)", "selfio/pread/direct/private/data-to-hole/other-page/cold/aligned", []string{
		"file A = hole*1p + pat1[1p:2p]", "d = open(A, rdwr|direct)", "m = mmap(d, private, rw, 0, 2p)", "pread(d, m[0:1p], 1p)",
	}},
	{"generic/647 (c)", "selfio/pwrite/buffered/private/data-to-hole/other-page/cold/aligned", []string{
		"file A = hole*1p + pat1[1p:2p]", "d = open(A, rdwr)", "m = mmap(d, private, rw, 0, 2p)", "pwrite(d, m[1p:2p], 0)",
	}},
	{"generic/647 (d)", "selfio/pwrite/direct/private/data-to-hole/other-page/cold/aligned", []string{
		"file A = hole*1p + pat1[1p:2p]", "d = open(A, rdwr|direct)", "m = mmap(d, private, rw, 0, 2p)", "pwrite(d, m[1p:2p], 0)",
	}},
	{"generic/647 (e)", "selfio/pread/direct/private/hole-to-hole/same-page/cold/aligned", []string{
		"file A = hole*1p", "d = open(A, rdwr|direct)", "m = mmap(d, private, rw, 0, 1p)", "pread(d, m[0:1p], 0)",
	}},
	{"generic/729", "selfio/pwrite/direct/private/data-to-data/same-page/cold/aligned", []string{
		"file A = pat1*1p", "d = open(A, rdwr|direct)", "m = mmap(d, private, rw, 0, 1p)", "pwrite(d, m[0:1p], 0)",
	}},
	{"generic/248", "selfio/pwrite/buffered/shared/stuffed-to-stuffed/same-page/cold/sub-page", []string{
		"file A = pat1*5", "m = mmap(d, shared, rw, 0, 1p)", "pwrite(d, m[2:3], 3)",
	}},
	{"generic/638", "vector/pwritev/buffered/overlap/none/3/dozen/loose", []string{
		"file A = pat2*3p", "fadvise(d, 0, 3p, dontneed)", "m = mmap(d, shared, rw, 0, 3p)", "pwritev(d, {m[0:12]*3@1p}, 3p-36)",
	}},
	{"generic/708", "vector/writev/direct/other-private/none/1/large/loose", []string{
		"d = open(A, rdwr|direct)", "o = mmap(e, private, r, 0, 512p)", "load(o[0:1p])", "writev(d, {o[0:512p]})",
	}},
	{"generic/443", "vector/writev/buffered/untouched/none/3/byte/loose", []string{
		"b = anon(hole*3p)", "writev(d, {b[0:1]*3@1p})",
	}},
	{"generic/443 with IOV_MAX pieces", "vector/writev/buffered/untouched/none/1024/byte/loose", []string{
		"b = anon(hole*1024p)", "writev(d, {b[0:1]*1024@1p})",
	}},
	{"generic/362 (1)", "vector/writev/direct-append/untouched/none/1/page/loose", []string{
		"file A = empty", "d = open(A, rdwr|direct|append)", "b = anon(hole*2p)", "writev(d, {b[0:1p]})",
	}},
	{"generic/362 (2)", "vector/writev/direct-append/first-touched/none/1/pages/loose", []string{
		"file A = empty", "d = open(A, rdwr|direct|append)", "b = anon(pat3*1p + hole*2p)", "writev(d, {b[0:2p]})",
	}},
	{"generic/246", "vector/writev/buffered/tail-other/none/3/dozen/loose", []string{
		"d = open(A, rdwr|creat)", "o = mmap(e, shared, r, 0, 3p)", "writev(d, {b[0:12]*2@1p, o[2p:2p+12]})", "check(A, pat3*12 + pat3[1p:1p+12] + pat4[2p:2p+12])",
	}},
	{"generic/413 buffered", "vector/writev/buffered/other/none/1/large/loose", []string{
		"d = open(A, rdwr)", "o = mmap(e, shared, rw, 0, 512p)", "writev(d, {o[0:512p]})", "preadv(d, {o[0:512p]}, 100)",
	}},
	{"generic/413 direct", "vector/writev/direct/other/none/1/large/loose", []string{
		"d = open(A, rdwr|direct)", "o = mmap(e, shared, rw, 0, 512p)", "writev(d, {o[0:512p]})", "preadv(d, {o[0:512p]}, 0)",
	}},
}

func TestTheShapesOfNineXfstestsAreThere(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.test, func(t *testing.T) {
			g := gomega.NewWithT(t)
			p := generators.Program(shape.program)
			g.Expect(p).NotTo(gomega.BeNil())
			// What the steps may return is the model's affair.
			text := strings.Split(p.String(), "\n")
			for i := range text {
				text[i], _, _ = strings.Cut(text[i], " -> ")
			}
			at := -1
			for _, line := range shape.lines {
				next := slices.Index(text, line)
				g.Expect(next).To(gomega.BeNumerically(">", at), "wanted %q, in this order, in\n%s", line, p)
				at = next
			}
		})
	}
}
