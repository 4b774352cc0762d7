package watch_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/watch"
)

var update = flag.Bool("update", false, "write the expectations in testdata/stacks anew")

// TestRecordedStacks reads files of a comment, the expected signature, the expected explanation, and a stack.
func TestRecordedStacks(t *testing.T) {
	files, err := filepath.Glob("testdata/stacks/*.txt")
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	gomega.NewWithT(t).Expect(len(files)).To(gomega.BeNumerically(">", 15))
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			g := gomega.NewWithT(t)
			text, err := os.ReadFile(file)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			head, stack, found := strings.Cut(string(text), "\n\n")
			g.Expect(found).To(gomega.BeTrue(), "no empty line before the stack")
			comment, _, _ := strings.Cut(head, "\n")
			task := watch.Task{KernelStack: strings.Split(strings.TrimSpace(stack), "\n")}
			got := fmt.Sprintf("%s\nsignature: %s\nexplain: %s", comment, watch.Signature(task.KernelStack), explainBlocked(task))
			if *update {
				g.Expect(os.WriteFile(file, []byte(got+"\n\n"+stack), 0o644)).To(gomega.Succeed())
				return
			}
			g.Expect(got).To(gomega.Equal(head))
		})
	}
}

func explainBlocked(task watch.Task) string {
	step := watch.Step{Actor: "t1", Text: "STEP", Buffer: "maps A"}
	return watch.Explain(step, watch.Motion{Kind: watch.Blocked, Elapsed: 2100 * time.Millisecond, Task: task})
}

func TestSignatureIgnoresOffsetsSuffixesAndModules(t *testing.T) {
	g := gomega.NewWithT(t)
	want := "gfs2_glock_nq < gfs2_fault < copy to user < gfs2_file_read_iter"
	for _, stack := range [][]string{
		{"[<0>] gfs2_glock_nq+0x2c1/0x5e0 [gfs2]", "[<0>] gfs2_fault+0x5d/0x120 [gfs2]", "[<0>] copyout+0x1/0x2", "[<0>] gfs2_file_read_iter+0x12d/0x1d0 [gfs2]"},
		{"[<ffffffffc03ab1c1>] gfs2_glock_nq.part.0.isra.12+0x1/0x5e", "gfs2_fault.cold", "_copy_to_iter.constprop.0+0x2/0x3", "gfs2_file_read_iter.llvm.123456"},
		{"[<0>] schedule+0x1/0x2", "[<0>] gfs2_glock_nq+0x9/0x10", "[<0>] 0xffffffffc0001234", "[<0>] gfs2_fault+0x5/0x12", "[<0>] exc_page_fault+0x1/0x2",
			"[<0>] copyout+0x3/0x9", "[<0>] copy_page_to_iter+0x3/0x9", "[<0>] gfs2_file_read_iter+0x2/0x3", "[<0>] do_syscall_64+0x1/0x2"},
	} {
		g.Expect(watch.Signature(stack)).To(gomega.Equal(want))
	}
	direct := []string{"gfs2_glock_nq+0xed/0x387", "gfs2_fault+0x49/0xab", "__do_fault+0x4c/0x71", "handle_mm_fault+0xc2/0x18e", "__get_user_pages+0x179/0x30e",
		"get_user_pages_unlocked+0x106/0x2f1", "internal_get_user_pages_fast+0xb5/0xc3", "iov_iter_get_pages+0x9/0x10", "iomap_dio_rw+0x10/0x21"}
	g.Expect(watch.Signature(direct)).To(gomega.Equal("gfs2_glock_nq < gfs2_fault < pin user pages < iomap_dio_rw"))
	g.Expect(watch.Signature(nil)).To(gomega.BeEmpty())
	other := []string{"[<0>] gfs2_glock_nq+0x2c1/0x5e0 [gfs2]", "[<0>] gfs2_page_mkwrite+0x5d/0x120 [gfs2]"}
	g.Expect(watch.Signature(other)).NotTo(gomega.Equal(want))
}

func TestExplainKinds(t *testing.T) {
	blocked := watch.Task{TID: 7, Wchan: "request_wait_answer"}
	server := watch.Snapshot{PID: 40, Tasks: []watch.Task{
		{TID: 41, KernelStack: []string{"[<0>] fuse_dev_do_read+0x1/0x2"}},
		{TID: 42, KernelStack: []string{"[<0>] folio_wait_bit_common+0x1/0x2", "[<0>] filemap_fault+0x1/0x2", "[<0>] __get_user_pages+0x1/0x2",
			"[<0>] pin_user_pages_remote+0x1/0x2", "[<0>] process_vm_rw_core+0x1/0x2", "[<0>] do_syscall_64+0x1/0x2"}},
	}}
	second := time.Second
	for _, row := range []struct {
		name   string
		motion watch.Motion
		want   string
	}{
		{"wchan only", watch.Motion{Kind: watch.Blocked, Elapsed: second, Task: blocked},
			"t1 is blocked in STEP for 1.0 s: waiting for the answer to a FUSE request in request_wait_answer"},
		{"fault seen without root", watch.Motion{Kind: watch.Blocked, Elapsed: second, Task: watch.Task{Syscall: watch.Syscall{Nr: -1}, Wchan: "0",
			Missing: map[string]string{"stack": "permission denied"}}},
			"t1 is blocked in STEP for 1.0 s: outside of any system call, so in a page fault from user space, which maps A, " +
				"waiting in the kernel (its stack cannot be read: permission denied)"},
		{"the server hangs too", watch.Motion{Kind: watch.Blocked, Elapsed: second, Task: blocked, Servers: []watch.Snapshot{server}},
			"t1 is blocked in STEP for 1.0 s: waiting for the answer to a FUSE request in request_wait_answer; thread 42 of its server is in: " +
				"page fault in another process's memory, waiting for a page to be unlocked in folio_wait_bit_common"},
		{"the server is gone", watch.Motion{Kind: watch.Blocked, Elapsed: second, Task: blocked, Servers: []watch.Snapshot{{PID: 40}}},
			"t1 is blocked in STEP for 1.0 s: waiting for the answer to a FUSE request in request_wait_answer; its server, process 40, is gone"},
		{"spinning", watch.Motion{Kind: watch.Spinning, Elapsed: second, Why: "1.0 s of CPU time in 1.0 s, mostly in the kernel",
			Common: []string{"[<0>] iomap_write_begin+0x1/0x2", "[<0>] gfs2_file_write_iter+0x1/0x2", "[<0>] do_syscall_64+0x1/0x2"}},
			"t1 is spinning in STEP for 1.0 s: 1.0 s of CPU time in 1.0 s, mostly in the kernel, in iomap_write_begin"},
		{"spinning server", watch.Motion{Kind: watch.Spinning, Server: 40, Elapsed: second, Why: "1.0 s of CPU time in 1.0 s, mostly in user space", Task: blocked},
			"t1 waits in STEP for 1.0 s while its server, process 40, spins: 1.0 s of CPU time in 1.0 s, mostly in user space; " +
				"waiting for the answer to a FUSE request in request_wait_answer"},
		{"livelock", watch.Motion{Kind: watch.Spinning, Livelock: true, Elapsed: second, Why: "20000 voluntary context switches and 3 page faults in this one step"},
			"t1 is in a livelock with sleeps in between, in STEP for 1.0 s: 20000 voluntary context switches and 3 page faults in this one step"},
		{"timeout", watch.Motion{Kind: watch.Slow, Exhausted: true, Elapsed: second, Why: "it moves"},
			"t1 is still in STEP for 1.0 s, which is a timeout and no proven hang: it moves"},
		{"slow", watch.Motion{Kind: watch.Slow, Elapsed: second, Why: "not overdue yet"}, "t1 is in STEP for 1.0 s: not overdue yet"},
		{"gone", watch.Motion{Kind: watch.Gone, Elapsed: second, Why: "the thread has ended"}, "t1 is gone, in STEP for 1.0 s: the thread has ended"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := watch.Explain(watch.Step{Actor: "t1", Text: "STEP", Buffer: "maps A"}, row.motion)
			gomega.NewWithT(t).Expect(got).To(gomega.Equal(row.want))
		})
	}
}
