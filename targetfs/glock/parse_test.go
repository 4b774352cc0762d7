package glock

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/gomega"
)

func parsed(t *testing.T, file string) []Dumped {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	dump, err := ParseDump(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return dump
}

// TestCycleOfKernel is the hang of the program regress/gfs2-crossed-writes: a dump of 5.10.262, recorded under QEMU.
func TestCycleOfKernel(t *testing.T) {
	g := gomega.NewWithT(t)
	dump := parsed(t, "crossed-writes-linux-5.10.glocks")
	cycle := CycleOf(Waits(dump))
	g.Expect(cycle).To(gomega.HaveLen(2))
	g.Expect(Explain(cycle, Name.String)).To(gomega.Equal(
		"exe by 114 holds 2/1133 (EX) and waits for 2/112e (SH), which\n" +
			"exe by 117 holds (EX), and waits for 2/1133 (SH), which\n" +
			"exe by 114 holds (EX).\n"))
	// Each of the two is needed.
	for i, gl := range dump {
		if gl.Name != InodeName(0x112e) && gl.Name != InodeName(0x1133) {
			continue
		}
		without := slices.Delete(slices.Clone(dump), i, i+1)
		g.Expect(CycleOf(Waits(without))).To(gomega.BeNil())
	}
}

// TestNoCycleInInnocentDumps: who waits, but not for itself, is no circle.
func TestNoCycleInInnocentDumps(t *testing.T) {
	g := gomega.NewWithT(t)
	g.Expect(Waits(parsed(t, "linux-6.1.glocks"))).To(gomega.BeEmpty())
	waiting := parsed(t, "hanging.glocks")
	g.Expect(Waits(waiting)).NotTo(gomega.BeEmpty())
	g.Expect(CycleOf(Waits(waiting))).To(gomega.BeNil())
}

// TestParseWhatWeDump: what was asked for on a node is what the parser finds in its dump.
func TestParseWhatWeDump(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace(nil).Join(Options{})
	enqueue(t, n, request(1, SH, 0))
	enqueue(t, n, request(2, SH, Any))
	enqueue(t, n, request(3, EX, 0))
	var text strings.Builder
	g.Expect(n.Dump(&text)).To(gomega.Succeed())
	dump, err := ParseDump("/sys/kernel/debug/gfs2/vda/glocks:\n" + text.String() + "\n")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(dump).To(gomega.HaveLen(1))
	g.Expect(dump[0].State).To(gomega.Equal(SH))
	var found []string
	for _, r := range dump[0].Requests {
		g.Expect(r.Name).To(gomega.Equal(dump[0].Name))
		found = append(found, fmt.Sprint(r.Owner.PID, r.State, r.Granted))
	}
	g.Expect(found).To(gomega.Equal([]string{"1 SH true", "2 SH true", "3 EX false"}))
	edges := Waits(dump)
	g.Expect(edges).To(gomega.HaveLen(2))
	g.Expect(edges[0].Blocker.PID + edges[1].Blocker.PID).To(gomega.Equal(1 + 2))
}

// TestWaitsBehindOthers: a reader that could share waits behind a writer that cannot.
func TestWaitsBehindOthers(t *testing.T) {
	g := gomega.NewWithT(t)
	dump, err := ParseDump("G:  s:SH n:2/a f:q t:SH d:EX/0 a:0 v:0 r:4 m:50 p:0\n H: s:SH f:H e:0 p:1 [a] x\n H: s:EX f:W e:0 p:2 [b] y\n H: s:SH f:W e:0 p:3 [c] z\n" +
		" H: s:SH f:H e:0 p:0 [(none)] nobody\n")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	var waits []string
	for _, e := range Waits(dump) {
		waits = append(waits, fmt.Sprint(e.Waiter.PID, e.Kind == Ahead, e.Blocker.PID))
	}
	g.Expect(waits).To(gomega.Equal([]string{"2 false 1", "3 false 1", "3 true 2"}))
}

func TestParseRefuses(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, text := range []string{"G: nonsense\n", "G:  s:XX n:2/a f:\n", "G:  s:SH n:2/11111111111111111 f:\n", "G:  s:SH n:999/a f: t\n",
		"G:  s:SH n:2/a f: t\n H: s:QQ f:H e:0 p:1 [a] x\n", "G:  s:SH n:2/a f: t\n H: what\n"} {
		_, err := ParseDump(text)
		g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("read a dump of glocks")), text)
	}
	dump, err := ParseDump(" H: s:SH f:H e:0 p:1 [a] of nobody\nsomething else\n")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(dump).To(gomega.BeEmpty())
}
