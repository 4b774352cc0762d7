package glock

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onsi/gomega"
)

var update = flag.Bool("update", false, "rewrite the dumps in testdata")

func expectDump(t *testing.T, n *Node, file string) {
	t.Helper()
	g := gomega.NewWithT(t)
	var got strings.Builder
	g.Expect(n.Dump(&got)).To(gomega.Succeed())
	path := filepath.Join("testdata", file)
	if *update {
		g.Expect(os.WriteFile(path, []byte(got.String()), 0o644)).To(gomega.Succeed())
	}
	want, err := os.ReadFile(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(got.String()).To(gomega.Equal(string(want)))
}

// TestDumpOfKernel brings a node into the state in which a 6.1 kernel wrote this dump (its glocks are sorted here), and compares every byte.
func TestDumpOfKernel(t *testing.T) {
	describe := func(n Name) Object {
		switch n.Type {
		case Inode:
			return Object{Line: InodeLine{FormalIno: 3, Addr: 2343, Type: 8, Size: 2867200, Pages: 700}, Dirty: true, LogFlush: true, MetadataPages: 3}
		case Iopen:
			return Object{Line: InodeLine{FormalIno: 3, Addr: 2343, Type: 8, Size: 2867200, Pages: 700}}
		case Rgrp:
			return Object{Dirty: true, LogFlush: true, MetadataPages: 3, Line: RgrpLine{Addr: 2074, Flags: 0x90000000, Free: 29716, FreeClone: 29716,
				Dinodes: 14, Requested: 62, ExtentFail: 30748, LVB: &RgrpLVB{Free: 29716, Dinodes: 14},
				Reservations: []Reservation{{Inode: 3019, Start: 3020, Length: 31}}}}
		}
		return Object{}
	}
	n := NewSpace(nil).Join(Options{HoldTime: 200 * time.Millisecond, Hooks: Hooks{Describe: describe}})
	enqueue(t, n, request(1, EX, 0)).Unlock()
	enqueue(t, n, Request{Owner: task(1), Name: RgrpName(2074), State: EX, Flags: NodeScope}).Unlock()
	enqueue(t, n, Request{Owner: task(1), Name: Name{Iopen, 2343}, State: SH, Flags: Exact | NoPID, Caller: "gfs2_atomic_open+0x56/0xe0 [gfs2]"})
	enqueue(t, n, Request{Owner: task(1), Name: Name{Journal, 0}, State: EX, Flags: NoExp | NoCache | NoPID, Caller: "init_inodes+0x5f3/0xa20 [gfs2]"})
	expectDump(t, n, "linux-6.1.glocks")
}

// TestDumpWhileHanging: every hook hangs, holders don't let go, and the dump comes all the same, from Describe's own goroutine even.
func TestDumpWhileHanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSpace(nil)
		hang := make(chan struct{})
		defer close(hang)
		var n *Node
		n = s.Join(Options{Hooks: Hooks{
			Sync:        func(context.Context, Name) { <-hang },
			Invalidate:  func(context.Context, Name, State) { <-hang },
			Instantiate: func(context.Context, Name) error { <-hang; return nil },
			Describe: func(name Name) Object {
				n.LockedBy(task(1), name) // a hook may call back
				return Object{}
			},
		}})
		other := s.Join(Options{})
		ask := func(n *Node, pid int, comm string, addr uint64, st State, f Flags, caller string) *Holder {
			h := enqueue(t, n, Request{Owner: Owner{PID: pid, Comm: comm}, Name: InodeName(addr), State: st, Flags: f, Caller: caller})
			h.gl.stale = false
			return h
		}
		ask(n, 107, "cat", 0xa, SH, Any, "read")
		ask(n, 108, "dd", 0xa, EX, Skip, "write")
		ask(other, 500, "touch", 0xa, EX, 0, "setattr")
		ask(n, 1, "dd", 0xb, EX, 0, "write").Unlock()
		ask(other, 501, "ls", 0xb, SH, 0, "stat")
		ask(n, 1, "dd", 0xc, SH, 0, "read").Unlock()
		ask(n, 109, "dd", 0xc, DF, 0, "direct write")
		ask(other, 502, "vi", 0xd, EX, 0, "write")
		ask(n, 110, "rm", 0xd, EX, 0, "unlink")
		go n.Lock(t.Context(), Request{Owner: Owner{PID: 111, Comm: "ls"}, Name: InodeName(0xe), State: SH, Caller: "stat"})
		group := Request{Owner: Owner{PID: 108, Comm: "dd"}, Name: RgrpName(17), State: EX, Flags: NodeScope | Try, Caller: "allocate"}
		enqueue(t, n, group).gl.stale = false
		group.Owner.PID, group.Flags = 109, NodeScope
		enqueue(t, n, group)
		time.Sleep(7 * time.Millisecond)
		synctest.Wait()
		expectDump(t, n, "hanging.glocks")
	})
}

// TestDumpOfHoldTime: a demote request that is not due yet has a letter of its own and no age.
func TestDumpOfHoldTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gomega.NewWithT(t)
		s := NewSpace(nil)
		a, b := s.Join(Options{HoldTime: time.Second}), s.Join(Options{})
		enqueue(t, a, request(1, EX, 0))
		enqueue(t, b, request(2, DF, 0))
		first := func() string {
			var got strings.Builder
			g.Expect(a.Dump(&got)).To(gomega.Succeed())
			line, _, _ := strings.Cut(got.String(), "\n")
			return line
		}
		time.Sleep(time.Second / 2)
		g.Expect(first()).To(gomega.Equal("G:  s:EX n:2/927 f:dqb t:EX d:DF/0 a:0 v:0 r:3 m:250 p:0"))
		time.Sleep(time.Second)
		g.Expect(first()).To(gomega.Equal("G:  s:EX n:2/927 f:Dqb t:EX d:DF/1500000 a:0 v:0 r:3 m:250 p:0"))
	})
}

// TestDumpOfUnlocked: the object of a glock that the node does not have is not described.
func TestDumpOfUnlocked(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	a := s.Join(Options{Hooks: Hooks{Describe: func(Name) Object { return Object{Line: InodeLine{Addr: 2343}} }}})
	b := s.Join(Options{})
	enqueue(t, b, request(1, EX, 0))
	enqueue(t, a, request(2, SH, 0))
	var got strings.Builder
	g.Expect(a.Dump(&got)).To(gomega.Succeed())
	g.Expect(got.String()).To(gomega.Equal("G:  s:UN n:2/927 f:lqo t:SH d:EX/0 a:0 v:0 r:3 m:0 p:0\n H: s:SH f:W e:0 p:2 [task] test\n"))
}
