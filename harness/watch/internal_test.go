package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"
	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// parseTask puts one thread together from recorded files.
func parseTask(t *testing.T, name string) Task {
	t.Helper()
	var task Task
	for file, parse := range map[string]func(*Task, []byte) error{"stat": parseStat, "status": parseStatus,
		"schedstat": parseSchedstat, "wchan": parseWchan, "syscall": parseSyscall, "stack": parseStack} {
		text, err := os.ReadFile(filepath.Join("testdata/proc", name, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := parse(&task, text); err != nil {
			task.miss(file, err)
		}
	}
	return task
}

func TestParseRecordedThreads(t *testing.T) {
	g := gomega.NewWithT(t)
	stalled := parseTask(t, "stalled-read")
	g.Expect(stalled.KernelStack).To(gomega.HaveLen(12))
	stalled.KernelStack = nil
	g.Expect(stalled).To(gomega.Equal(Task{
		Comm: "odd) S (name\n:x", State: "S", Start: 194800, Stime: 10 * time.Millisecond, Utime: 20 * time.Millisecond,
		Ran: 2436936, Waited: 2847736, Voluntary: 3, Involuntary: 7, MinorFaults: 487, MajorFaults: 2, Wchan: "handle_userfault",
		Syscall: Syscall{Nr: 0, Args: [6]uint64{8, 0x7f94e4a31000, 4096, 0, 0, 0}, SP: 0x39cde8acd398, PC: 0x40ac2e},
	}))
	g.Expect(stalled.OutsideSyscall()).To(gomega.BeFalse())

	running := parseTask(t, "running")
	g.Expect(running.Syscall.Running).To(gomega.BeTrue())
	g.Expect(running.KernelStack).To(gomega.BeEmpty())
	g.Expect(running.Missing).To(gomega.Equal(map[string]string{"schedstat": "the kernel does not count"}))
	g.Expect(running.CPU()).To(gomega.Equal(290 * time.Millisecond))

	load := parseTask(t, "stalled-load")
	g.Expect(load.OutsideSyscall()).To(gomega.BeTrue())
	g.Expect(load.Syscall).To(gomega.Equal(Syscall{Nr: -1, SP: 0x81b0b3f1d40, PC: 0x59ce19}))
}

func TestParsersRefuse(t *testing.T) {
	g := gomega.NewWithT(t)
	for name, row := range map[string]struct {
		parse func(*Task, []byte) error
		text  string
	}{
		"stat empty": {parseStat, ""}, "stat short": {parseStat, "1 (a) S 1 2 3"}, "stat no comm": {parseStat, "1 S 1 2 3"},
		"stat number": {parseStat, "1 (a) S " + strings.Repeat("x ", 30)}, "stat reversed": {parseStat, ") ("},
		"status empty": {parseStatus, ""}, "status one": {parseStatus, "voluntary_ctxt_switches:\t3\n"},
		"status number": {parseStatus, "voluntary_ctxt_switches:\tx\nnonvoluntary_ctxt_switches:\t3\n"},
		"schedstat":     {parseSchedstat, "1 2"}, "syscall empty": {parseSyscall, ""}, "syscall short": {parseSyscall, "1 0x2"},
		"syscall number": {parseSyscall, "x 0x1 0x2"}, "syscall argument": {parseSyscall, "1 zz 0x2"},
	} {
		g.Expect(row.parse(&Task{}, []byte(row.text))).NotTo(gomega.Succeed(), name)
	}
}

func TestParseMaps(t *testing.T) {
	g := gomega.NewWithT(t)
	text, err := os.ReadFile("testdata/proc/maps")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	maps, err := parseMaps(string(text))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(maps[0]).To(gomega.Equal(Mapping{0x400000, 0x5b0000, "r-xp", 0, "fe:00", 9978333, "/tmp/a dir/with  spaces (deleted)"}))
	g.Expect(maps[1]).To(gomega.Equal(Mapping{0x5b0000, 0x5b4000, "rw-s", 0x3000, "00:27", 2, "/mnt/A"}))
	g.Expect(maps[2].Path).To(gomega.BeEmpty())
	g.Expect(maps[len(maps)-1].End).To(gomega.Equal(uint64(0xffffffffff601000)))

	g.Expect(Touching(maps, 0x5b0000, 1)).To(gomega.Equal(maps[1:2]))
	g.Expect(Touching(maps, 0x5affff, 2)).To(gomega.Equal(maps[:2]))
	g.Expect(Touching(maps, 0x5affff, 1)).To(gomega.Equal(maps[:1]))
	g.Expect(Touching(maps, 0, 0x400000)).To(gomega.BeEmpty())
	g.Expect(Touching(maps, 0x400000, 0)).To(gomega.BeEmpty())
	g.Expect(Touching(maps, 1, ^uint64(0))).To(gomega.Equal(maps), "the end of the range may be the end of memory")
	_, err = parseMaps("400000-5b0000 r-xp\n")
	g.Expect(err).To(gomega.HaveOccurred())
}

func TestConnectionOfMountinfo(t *testing.T) {
	g := gomega.NewWithT(t)
	text, err := os.Open("testdata/proc/mountinfo")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer text.Close()
	all, err := mountinfo.GetMountsFromReader(text, nil)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	for path, want := range map[string]uint32{"/mnt/plain": 39, "/mnt/with space": 40, "/mnt/twice": 42, "/mnt/ntfs": 7<<20 | 3} {
		id, err := connectionOf(all, path)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(id).To(gomega.Equal(want), path)
	}
	_, err = connectionOf(all, "/mnt/covered")
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("a tmpfs file system is mounted there")))
	g.Expect(controlDir(all, 39)).To(gomega.Equal("/sys/fs/fuse/connections/39"))
	g.Expect(controlDir(all[:3], 39)).To(gomega.BeEmpty())
}

func TestParseDiskstatsOfAllAges(t *testing.T) {
	g := gomega.NewWithT(t)
	disks, err := parseDiskstats([]byte("" +
		"   7       0 loop0 10 0 80 1 20 0 160 2 3 4000 5\n" + // 4.17
		"   8       0 sda 10 0 80 1 20 0 160 2 3 4000 5 30 0 0 0\n" + // 4.18
		" 254       0 vda 10 7493 80 1 20 23653 160 2 3 4000 5 30 66 340120 348 40 30\n")) // 5.5
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(disks).To(gomega.Equal(map[string]Disk{
		"loop0": {30, 3, 4 * time.Second}, "sda": {60, 3, 4 * time.Second}, "vda": {100, 3, 4 * time.Second}}))
	_, err = parseDiskstats([]byte("1 2 x 3\n"))
	g.Expect(err).To(gomega.HaveOccurred())
	g.Expect(Diskstats()).NotTo(gomega.BeNil())
}

func TestParseLoad(t *testing.T) {
	g := gomega.NewWithT(t)
	g.Expect(parseLoad([]byte("0.21 0.27 0.16 3/141 12345\n"))).To(gomega.Equal(3.0))
	g.Expect(parseLoad([]byte("0.21 0.27"))).To(gomega.BeZero())
	g.Expect(Load()).To(gomega.BeNumerically(">", 0))
}

func TestParseRecord(t *testing.T) {
	g := gomega.NewWithT(t)
	line, err := parseRecord("12,345,6789012,-,caller=T1;EXT4-fs (loop0): a;b\n SUBSYSTEM=block\n DEVICE=b7:0\n")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(line).To(gomega.Equal(Line{Seq: 345, Level: 4, Facility: 1, At: 6789012 * time.Microsecond, Text: "EXT4-fs (loop0): a;b"}))
	for _, bad := range []string{"", "1,2,3", "1,2;x", "x,2,3;y"} {
		_, err := parseRecord(bad)
		g.Expect(err).To(gomega.HaveOccurred(), bad)
	}
}

func TestKernelLogForgetsTheOldestAndSaysSo(t *testing.T) {
	g := gomega.NewWithT(t)
	l := &KernelLog{fd: -1}
	for seq := range uint64(keptLines + 1) {
		l.keep(Line{Seq: seq + 1})
	}
	lines, complete := l.Since(keptLines)
	g.Expect(lines).To(gomega.HaveLen(1))
	g.Expect(complete).To(gomega.BeTrue(), "what came before the mark does not matter")
	lines, complete = l.Since(0)
	g.Expect(complete).To(gomega.BeFalse())
	g.Expect(len(lines)).To(gomega.BeNumerically("<", keptLines))
	g.Expect(lines[len(lines)-1].Seq).To(gomega.Equal(uint64(keptLines + 1)))
}

func TestKernelLogKnowsWhatWasOverwritten(t *testing.T) {
	g := gomega.NewWithT(t)
	l := &KernelLog{fd: -1}
	l.keep(Line{Seq: 5})
	l.gap = true // as after EPIPE
	l.keep(Line{Seq: 9})
	_, complete := l.Since(5)
	g.Expect(complete).To(gomega.BeFalse())
	_, complete = l.Since(8)
	g.Expect(complete).To(gomega.BeTrue())
}

func TestNoKernelLogIsAReason(t *testing.T) {
	g := gomega.NewWithT(t)
	l := openKernelLog(filepath.Join(t.TempDir(), "kmsg"))
	g.Expect(l.Reason()).To(gomega.ContainSubstring("no such file"))
	lines, complete := l.Since(l.Mark())
	g.Expect(lines).To(gomega.BeEmpty())
	g.Expect(complete).To(gomega.BeFalse())
	g.Expect(l.Close()).To(gomega.Succeed())
}

// A file that nobody answers (a FIFO without a writer) is asked once, given up, and asked again when it has answered.
func TestAskGivesUpAndDoesNotAskAgain(t *testing.T) {
	g := gomega.NewWithT(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	g.Expect(unix.Mkfifo(fifo, 0o600)).To(gomega.Succeed())
	var asked atomic.Int32
	read := func() (string, error) {
		asked.Add(1)
		text, err := os.ReadFile(fifo)
		return string(text), err
	}
	_, err := within(50*time.Millisecond, fifo, read)
	g.Expect(err).To(gomega.MatchError(ErrSilent))
	_, err = within(time.Hour, fifo, read)
	g.Expect(err).To(gomega.MatchError(ErrSilent))
	g.Expect(errors.Is(err, os.ErrNotExist)).To(gomega.BeFalse())
	g.Expect(asked.Load()).To(gomega.Equal(int32(1)))

	g.Expect(os.WriteFile(fifo, []byte("at last"), 0)).To(gomega.Succeed())
	g.Eventually(func() bool { return isAbandoned(fifo) }).WithTimeout(20 * time.Second).Should(gomega.BeFalse())
	answer, err := within(time.Hour, fifo, func() (string, error) { return "again", nil })
	g.Expect(answer, err).To(gomega.Equal("again"))
}

func TestMapsThatDoNotAnswerAreEvidence(t *testing.T) {
	g := gomega.NewWithT(t)
	question := fmt.Sprintf("/proc/%d/maps", os.Getpid())
	abandon(question, +1)
	defer abandon(question, -1)
	_, err := Maps(os.Getpid())
	g.Expect(err).To(gomega.MatchError(gomega.HaveSuffix("maps: does not answer: its mmap lock is held")))
	g.Expect(Collect(os.Getpid()).Notes).To(gomega.ContainElement(err.Error()))
}

func TestFrameTablesNameNothingTwice(t *testing.T) {
	for _, tables := range [][]table{frameTables, lockTables} {
		seen := map[string]bool{}
		for _, row := range tables {
			for _, name := range strings.Fields(row.names) {
				gomega.NewWithT(t).Expect(seen[name]).To(gomega.BeFalse(), "%s is in two rows", name)
				seen[name] = true
			}
		}
	}
}

func FuzzProcParsers(f *testing.F) {
	for _, pattern := range []string{"testdata/proc/*/*", "testdata/proc/m*", "testdata/stacks/*", "testdata/log/*"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var task Task
		for _, parse := range []func(*Task, []byte) error{parseStat, parseStatus, parseSchedstat, parseWchan, parseSyscall, parseStack} {
			if err := parse(&task, text); err != nil {
				task.miss("file", err)
			}
		}
		Explain(Step{}, Motion{Kind: Blocked, Task: task})
		if s := Signature(task.KernelStack); strings.Contains(s, "\n") {
			t.Errorf("signature of several lines: %q", s)
		}
		if maps, err := parseMaps(string(text)); err == nil {
			for _, m := range maps {
				if m.Start < m.End && len(Touching([]Mapping{m}, m.Start, 1)) != 1 {
					t.Errorf("%+v does not touch its own start", m)
				}
			}
		}
		parseDiskstats(text)
		parseLoad(text)
		parseRecord(string(text))
		for _, line := range ParseConsole(string(text)) {
			if strings.ContainsAny(line.Text, "\n") {
				t.Errorf("a line of several: %q", line.Text)
			}
		}
		Scan(ParseConsole(string(text)))
	})
}

func TestLockDumpsOfAllMounts(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	g.Expect(dumps(dir + "/*/glocks")).To(gomega.BeEmpty())
	for _, name := range []string{"a", "b"} {
		g.Expect(os.Mkdir(filepath.Join(dir, name), 0o700)).To(gomega.Succeed())
		g.Expect(os.WriteFile(filepath.Join(dir, name, "glocks"), []byte("G: of "+name+"\n"), 0o600)).To(gomega.Succeed())
	}
	g.Expect(dumps(dir + "/*/glocks")).To(gomega.Equal(dir + "/a/glocks:\nG: of a\n\n" + dir + "/b/glocks:\nG: of b\n\n"))
}
