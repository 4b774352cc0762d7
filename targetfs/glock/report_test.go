package glock

import (
	"regexp"
	"strings"
	"testing"

	"github.com/onsi/gomega"
)

// kernelLine is the syntax of lines that Linux 6.1 writes; the samples in this test are from one.
var kernelLine = []*regexp.Regexp{
	regexp.MustCompile(`^G:  s:(UN|EX|DF|SH) n:\d+/[0-9a-f]+ f:[a-zA-Z]* t:(UN|EX|DF|SH) d:(UN|EX|DF|SH)/\d+ a:\d+ v:\d+ r:\d+ m:\d+ p:\d+$`),
	regexp.MustCompile(`^ H: s:(EX|DF|SH) f:[tTeAnaEcHWDs]* e:\d+ p:\d+ \[[^]]*\] .*$`),
	regexp.MustCompile(`^ I: n:\d+/\d+ t:\d+ f:0x[0-9a-f]{2,} d:0x[0-9a-f]{8} s:\d+ p:\d+$`),
	regexp.MustCompile(`^ R: n:\d+ f:[0-9a-f]{2,} b:\d+/\d+ i:\d+ q:\d+ r:\d+ e:\d+$`),
}

func expectKernelSyntax(t *testing.T, dump string) {
	t.Helper()
	for line := range strings.Lines(dump) {
		ok := false
		for _, re := range kernelLine {
			ok = ok || re.MatchString(strings.TrimSuffix(line, "\n"))
		}
		if !ok {
			t.Errorf("the kernel writes no line such as %q", line)
		}
	}
}

func TestDump(t *testing.T) {
	g := gomega.NewWithT(t)
	expectKernelSyntax(t, `G:  s:SH n:5/927 f:qob t:SH d:EX/0 a:0 v:0 r:3 m:50 p:0
 H: s:SH f:EH e:0 p:0 [(none)] gfs2_atomic_open+0x56/0xe0 [gfs2]
 I: n:3/2343 t:8 f:0x00 d:0x00000000 s:2867200 p:700
 R: n:2074 f:90000000 b:29716/29716 i:14 q:62 r:0 e:30748
`)
	describe := func(n Name) string {
		switch n.Type {
		case Inode:
			return InodeLine{FormalIno: 3, Addr: n.Number, Type: 8, Size: 2867200, Pages: 700}.String()
		case Rgrp:
			return RgrpLine{Addr: n.Number, Flags: 0x90000000, Free: 29716, FreeClone: 29716, Dinodes: 14, Requested: 62, ExtentFailedAbove: 30748}.String()
		}
		return ""
	}
	s := NewSpace()
	n, other := s.Join(Options{Hooks: Hooks{Describe: describe}}), s.Join(Options{})
	enqueue(t, n, Request{Owner: Owner{107, "cat"}, Name: file, State: SH, Flags: Any, Caller: "read"})
	enqueue(t, n, Request{Owner: Owner{108, "dd"}, Name: file, State: EX, Flags: Skip, Caller: "write"})
	enqueue(t, n, Request{Owner: Owner{1, "mount"}, Name: Name{Journal, 0}, State: EX, Flags: NoPID | NoExp | NoCache, Caller: "mount"})
	enqueue(t, n, Request{Owner: Owner{108, "dd"}, Name: RgrpName(2074), State: EX, Caller: "allocate"}).Unlock()
	enqueue(t, other, Request{Owner: Owner{500, "ls"}, Name: file, State: EX, Caller: "setattr"})
	var out strings.Builder
	g.Expect(n.Dump(&out)).To(gomega.Succeed())
	expectKernelSyntax(t, out.String())
	g.Expect(out.String()).To(gomega.Equal(`G:  s:SH n:2/927 f:Dqob t:SH d:UN/0 a:0 v:0 r:4 m:0 p:0
 H: s:SH f:AH e:0 p:107 [cat] read
 H: s:EX f:Ws e:0 p:108 [dd] write
 I: n:3/2343 t:8 f:0x00 d:0x00000000 s:2867200 p:700
G:  s:EX n:3/81a f:ob t:EX d:EX/0 a:0 v:0 r:2 m:0 p:0
 R: n:2074 f:90000000 b:29716/29716 i:14 q:62 r:0 e:30748
G:  s:EX n:9/0 f:qb t:EX d:EX/0 a:0 v:0 r:2 m:0 p:0
 H: s:EX f:ecH e:0 p:0 [(none)] mount
`))
}

// TestCrossed: two tasks read one file into a mapping of the other.
func TestCrossed(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace()
	n := s.Join(Options{Name: "n0"})
	a, b := InodeName(0xa), InodeName(0xb)
	cat, dd := Owner{1, "cat"}, Owner{2, "dd"}
	enqueue(t, n, Request{Owner: cat, Name: a, State: SH, Caller: "read"})
	enqueue(t, n, Request{Owner: dd, Name: b, State: EX, Caller: "write"})
	fault := enqueue(t, n, Request{Owner: cat, Name: b, State: SH, Caller: "page fault"})
	g.Expect(s.Cycle()).To(gomega.BeNil(), "one waits for the other: no circle yet")
	g.Expect(Explain(s.Cycle())).To(gomega.Equal("no task waits for itself\n"))
	enqueue(t, n, Request{Owner: Owner{3, "ls"}, Name: b, State: SH, Caller: "stat"})
	enqueue(t, n, Request{Owner: dd, Name: a, State: EX, Caller: "page fault"})
	g.Expect(Explain(s.Cycle())).To(gomega.Equal(`task 2 [dd] wants inode glock 2/a EX (page fault), which task 1 [cat] holds SH (read),
task 1 [cat] wants inode glock 2/b SH (page fault), which task 2 [dd] holds EX (write),
and so task 2 [dd] waits for itself.
`))
	fault.Unlock()
	g.Expect(s.Cycle()).To(gomega.BeNil())
}

// TestCycleThroughFault: a task holds a glock while another one serves its page fault, and that one wants the glock.
func TestCycleThroughFault(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace()
	n := s.Join(Options{})
	cat, server := Owner{1, "cat"}, Owner{9, "server"}
	enqueue(t, n, Request{Owner: cat, Name: file, State: EX, Caller: "write"})
	enqueue(t, n, Request{Owner: server, Name: file, State: SH, Caller: "FUSE READ"})
	g.Expect(s.Cycle()).To(gomega.BeNil())
	end := s.AddWait(cat, server, "a page fault in its buffer, which maps inode 2343")
	g.Expect(Explain(s.Cycle())).To(gomega.Equal(`task 9 [server] wants inode glock 2/927 SH (FUSE READ), which task 1 [cat] holds EX (write),
task 1 [cat] waits for task 9 [server]: a page fault in its buffer, which maps inode 2343,
and so task 9 [server] waits for itself.
`))
	end()
	g.Expect(s.Cycle()).To(gomega.BeNil())
}

// TestCycleAcrossNodes: each node's task has what the other's wants.
func TestCycleAcrossNodes(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace()
	n0, n1 := s.Join(Options{Name: "n0"}), s.Join(Options{Name: "n1"})
	a, b := InodeName(0xa), InodeName(0xb)
	enqueue(t, n0, Request{Owner: task(1), Name: a, State: EX})
	enqueue(t, n1, Request{Owner: task(2), Name: b, State: EX})
	enqueue(t, n0, Request{Owner: task(1), Name: b, State: SH})
	g.Expect(s.Cycle()).To(gomega.BeNil())
	enqueue(t, n1, Request{Owner: task(2), Name: a, State: SH})
	cycle := s.Cycle()
	g.Expect(cycle).To(gomega.HaveLen(2))
	g.Expect([]string{cycle[0].Node, cycle[1].Node}).To(gomega.ConsistOf("n0", "n1"))
}

// TestQueueIsPartOfTheCycle: who waits behind a writer waits for the writer.
func TestQueueIsPartOfTheCycle(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace()
	n := s.Join(Options{})
	enqueue(t, n, request(1, SH, 0))
	enqueue(t, n, request(2, EX, 0))
	enqueue(t, n, request(3, SH, 0))
	end := s.AddWait(task(1), task(3), "a page fault")
	defer end()
	cycle := s.Cycle()
	g.Expect(cycle).To(gomega.HaveLen(3))
	g.Expect(Explain(cycle)).To(gomega.ContainSubstring("task 3 [task] wants inode glock 2/927 SH (test), which task 2 [task] is waiting for EX (test)"))
}
