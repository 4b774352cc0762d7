package target

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/machine"
)

// newHands are closed at the end of the test, which then has no child left.
func newHands(t *testing.T, patience time.Duration) *hands {
	t.Helper()
	h := &hands{on: machine.Local{}, patience: patience}
	t.Cleanup(func() {
		h.close()
		expectNothingLeft(t, t.TempDir())
	})
	return h
}

func TestHandsAnswer(t *testing.T) {
	g := gomega.NewWithT(t)
	h := newHands(t, time.Minute)
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, path := range []string{a, b} {
		_, err := ask[none](t.Context(), h, "make "+path, "mkdirs", []string{path})
		g.Expect(err).NotTo(gomega.HaveOccurred())
	}
	first := h.child
	_, err := ask[none](t.Context(), h, "make "+a, "mkdirs", []string{a})
	g.Expect(err).To(gomega.MatchError("mkdir " + a + ": file exists"))
	g.Expect(errors.Is(err, unix.EEXIST)).To(gomega.BeTrue(), "the errno survives the pipe")
	_, err = ask[none](t.Context(), h, "what", "no such order", 1)
	g.Expect(err).To(gomega.MatchError("unknown order no such order"))
	_, err = ask[none](t.Context(), h, "what", "mkdirs", 1)
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("cannot unmarshal number")))
	g.Expect(h.child).To(gomega.BeIdenticalTo(first), "an error is no reason for another child")
}

func TestHandsThatDieAreReplaced(t *testing.T) {
	g := gomega.NewWithT(t)
	h := newHands(t, time.Minute)
	dir := t.TempDir()
	_, err := ask[swept](t.Context(), h, "sweep", "sweep", dir)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(unix.Kill(h.child.PID(), unix.SIGKILL)).To(gomega.Succeed())
	g.Eventually(h.child.Exited(), 10*time.Second).Should(gomega.BeClosed())
	_, err = ask[swept](t.Context(), h, "sweep "+dir, "sweep", dir)
	g.Expect(err).To(gomega.MatchError(gomega.HavePrefix("sweep " + dir + ": the process that touches the file system ")))
	_, err = ask[swept](t.Context(), h, "sweep", "sweep", dir)
	g.Expect(err).NotTo(gomega.HaveOccurred())
}

// A fifo without a writer stands for a file system that does not answer.
func TestHandsThatHangAreLeftBehind(t *testing.T) {
	g := gomega.NewWithT(t)
	h := newHands(t, 200*time.Millisecond)
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	g.Expect(unix.Mkfifo(fifo, 0o600)).To(gomega.Succeed())

	began := time.Now()
	_, err := ask[none](t.Context(), h, "read "+fifo, "read", fifo)
	var hung *Hung
	g.Expect(errors.As(err, &hung)).To(gomega.BeTrue(), "%v", err)
	g.Expect(err).To(gomega.MatchError(gomega.MatchRegexp("^read " + fifo + ` has not come back for 200ms: the file system hangs \(in process \d+\)$`)))
	g.Expect(time.Since(began)).To(gomega.BeNumerically(">=", 200*time.Millisecond))

	g.Expect(h.child).To(gomega.BeNil())
}

func TestOrdersEndWithTheirContext(t *testing.T) {
	g := gomega.NewWithT(t)
	h := newHands(t, time.Minute)
	fifo := filepath.Join(t.TempDir(), "fifo")
	g.Expect(unix.Mkfifo(fifo, 0o600)).To(gomega.Succeed())
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(errors.New("enough")) })
	_, err := ask[none](ctx, h, "read "+fifo, "read", fifo)
	g.Expect(err).To(gomega.MatchError("read " + fifo + ": enough"))
	_, err = ask[none](ctx, h, "read "+fifo, "read", fifo)
	g.Expect(err).To(gomega.MatchError("read "+fifo+": enough"), "not even begun")
	g.Expect(h.child).To(gomega.BeNil())
}

// An order that had begun is heard to its end, so that what it made can be removed.
func TestALateAnswerIsHeard(t *testing.T) {
	g := gomega.NewWithT(t)
	h := newHands(t, time.Minute)
	_, err := ask[swept](t.Context(), h, "start", "sweep", t.TempDir()) // the child is there
	g.Expect(err).NotTo(gomega.HaveOccurred())
	owner, err := us()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	for i := range 20 {
		base := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Duration(i)*50*time.Microsecond, cancel)
		m, err := ask[made](ctx, h, "make a folder", "make", makeArgs{Base: base, Owner: owner})
		if err == nil {
			g.Expect(removeOurs(m.Home)).To(gomega.Succeed())
		}
		g.Expect(os.ReadDir(base)).To(gomega.BeEmpty())
	}
}

func init() {
	// An order that may not come back, for the child, which is this test binary.
	touches["read"] = touch(func(path string) (none, error) { _, err := os.ReadFile(path); return none{}, err })
}

func TestOrdersAreLines(t *testing.T) {
	g := gomega.NewWithT(t)
	raw, err := json.Marshal(order{"make", json.RawMessage(`{"Base":"a\nb"}`)})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(strings.Count(string(raw), "\n")).To(gomega.BeZero())
}

func TestToolsAreKilledWhenTimeIsUp(t *testing.T) {
	g := gomega.NewWithT(t)
	started := filepath.Join(t.TempDir(), "started")
	t.Setenv("STARTED", started)
	// A child of the tool keeps its output open, as a daemon would.
	fakeTool(t, "mkfs.slow", `echo begun; : > "$STARTED"; sleep 1000 & sleep 1000`)
	ctx, cancel := context.WithCancelCause(t.Context())
	go cancelAt(ctx, started, func() { cancel(errors.New("no time")) })
	out, err := runTool(ctx, "mkfs.slow", "a b", "c")
	g.Expect(err).To(gomega.MatchError("mkfs.slow a b c: no time"))
	g.Expect(out).To(gomega.Equal("begun\n"))
	expectNothingLeft(t, t.TempDir())
}

func TestToolsThatFail(t *testing.T) {
	g := gomega.NewWithT(t)
	fakeTool(t, "tool", `echo "one"; echo "two" >&2; exit "$1"`)
	out, err := runTool(t.Context(), "tool", "0")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(out).To(gomega.Equal("one\ntwo\n"))
	_, err = runTool(t.Context(), "tool", "7")
	g.Expect(err).To(gomega.Equal(&toolError{"tool 7", 7, "one\ntwo\n"}))
	g.Expect(err).To(gomega.MatchError("tool 7 ended with code 7: two"))
	_, err = runTool(t.Context(), "no-such-tool")
	g.Expect(err).To(gomega.MatchError(`exec: "no-such-tool": executable file not found in $PATH`))
}

func TestFirstComplaint(t *testing.T) {
	g := gomega.NewWithT(t)
	g.Expect(firstComplaint("Phase 1\nbad magic\nDone\n")).To(gomega.Equal("bad magic"))
	g.Expect(firstComplaint("Phase 1\nDone\n")).To(gomega.Equal("Done"))
	g.Expect(firstComplaint("")).To(gomega.BeEmpty())
}

func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	g := gomega.NewWithT(t)
	_, err := startServer(t.Context(), time.Minute, plantedRole, "/no/such", "none")
	skipMissing(t, missing("planted", lacksFuse()))
	g.Expect(err).To(gomega.MatchError(
		"start the server target-planted /no/such none: mount planted file system (none) on /no/such: stat /no/such: no such file or directory"))
	_, err = startServer(t.Context(), time.Minute, plantedRole, "/tmp", "nonsense")
	g.Expect(err).To(gomega.MatchError(gomega.HavePrefix(`start the server target-planted /tmp nonsense: fault "nonsense": no fault is called "nonsense"`)))
	expectNothingLeft(t, t.TempDir())
}
