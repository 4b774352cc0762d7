package harness

import (
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/machine"
	"faultline/harness/target"
	"faultline/harness/watch"
	"faultline/results"
)

// User space cannot write into the kernel's facility of the log, so the lines are made up here; that they are read is package watch's to show.
func kernelSays(texts ...string) []watch.Line {
	lines := make([]watch.Line, len(texts))
	for i, text := range texts {
		lines[i] = watch.Line{Seq: uint64(i + 1), Level: 2, At: time.Duration(i) * time.Second, Text: text}
	}
	return lines
}

var ours = suspects{
	facts: target.Facts{Type: "ext4", Device: "/dev/loop7", Number: "7:7"},
	pids:  []int{4711, 4712},
}

func TestComplaintsOfTheKernel(t *testing.T) {
	for name, row := range map[string]struct {
		before, verdict results.Verdict
		kind            results.Kind
		lines           []watch.Line
	}{
		"error on our device": {results.Pass, results.Crash, results.Fsck,
			kernelSays("EXT4-fs error (device loop7): ext4_lookup:1855: inode #12: comm x: deleted inode referenced")},
		"error on another device of another type": {results.Pass, results.Pass, "",
			kernelSays("XFS (loop3): Corruption detected. Unmount and run xfs_repair")},
		"error on a device whose name begins with ours": {results.Pass, results.Pass, "",
			kernelSays("I/O error, dev loop77, sector 8 op 0x0:(READ)")},
		"I/O error on our device": {results.Wrong, results.Crash, results.Fsck,
			kernelSays("I/O error, dev loop7, sector 8 op 0x0:(READ)")},
		"warning of our process": {results.Pass, results.Crash, results.KernelWarn,
			kernelSays("WARNING: CPU: 1 PID: 4712 at fs/inode.c:300 drop_nlink+0x1/0x2")},
		"warning of another process": {results.Pass, results.Pass, "",
			kernelSays("WARNING: CPU: 1 PID: 47125 at fs/inode.c:300 drop_nlink+0x1/0x2", "Call Trace:", " vfs_unlink+0x1/0x2")},
		"oops of the flusher of our device": {results.Pass, results.Crash, results.KernelOops,
			kernelSays("BUG: kernel NULL pointer dereference, address: 0000000000000008", "Workqueue: writeback wb_workfn (flush-7:7)")},
		"oops in a file system of our type that may be another": {results.Pass, results.Pass, "",
			kernelSays("BUG: kernel NULL pointer dereference, address: 0000000000000008", "Call Trace:", " ext4_writepages+0x1/0x2")},
		"oops with our name before it only": {results.Pass, results.Pass, "",
			kernelSays("EXT4-fs (loop7): mounted filesystem", "BUG: kernel NULL pointer dereference, address: 0000000000000008", " other_driver+0x1/0x2")},
		"hung task of ours, unseen so far": {results.Pass, results.Hang, results.KernelHang,
			kernelSays("INFO: task faultline-work:4711 blocked for more than 120 seconds.")},
		"hung task of ours, a hang already": {results.Hang, results.Hang, results.KernelHang,
			kernelSays("INFO: task faultline-work:4711 blocked for more than 120 seconds.")},
		"nothing but news": {results.Pass, results.Pass, "",
			kernelSays("EXT4-fs (loop7): mounted filesystem with ordered data mode")},
		"written by user space": {results.Pass, results.Pass, "",
			[]watch.Line{{Seq: 1, Facility: 1, Text: "EXT4-fs error (device loop7): not from the kernel"}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			o := Outcome{Verdict: row.before, Message: "what was seen"}
			blame(&o, row.lines, ours)
			g.Expect(o.Verdict).To(gomega.Equal(row.verdict))
			g.Expect(o.Kind).To(gomega.Equal(row.kind))
			g.Expect(o.Message).To(gomega.HaveSuffix("what was seen"))
			if row.verdict == row.before {
				g.Expect(o.Message).To(gomega.Equal("what was seen"))
			} else {
				g.Expect(o.Message).To(gomega.HavePrefix("the kernel says: "))
			}
			if row.verdict == results.Pass {
				g.Expect(o.Evidence).To(gomega.BeEmpty())
			} else {
				g.Expect(o.Evidence).To(gomega.ConsistOf(gomega.HaveField("Name", "kernel.log")))
			}
		})
	}
}

// A file system without a device is not blamed for anybody's.
func TestComplaintsWithoutADevice(t *testing.T) {
	_, blamed := complaint(kernelSays("EXT4-fs error (device loop7): ext4_lookup:1855: inode #12: comm x: deleted inode referenced"),
		suspects{facts: target.Facts{Type: "tmpfs", Device: "tmpfs", Number: "0:31"}})
	gomega.NewWithT(t).Expect(blamed).To(gomega.BeFalse())
}

// A complaint far behind belongs to something else.
func TestComplaintEnds(t *testing.T) {
	g := gomega.NewWithT(t)
	texts := []string{"WARNING: CPU: 1 PID: 1 at fs/inode.c:300 drop_nlink+0x1/0x2"}
	for range traceLines {
		texts = append(texts, " something+0x1/0x2")
	}
	_, far := complaint(kernelSays(append(texts, "Workqueue: writeback wb_workfn (flush-7:7)")...), ours)
	g.Expect(far).To(gomega.BeFalse())
	_, near := complaint(kernelSays(append(texts[:traceLines-1], "Workqueue: writeback wb_workfn (flush-7:7)")...), ours)
	g.Expect(near).To(gomega.BeTrue())
}

// A worker that has a program in hand and does nothing is given up. The program was never sent, so the worker does nothing indeed.
func TestSilentWorker(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	r, err := NewRunner(t.Context(), openDir(dir), Options{Deadline: 100 * time.Millisecond, Repeats: -1})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer r.Close(t.Context())
	g.Expect(r.hire(t.Context())).To(gomega.Succeed())
	began := time.Now()
	p := plain(t)
	r.flight = []*job{{p: p, text: p.String(), seq: 1, sentAt: began}}
	var told []Outcome
	r.out = func(o Outcome) { told = append(told, o) }
	g.Eventually(func() []Outcome {
		g.Expect(r.look(t.Context())).To(gomega.Succeed())
		return told
	}, time.Minute, lookEvery).Should(gomega.HaveLen(1))
	g.Expect(told[0].Verdict).To(gomega.Equal(results.Broken))
	g.Expect(told[0].Kind).To(gomega.Equal(results.InfraWorkerLost))
	g.Expect(told[0].Message).To(gomega.HavePrefix("the worker has begun and finished no step for "))
	g.Expect(told[0].Elapsed).To(gomega.BeNumerically(">=", silentFor*100*time.Millisecond))
	g.Expect(r.Run(t.Context(), p).Verdict).To(gomega.Equal(results.Pass), "the next worker")
}

// A failure of the target that shows in a further run outweighs a first run that our own side spoiled.
func TestSettle(t *testing.T) {
	for name, row := range map[string]struct {
		runs     []results.Verdict
		verdict  results.Verdict
		attempts []results.Verdict
	}{
		"passes":                     {[]results.Verdict{results.Pass}, results.Pass, nil},
		"fails each time":            {[]results.Verdict{results.Wrong, results.Wrong, results.Wrong}, results.Wrong, []results.Verdict{results.Wrong, results.Wrong}},
		"fails once":                 {[]results.Verdict{results.Wrong, results.Pass, results.Pass}, results.Wrong, []results.Verdict{results.Pass, results.Pass}},
		"hangs":                      {[]results.Verdict{results.Hang, results.Pass, results.Hang}, results.Hang, []results.Verdict{results.Pass, results.Hang}},
		"broken once":                {[]results.Verdict{results.Broken, results.Pass, results.Pass}, results.Pass, []results.Verdict{results.Pass, results.Pass}},
		"broken each time":           {[]results.Verdict{results.Broken, results.Broken, results.Broken}, results.Broken, []results.Verdict{results.Broken, results.Broken}},
		"broken, and then a failure": {[]results.Verdict{results.Broken, results.Pass, results.Hang}, results.Hang, []results.Verdict{results.Pass, results.Broken}},
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			var told []Outcome
			r := &Runner{opts: Options{Repeats: 2}, on: machine.Local{}, proven: map[failing]int{}, out: func(o Outcome) { told = append(told, o) }}
			j := &job{p: plain(t)}
			for i, v := range row.runs {
				g.Expect(told).To(gomega.BeEmpty(), "after run %d", i)
				r.queue = nil
				r.settle(j, Outcome{Verdict: v, Message: string(v)})
			}
			g.Expect(told).To(gomega.HaveLen(1))
			g.Expect(told[0].Verdict).To(gomega.Equal(row.verdict))
			var attempts []results.Verdict
			for _, a := range told[0].Attempts {
				attempts = append(attempts, a.Verdict)
			}
			g.Expect(attempts).To(gomega.Equal(row.attempts))
		})
	}
}
