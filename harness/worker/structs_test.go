package worker_test

import (
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/worker"
)

// TestWrongStructs plants structs that no kernel leaves: each is found, with the right words.
func TestWrongStructs(t *testing.T) {
	w := start(t, worker.Config{Dir: t.TempDir()})
	// An entry of 24 bytes for the name in front of the rest.
	const entry = "zero*16 + '\\x18' + zero*2 + "
	for seq, c := range []struct{ name, text, want string }{
		{"look", "b = anon(hole*1p)\nput(b[0:8], loff{offset=7})\nlook(b[0:8], loff{offset=8..9})", "b[0:8] is wrong at offset 0: offset is 7, wanted 8..9"},
		{"look at a small field", "b = anon(hole*1p)\nput(b[1:33], fiemap{fm_flags=-1})\nlook(b[1:33], fiemap{fm_start=0, fm_flags=0})", "at offset 16: fm_flags is -1, wanted 0"},
		{"put", "put(bad[0:8]!, loff{}) -> SIGBUS", "wanted SIGBUS, got SIGSEGV"},
		{"hidden data", "b = anon(hole*1p)\nput(b[0:32], fiemap{fm_extent_count=1})\nextents(b, zero*1p + 'x'*1p)", "byte {1p} is data and in none of the 0 extents"},
		{"too many extents", "b = anon(hole*1p)\nput(b[0:32], fiemap{fm_mapped_extents=3, fm_extent_count=2})\nextents(b, zero*1p)", "fm_mapped_extents is 3, with room for 2"},
		{"extents in a row", "b = anon(hole*1p)\nput(b[0:32], fiemap{fm_mapped_extents=1, fm_extent_count=2})\nextents(b, zero*1p)", "extent 0 is 0 bytes from 0"},
		{"no entry", "file A = empty\nb = anon(zero*100)\nentries(b, A)", "no entry, wanted one at least"},
		{"unknown entry", "file A = empty\nb = anon(" + entry + "'B' + zero*80)\nentries(b, A)", `entry "B", wanted each of . .. A once at most`},
		{"entry twice", "file A = empty\nb = anon(" + entry + "'A' + zero*4 + " + entry + "'A' + zero*80)\nentries(b, A)", `at offset 24: entry "A", wanted each`},
		{"long entry", "file A = empty\nb = anon(zero*16 + '\\xff' + zero*80)\nentries(b, A)", "an entry of 255 bytes"},
		{"ioctl", "file A = empty\nd = open(A, rdonly)\nioctl(d, getflags, bad[0:4]!) -> 0", "wanted 0, got E"},
		{"statx", "file A = 'a'*5\nb = anon(hole*1p)\nstatx(A, b)\nlook(b[0:256], statx{stx_size=4})", "stx_size is 5, wanted 4"},
		{"serve_struct", "u = stall(2p)\nserve_struct(u, 1p-4, loff{offset=7})\nlook(u[1p-4:1p+4], loff{offset=8})", "offset is 7, wanted 8"},
		{"guard_struct", "u = guard_struct(2p, 1p-4, loff{offset=7})\nlook(u[1p-4:1p+4], loff{offset=8})", "offset is 7, wanted 8"},
		{"readlink", "file A = empty\nsymlink(A, B)\nb = anon(hole*1p)\nreadlink(B, b) -> 2", "wanted 2, got 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			r := run(t, w, uint64(seq), c.text)
			g.Expect(r.Failure).NotTo(gomega.BeNil())
			g.Expect(r.Failure.Text).To(gomega.ContainSubstring(inBytes(c.want)))
		})
	}
}
