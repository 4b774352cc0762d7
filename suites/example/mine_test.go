// A suite of one's own, in one's own module: go test, ginkgo, or faultline run --suite suites/example.
package mysuite_test

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"

	"faultline/suites/kit"
)

func TestMine(t *testing.T) { kit.Suite(t, "mysuite") }

var _ = Describe("my file system", Label("quick", "mmap"), func() {
	kit.It("reads a page of data over the hole before it", `
		file A = hole*1p + 'b'*1p
		d = open(A, rdwr)
		m = mmap(d, private, rw, 0, 2p)
		pread(d, m[0:1p], 1p)
		check(m)
		check(A)
	`)
	// Expectations of one's own are kept as they are.
	kit.It("refuses a buffer that is not mapped", `
		file A = pat1*1p
		d = open(A, rdonly)
		pread(d, bad[0:1p]!, 0) -> EFAULT
	`)
})
