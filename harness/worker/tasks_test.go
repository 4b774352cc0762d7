package worker_test

import (
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
	"faultline/harness/worker"
)

// tasks are the operations whose results nothing else confirms: they are about no file.
const tasks = "process_vm_readv process_vm_writev mem_read mem_write futex_wait futex_wake mount fsconfig execve ptrace_peek ptrace_poke coredump rseq fuse_read fuse_notify"

// TestWrongTasks plants, in the example of each operation, a wrong result at each of its steps: it is found there.
func TestWrongTasks(t *testing.T) {
	dir := t.TempDir()
	w := start(t, worker.Config{Dir: dir})
	seq := uint64(0)
	for _, op := range strings.Fields(tasks) {
		t.Run(op, func(t *testing.T) {
			g := gomega.NewWithT(t)
			p, err := prog.Parse(prog.Example(op))
			g.Expect(err).NotTo(gomega.HaveOccurred())
			if lack := lacks(t, p, dir); lack != "" {
				t.Skip(lack)
			}
			for k := range p.Steps {
				s := &p.Steps[k]
				if s.Op != op {
					continue
				}
				right := s.Want
				s.Want = prog.Expect{prog.Exactly(prog.Bytes(4567)), prog.Fails("EXDEV")}
				seq++
				r := run(t, w, seq, p.String())
				g.Expect(r.Failure).NotTo(gomega.BeNil(), s.String())
				g.Expect(r.Failure.Step).To(gomega.Equal(k), s.String())
				s.Want = right
			}
		})
	}
}
