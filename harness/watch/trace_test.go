package watch_test

import (
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/watch"
)

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

// A copy that faulted is in the middle of the stack with its registers; without them the copy is in the stack all the same, by what called it.
const copyFaulted = `BUG: something
Call Trace:
 gfs2_fault+0x49/0xb0 [gfs2]
 asm_exc_page_fault+0x1e/0x30
RIP: 0010:copy_user_generic_unrolled+0x89/0xc0
Code: 38 4c 89 47 20
RSP: 0018:fffface080217c30 EFLAGS: 00040206
RAX: 00007ffffffff000 RBX: ffff96da43d62064 RCX: 0000000000000006
 copy_page_to_iter+0xde/0x380
 gfs2_file_read_iter+0x1f4/0x230 [gfs2]
RIP: 0033:0x40d00e
RSP: 002b:00002ee601a936b0 EFLAGS: 00000216 ORIG_RAX: 0000000000000013
 not_of_it+0x1/0x2
`

func TestTraceThroughACopy(t *testing.T) {
	g := gomega.NewWithT(t)
	lines := watch.ParseConsole(copyFaulted)
	trace := watch.Trace(lines, watch.Scan(lines)[0])
	g.Expect(trace).To(gomega.Equal([]string{"gfs2_fault", "asm_exc_page_fault", "copy_user_generic_unrolled", "copy_page_to_iter", "gfs2_file_read_iter"}))
	g.Expect(watch.Signature(trace)).To(gomega.Equal("gfs2_fault < copy to user < gfs2_file_read_iter"))
}

// Where nothing is certain the rest is better than nothing, but a copy would say too much.
func TestTraceOfGuesses(t *testing.T) {
	g := gomega.NewWithT(t)
	lines := watch.ParseConsole("BUG: something\nCall Trace:\n ? copy_page_to_iter+0xde/0x380\n ? read_zero+0x68/0xb0\n ? vfs_read+0x96/0x190\n")
	g.Expect(watch.Trace(lines, watch.Scan(lines)[0])).To(gomega.Equal([]string{"read_zero", "vfs_read"}))
	g.Expect(watch.Signature(watch.Trace(lines, watch.Scan(lines)[0]))).To(gomega.Equal("read_zero"))
}

// Nobody returns to the beginning of a function.
func TestTraceBehindAFunctionThatDoesNotReturn(t *testing.T) {
	g := gomega.NewWithT(t)
	lines := watch.ParseConsole("BUG: something\nCall Trace:\n [<60501ff8>] sysrq_reset_seq_param_set+0x0/0x50\n [<605024fd>] __handle_sysrq+0xcb/0x159\n")
	g.Expect(watch.Trace(lines, watch.Scan(lines)[0])).To(gomega.Equal([]string{"__handle_sysrq"}))
}

// A stack behind the complaint of another file system is of that one.
func TestTraceIsOfTheSameFileSystem(t *testing.T) {
	g := gomega.NewWithT(t)
	lines := watch.ParseConsole(`EXT4-fs error (device vda): ext4_readdir:207: inode #13
gfs2: fsid=vdb.0: fatal: invalid metadata block
gfs2: fsid=vdb.0: about to withdraw this file system
Call Trace:
 gfs2_withdraw+0x1/0x2
`)
	found := watch.Scan(lines)
	g.Expect(found).To(gomega.HaveLen(3))
	g.Expect(watch.Trace(lines, found[0])).To(gomega.BeEmpty())
	g.Expect(watch.Trace(lines, found[1])).To(gomega.Equal([]string{"gfs2_withdraw"}))
}

// Complaints name their task in many ways.
func TestTaskOf(t *testing.T) {
	g := gomega.NewWithT(t)
	for text, tid := range map[string]int{
		"Kernel panic - not syncing: BUG!\nCPU: 0 PID: 789 Comm: exe Not tainted 5.10.46 #1":       789,
		"WARNING: CPU: 1 PID: 4712 at fs/inode.c:300 drop_nlink+0x1/0x2":                           4712,
		"WARNING: mm/page_alloc.c:5336 at __alloc_frozen_pages_noprof+0x68/0x16f, CPU#0: tool/760": 760,
		"INFO: task dd:132 blocked for more than 5 seconds.":                                       132,
		"INFO: task fsx:16733 is blocked on a rw-semaphore likely owned by task fsx:16731.":        16733,
		"watchdog: BUG: soft lockup - CPU#1 stuck for 15s! [dd:125]":                               125,
		"BUG: something\nCPU: 0 UID: 0 PID: 749 Comm: tool":                                        749,
		"BUG: something": 0,
	} {
		lines := watch.ParseConsole(text)
		g.Expect(watch.TaskOf(lines, watch.Scan(lines)[0])).To(gomega.Equal(tid), text)
	}
	g.Expect(watch.TaskOf(nil, watch.Finding{Kind: "bug"})).To(gomega.BeZero())
}
