package campaign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/results"
)

const on = "ext4.default.dir"

func caseID(name string) results.ID { return results.ID{Suite: "proof", Class: on, Name: name} }

// recorder records in dir a run of so many planned cases.
func recorder(t *testing.T, rec Record, planned int) *Recorder {
	t.Helper()
	r, err := NewRecorder(rec, results.Header{Seed: 1, Start: time.Now(), Planned: planned})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func program(t *testing.T) *prog.Prog {
	t.Helper()
	p, err := prog.Parse("prog proof/one\nfile A = 'a'*1p\nd = open(A, rdonly)\nclose(d)\ncheck(A, 'a'*1p)\n")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func junit(t *testing.T, dir string) map[string]results.JUnitCase {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "junit.xml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	report, err := results.ReadJUnit(f)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]results.JUnitCase{}
	for _, s := range report.Suites {
		for _, c := range s.Cases {
			all[c.Name] = c
		}
	}
	return all
}

// What is told is in the journal at once, in JUnit at the end, and a failure has a bundle.
func TestRecorder(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := filepath.Join(t.TempDir(), "deep", "out")
	r := recorder(t, Record{Dir: dir}, 3)
	g.Expect(r.Start(caseID("proof/one"), caseID("proof/two"), caseID("proof/three"))).To(gomega.Succeed())
	r.Outcome("proof", on, "dir:/mnt/a b", harness.Outcome{
		Name: "proof/one", Prog: program(t), Verdict: results.Wrong, Kind: results.DataCorruption, Step: 1, Message: "step 2: not what it was",
		Attempts: []results.Attempt{{Verdict: results.Pass}, {Verdict: results.Wrong, Message: "again"}},
		Evidence: []harness.Section{{Name: "events.txt", Text: "begin and end\n"}},
	})
	r.Outcome("proof", on, "dir:/mnt/a b", harness.Outcome{Name: "proof/two", Prog: program(t), Verdict: results.Pass, Step: -1})
	r.Outcome("proof", on, "dir:/mnt/a b", harness.Outcome{Name: "proof/three", Prog: program(t), Verdict: results.Skip, Step: -1, Message: "needs punch"})

	var ends []results.Case
	for record, err := range results.Read(JournalPath(dir)) {
		g.Expect(err).NotTo(gomega.HaveOccurred())
		if record.End != nil {
			ends = append(ends, *record.End)
		}
	}
	g.Expect(ends).To(gomega.HaveLen(3), "before the end of the run")
	code, err := r.Finish(0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(code).To(gomega.Equal(results.ExitFailed))

	one := ends[0]
	g.Expect(one.Attempts).To(gomega.Equal(3))
	g.Expect(one.Failures).To(gomega.Equal(2))
	g.Expect(one.Labels).To(gomega.BeEmpty(), "it opens, closes and checks only")
	g.Expect(one.Repro).To(gomega.MatchRegexp(`^faultline repro .*/program\.prog --target 'dir:/mnt/a b'$`))
	var files []string
	for _, path := range one.Attachments {
		files = append(files, filepath.Base(path))
		g.Expect(path).To(gomega.BeARegularFile())
	}
	g.Expect(files).To(gomega.ConsistOf("report.txt", "program.prog", "repro.c", "events.txt"))

	cases := junit(t, dir)
	g.Expect(cases).To(gomega.HaveLen(3))
	g.Expect(cases["proof/one"].Failure.Body).To(gomega.ContainSubstring("close(d)    # <-- here\ncheck(A, 'a'*1p)\n"))
	g.Expect(cases["proof/one"].Failure.Body).To(gomega.ContainSubstring("events.txt:\nbegin and end\n"))
	g.Expect(cases["proof/three"].Skipped.Message).To(gomega.Equal("needs punch"))
}

func TestUnfinishedRuns(t *testing.T) {
	for name, row := range map[string]struct {
		lost, reason string
		signal       syscall.Signal
		judged, code int
	}{
		"interrupted":               {"", "interrupted by interrupt", syscall.SIGINT, 1, 130},
		"interrupted at the end":    {"", "", syscall.SIGTERM, 3, 143},
		"target lost":               {"the target was lost by proof/0", "the target was lost by proof/0", 0, 1, results.ExitIncomplete},
		"lost, another took over":   {"the target was lost by proof/0", "", 0, 3, results.ExitOK},
		"ended without any reason":  {"", "the run ended early", 0, 1, results.ExitIncomplete},
		"nothing has a verdict yet": {"", "the run ended early", 0, 0, results.ExitIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			dir := t.TempDir()
			r := recorder(t, Record{Dir: dir}, 3)
			g.Expect(r.Start(caseID("proof/0"), caseID("proof/1"))).To(gomega.Succeed())
			for i := range row.judged {
				r.Outcome("proof", on, "dir:/x", harness.Outcome{Name: fmt.Sprintf("proof/%d", i), Prog: program(t), Verdict: results.Pass, Step: -1})
			}
			if row.lost != "" {
				r.Lost(row.lost)
			}
			code, err := r.Finish(row.signal)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(code).To(gomega.Equal(row.code))
			cases := junit(t, dir)
			if row.reason == "" {
				g.Expect(cases).To(gomega.HaveLen(3))
				return
			}
			g.Expect(cases["campaign/complete"].Error.Message).To(gomega.ContainSubstring(row.reason))
			g.Expect(cases["proof/1"].Skipped.Message).To(gomega.Equal("MISS: " + row.reason))
		})
	}
}

// The finding of a checker is a case of its own each time.
func TestChecksHaveNamesOfTheirOwn(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	r := recorder(t, Record{Dir: dir}, 0)
	for range 3 {
		r.Outcome("target", on, "loop:ext4", harness.Outcome{Name: "target/fsck/proof/one", Verdict: results.Wrong, Kind: results.Fsck, Step: -1, Message: "damaged"})
	}
	_, err := r.Finish(0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	cases := junit(t, dir)
	g.Expect(cases).To(gomega.HaveLen(3))
	g.Expect(cases).To(gomega.HaveKey("target/fsck/proof/one/again-3"))
	g.Expect(cases["target/fsck/proof/one"].Failure.Type).To(gomega.Equal("fsck"))
}

// A run that was killed goes on: what is done is not done again, and what was running is.
func TestResumeAfterAKill(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	writeJournal(t, dir, time.Now().Add(-time.Minute), time.Now().Add(-time.Second))
	r := recorder(t, Record{Dir: dir, Resume: true}, 3)
	g.Expect(r.Done(caseID("proof/done"))).To(gomega.BeTrue())
	g.Expect(r.Done(caseID("proof/open"))).To(gomega.BeFalse())
	for _, name := range []string{"proof/open", "proof/new"} {
		g.Expect(r.Start(caseID(name))).To(gomega.Succeed())
		r.Outcome("proof", on, "dir:/x", harness.Outcome{Name: name, Prog: program(t), Verdict: results.Pass, Step: -1})
	}
	code, err := r.Finish(0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(code).To(gomega.Equal(results.ExitFailed), "what failed before the kill still counts")
	g.Expect(junit(t, dir)).To(gomega.HaveLen(3))
}

// When the machine died with the run, what was running may have killed it, and is not run again.
func TestResumeAfterAReboot(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	longAgo := time.Now().AddDate(-20, 0, 0)
	writeJournal(t, dir, longAgo, longAgo.Add(time.Minute))
	r := recorder(t, Record{Dir: dir, Resume: true}, 2)
	code, err := r.Finish(0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(code).To(gomega.Equal(results.ExitFailed))
	open := junit(t, dir)["proof/open"]
	g.Expect(open.Error).NotTo(gomega.BeNil())
	g.Expect(open.Error.Type).To(gomega.Equal("infra.incomplete"))
	g.Expect(open.Error.Message).To(gomega.ContainSubstring("the machine died while proof/open ran"))
}

// A reboot in an earlier part of the run says nothing about the part that was killed since.
func TestResumeTwiceAfterAReboot(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	writeJournal(t, dir, time.Now().AddDate(-20, 0, 0), time.Now())
	r := recorder(t, Record{Dir: dir, Resume: true}, 2)
	g.Expect(r.summary.Totals().Judged()).To(gomega.Equal(1), "the case that was running has no verdict, and is run again")
	_, err := r.Finish(0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
}

// writeJournal leaves the journal of a run that began and was killed, with a case that failed and one that was running since started.
func writeJournal(t *testing.T, dir string, began, started time.Time) {
	t.Helper()
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	for _, record := range []results.Record{
		{Header: &results.Header{Format: results.Format, Seed: 1, Start: began, Planned: 3}},
		{Start: &results.Started{ID: caseID("proof/done"), Time: began}},
		{End: &results.Case{ID: caseID("proof/done"), Verdict: results.Wrong, Message: "it failed"}},
		{Start: &results.Started{ID: caseID("proof/open"), Time: started}},
	} {
		if err := lines.Encode(record); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(JournalPath(dir), text.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// A results folder that fills up or goes away stops the run with the reason.
func TestResultsCannotBeWritten(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	g.Expect(syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=128k")).To(gomega.Succeed())
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	r := recorder(t, Record{Dir: dir}, 1000)
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		id := caseID(fmt.Sprintf("proof/%d", i))
		if err = r.Start(id); err == nil {
			r.Outcome("proof", on, "dir:/x", harness.Outcome{
				Name: id.Name, Prog: program(t), Verdict: results.Wrong, Step: 0, Message: strings.Repeat("x", 500),
				Evidence: []harness.Section{{Name: "events.txt", Text: strings.Repeat("y", 4000)}},
			})
			err = r.Err()
		}
	}
	g.Expect(err).To(gomega.MatchError(syscall.ENOSPC))
	g.Expect(err.Error()).To(gomega.HavePrefix("write results: "))
	g.Expect(r.Err()).To(gomega.MatchError(syscall.ENOSPC), "it is remembered")
	_, err = r.Finish(0)
	g.Expect(errors.Is(err, syscall.ENOSPC)).To(gomega.BeTrue(), "%v", err)
}
