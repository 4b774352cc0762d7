package watch_test

import (
	"os"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/watch"
)

// What real kernels printed, and the failure that it is.
var recorded = []struct{ file, kind, signature string }{
	{"gfs2-self-read-uml-5.10.txt", "bug", "gfs2_glock_nq < gfs2_fault < copy to user < gfs2_file_read_iter"},
}

func TestRecordedLogs(t *testing.T) {
	for _, row := range recorded {
		g := gomega.NewWithT(t)
		text, err := os.ReadFile("testdata/log/" + row.file)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		lines := watch.ParseConsole(string(text))
		var found watch.Finding
		for _, f := range watch.Scan(lines) {
			if f.Kind == row.kind {
				found = f
				break
			}
		}
		g.Expect(found.Kind).To(gomega.Equal(row.kind), row.file)
		g.Expect(watch.Signature(watch.Trace(lines, found))).To(gomega.Equal(row.signature), row.file)
	}
}

// The innermost function of a warning is where the processor was; what is only guessed, and what comes after the stack, is left out.
func TestTraceOfAWarning(t *testing.T) {
	g := gomega.NewWithT(t)
	lines := watch.ParseConsole(`[   12.000000] fine+0x1/0x2
[   12.000001] WARNING: CPU: 1 PID: 4712 at fs/inode.c:300 drop_nlink+0x1/0x2
[   12.000002] Modules linked in: gfs2 dlm
[   12.000003] RIP: 0010:drop_nlink+0x1/0x2
[   12.000004] Code: 00 01
[   12.000005] Call Trace:
[   12.000006]  <TASK>
[   12.000007]  ? __warn+0x81/0x130
[   12.000008]  gfs2_unlink+0x1b/0x30 [gfs2]
[   12.000009]  vfs_unlink.part.0+0x11/0x2a
[   12.000010]  </TASK>
[   12.000011] ---[ end trace 0000000000000000 ]---
[   12.000012]  not_of_it+0x1/0x2
`)
	found := watch.Scan(lines)
	g.Expect(found).To(gomega.HaveLen(1))
	g.Expect(watch.Trace(lines, found[0])).To(gomega.Equal([]string{"drop_nlink", "gfs2_unlink", "vfs_unlink.part.0"}))
	g.Expect(watch.Signature(watch.Trace(lines, found[0]))).To(gomega.Equal("drop_nlink < gfs2_unlink < vfs_unlink"))
}

func TestNoTrace(t *testing.T) {
	g := gomega.NewWithT(t)
	far := watch.ParseConsole("BUG: something\n" + strings.Repeat("registers\n", 100) + "Call Trace:\n of_something_else+0x1/0x2\n")
	g.Expect(watch.Trace(far, watch.Scan(far)[0])).To(gomega.BeEmpty())
	none := watch.ParseConsole("BUG: something\n")
	g.Expect(watch.Trace(none, watch.Scan(none)[0])).To(gomega.BeEmpty())
	g.Expect(watch.Trace(none, watch.Finding{Kind: "bug"})).To(gomega.BeEmpty(), "it is not of this log")
}
