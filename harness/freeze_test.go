package harness_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/worker"
	"faultline/results"
)

// frozen waits in FIFREEZE for a write that is stopped in its user copy.
const frozen = `prog proof/frozen
needs own-mount
needs stall
file A = pat1*2p
d = open(A, rdwr)
u = stall(1p)
p2: f = open(A, rdonly)
wait(p2)
t1: pwrite(d, u, 0) -> any
stalled(u)
p2: freeze(f)
wait(p2)
`

// Whoever is killed while he freezes a file system leaves it frozen: FIFREEZE does not stop half-way. A guardian thaws it.
func TestAFrozenFileSystemIsThawed(t *testing.T) {
	g := gomega.NewWithT(t)
	r := runner(t, "loop:ext4", harness.Options{Repeats: -1})
	if why := r.Target().Lacks("stall") + r.Target().Lacks("own-mount"); why != "" {
		t.Skip(why)
	}
	w, err := r.Target().Machine().StartWorker(worker.Config{Dir: r.Target().Dir(), Ours: true})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer w.Close()
	g.Expect(w.Send(1, frozen)).To(gomega.Succeed())
	g.Eventually(func() (in []string) {
		for _, l := range w.Live() {
			if stack, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(l.PID), "stack")); err == nil {
				in = append(in, string(stack))
			}
		}
		return in
	}, soon, 10*time.Millisecond).Should(gomega.ContainElement(gomega.ContainSubstring("freeze_super")))
	w.Kill()
	g.Eventually(w.Exited(), soon).Should(gomega.BeClosed())
	touch := exec.CommandContext(t.Context(), "touch", filepath.Join(r.Target().Dir(), "after"))
	g.Expect(touch.Start()).To(gomega.Succeed())
	ended := make(chan error, 1)
	go func() { ended <- touch.Wait() }()
	g.Eventually(ended, soon).Should(gomega.Receive(gomega.BeNil()), "the file system is still frozen")
}

// What would stop a file system of the user's is never done there, also not by a program that forgot to say what it needs.
func TestOnlyOurMountsAreFrozen(t *testing.T) {
	g := gomega.NewWithT(t)
	r := runner(t, "dir:"+t.TempDir(), harness.Options{Repeats: -1})
	o := r.Run(t.Context(), derived(t, "prog proof/own\nneeds own-mount\nfile A = 'a'*1p\nd = open(A, rdonly)\nfreeze(d)\n"))
	g.Expect(o.Verdict).To(gomega.Equal(results.Skip), o.Message)
	g.Expect(o.Message).To(gomega.ContainSubstring("the file system is not ours"))
	for _, step := range []string{"freeze(d)", "umount(d)"} {
		p, err := prog.Parse("prog proof/forgetful\nfile A = 'a'*1p\nd = open(A, rdonly)\n" + step + " -> EPERM\n")
		g.Expect(err).NotTo(gomega.HaveOccurred())
		o = r.Run(t.Context(), p)
		g.Expect(o.Verdict).To(gomega.Equal(results.Pass), o.Message)
	}
}
