package prog

import (
	"testing"

	"github.com/onsi/gomega"
)

func TestDesignExample(t *testing.T) {
	g := gomega.NewWithT(t)
	text := `# Read from disk, directly, into a private mapping of the same file.
prog selfio/pread/direct/private/data-to-hole
needs odirect
file A = hole*1p + 'b'*1p
file S on other = pat2[512:1p-7] + unwritten*40 + '\''*3
d = open(A, rdwr|direct)
m = mmap(d, private, rw, 0, 2p)
b = anon(hole*8p, 512)
# the interesting call
pread(d, m[0:1p], 1p) -> 0..1p | EFAULT
t1: preadv2(d, {m[0:1p], b[0:1]*1024@1, bad[0:1p]!}, -1, nowait|hipri) -> any
wait(t1)
check(m[0:1p], 'b'*1p | mix('b'*1p, pat7[3:1p+3]))
check(A, hole*1p + 'b'*1p | empty)
`
	p, err := Parse(text)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(p.String()).To(gomega.Equal(text))
}
