package worker

import (
	"bytes"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// TestEveryOperation demands a function for every row of the table of operations, and bits for every word of its flags.
func TestEveryOperation(t *testing.T) {
	g := gomega.NewWithT(t)
	for name, op := range prog.Ops {
		g.Expect(ops).To(gomega.HaveKey(name))
		for _, param := range op.Params {
			for _, word := range param.Words {
				g.Expect(words[name]).To(gomega.HaveKey(word), "%s %s", name, word)
			}
		}
	}
	for name := range ops {
		g.Expect(prog.Ops).To(gomega.HaveKey(name))
	}
}

func TestSlotStateTellsStepsApart(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, want := range []int{StepCleanup, StepSetup, 0, 1, 1 << 20} {
		for _, wantRunning := range []bool{true, false} {
			begun, step, running := unpackState(packState(7, want, wantRunning))
			g.Expect(begun).To(gomega.Equal(uint32(7)))
			g.Expect(step).To(gomega.Equal(want))
			g.Expect(running).To(gomega.Equal(wantRunning))
		}
	}
	g.Expect(packState(1, 5, true)).NotTo(gomega.Equal(packState(2, 5, true)))
	g.Expect(unpackName(packName("t12"))).To(gomega.Equal("t12"))
}

// TestPlaces holds the worker to what programs rely on: nothing is mapped next to an object, and addresses do not depend on the run.
func TestPlaces(t *testing.T) {
	g := gomega.NewWithT(t)
	s := space{region: 0x100000000000, names: map[string]*object{}}
	var first []uintptr
	for range 2 {
		s.reset()
		var ends, starts []uintptr
		for _, n := range []int64{1, 4095, 4096, 65535, 65536, 65537, 1 << 20} {
			at := s.place(n)
			starts, ends = append(starts, at), append(ends, at+uintptr(n))
		}
		g.Expect(starts[0] > s.region+badRoom).To(gomega.BeTrue(), "%#x", starts)
		for i := 1; i < len(starts); i++ {
			g.Expect(starts[i]-ends[i-1] >= 64<<10).To(gomega.BeTrue(), "object %d of %#x", i, starts)
		}
		if first != nil {
			g.Expect(starts).To(gomega.Equal(first))
		}
		first = starts
	}
}

func TestPermissions(t *testing.T) {
	g := gomega.NewWithT(t)
	maps := []byte("1000-3000 r--p 00000000 00:00 0\n3000-4000 rw-s 00001000 fe:00 17 /a b\nffffffffff600000-ffffffffff601000 --xp 0 00:00 0 [vsyscall]\n")
	for addr, want := range map[uintptr]string{0xfff: "", 0x1000: "r--p", 0x2fff: "r--p", 0x3000: "rw-s", 0x4000: "", 0xffffffffff600fff: "--xp"} {
		g.Expect(string(permissions(maps, addr))).To(gomega.Equal(want), "%#x", addr)
	}
}

func TestReportsAreDecodedAsTheyWereEncoded(t *testing.T) {
	g := gomega.NewWithT(t)
	in := Report{Seq: 1 << 40, Elapsed: 12345, Ran: 3, Skipped: 1}
	passed := in.Append(nil)
	g.Expect(passed).To(gomega.HaveLen(headSize))
	failed := in
	failed.Failure = &Failure{Step: 2, Actor: "t1", Want: "1p", Got: prog.Result{Err: "EFAULT"}, Data: &Mismatch{What: "A", Got: []byte{0}, Want: []byte{1}}, Text: "x"}
	failed.Cleanup = &Trouble{Doing: "unlink A", Err: "EIO"}
	stream := bytes.NewReader(failed.Append(passed))
	for _, want := range []Report{in, failed} {
		got, err := ReadReport(stream)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(got).To(gomega.Equal(want))
	}
}

// EOPNOTSUPP and ENOTSUP are one number; programs use the name of the manual pages.
func TestErrnoNames(t *testing.T) {
	g := gomega.NewWithT(t)
	for errno, want := range map[unix.Errno]string{unix.ENOTSUP: "EOPNOTSUPP", unix.EWOULDBLOCK: "EAGAIN", unix.EFAULT: "EFAULT", 4000: "errno 4000"} {
		g.Expect(result{errno: errno}.public()).To(gomega.Equal(prog.Result{Err: want}))
	}
	g.Expect(result{signal: unix.SIGBUS}.public()).To(gomega.Equal(prog.Result{Err: "SIGBUS"}))
}
