package results

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

func newJournal(t *testing.T) (*Journal, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	j, err := Create(path, sampleHeader)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, path
}

// records reads a journal that must be without damage.
func records(t *testing.T, path string) []Record {
	t.Helper()
	var all []Record
	for r, err := range Read(path) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestJournalGivesBackWhatWasWritten(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newJournal(t)
	cases := sampleCases()
	var want Totals
	for _, c := range cases {
		g.Expect(j.Start(c.ID)).To(gomega.Succeed())
		g.Expect(j.End(c)).To(gomega.Succeed())
		want.Add(c)
	}
	g.Expect(j.Finish(want)).To(gomega.Succeed())
	g.Expect(j.Close()).To(gomega.Succeed())

	var ended []Case
	all := records(t, path)
	for _, r := range all {
		if r.End != nil {
			r.End.Start = r.End.Start.In(noon.Location())
			ended = append(ended, *r.End)
		}
	}
	g.Expect(ended).To(gomega.Equal(cases))
	g.Expect(all[1].Start.ID).To(gomega.Equal(cases[0].ID))
	g.Expect(*all[len(all)-1].Finish).To(gomega.Equal(want))
	h, err := ReadHeader(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(h.Seed).To(gomega.Equal(sampleHeader.Seed))
	g.Expect(h.Format).To(gomega.Equal(Format))
}

func TestJournalGolden(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newJournal(t)
	for _, c := range sampleCases() {
		g.Expect(j.End(c)).To(gomega.Succeed())
	}
	g.Expect(j.Finish(Totals{Planned: 9, Pass: 2})).To(gomega.Succeed())
	text, err := os.ReadFile(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	golden(t, "journal.jsonl", text)
}

func TestCreateKeepsWhatIsThere(t *testing.T) {
	g := gomega.NewWithT(t)
	_, path := newJournal(t)
	_, err := Create(path, sampleHeader)
	g.Expect(err).To(gomega.MatchError(os.ErrExist))
	_, err = Create(filepath.Join(t.TempDir(), "no", "such"), sampleHeader)
	g.Expect(err).To(gomega.MatchError(os.ErrNotExist))
}

func TestOneRunPerJournal(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newJournal(t)
	_, err := Resume(path, sampleHeader)
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("is another run using it?")))
	g.Expect(j.Close()).To(gomega.Succeed())
	again, err := Resume(path, sampleHeader)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(again.Close()).To(gomega.Succeed())
}

// The tails that a killed process or a dead machine leaves behind.
var tornTails = map[string]string{
	"half a line":          `{"end":{"suite":"selfio","class":"c","na`,
	"no newline":           `{"start":{"suite":"s","class":"c","name":"torn"}}`,
	"zeros":                strings.Repeat("\x00", 5000),
	"zeros and a newline":  strings.Repeat("\x00", 70000) + "\n",
	"half a line and more": "{\"end\":{\"suite\n\x00\x00\n{",
	"not a record":         "{}\n{\"header\":{},\"end\":{}}\n",
}

func TestTornEnd(t *testing.T) {
	for name, tail := range tornTails {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			j, path := newJournal(t)
			g.Expect(j.Start(sampleID("a"), sampleID("b"))).To(gomega.Succeed())
			g.Expect(j.End(Case{ID: sampleID("a"), Verdict: Pass})).To(gomega.Succeed())
			g.Expect(j.Close()).To(gomega.Succeed())
			whole, err := os.ReadFile(path)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(os.WriteFile(path, append(whole, tail...), 0o644)).To(gomega.Succeed())

			g.Expect(records(t, path)).To(gomega.HaveLen(4))
			done, open, err := Finished(path)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(done.Has(sampleID("a"))).To(gomega.BeTrue())
			g.Expect(open).To(gomega.Equal([]ID{sampleID("b")}))

			j, err = Resume(path, sampleHeader)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(j.End(Case{ID: sampleID("b"), Verdict: Hang})).To(gomega.Succeed())
			g.Expect(j.Close()).To(gomega.Succeed())
			all := records(t, path)
			g.Expect(all).To(gomega.HaveLen(6))
			g.Expect(all[4].Header).NotTo(gomega.BeNil(), "a resumed run has a header of its own")
			g.Expect(all[5].End.Name).To(gomega.Equal("selfio/b"))
			now, err := os.ReadFile(path)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(string(now)).To(gomega.HavePrefix(string(whole)), "nothing whole is cut")
		})
	}
}

func TestDamageInTheMiddleIsTold(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newJournal(t)
	for i := range 3 {
		g.Expect(j.End(makeCase(i, Pass))).To(gomega.Succeed())
	}
	g.Expect(j.Close()).To(gomega.Succeed())
	text, err := os.ReadFile(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	damaged := strings.Replace(string(text), `{"end"`, "\x00\x00\x00\x00\x00\x00", 1)
	g.Expect(os.WriteFile(path, []byte(damaged), 0o644)).To(gomega.Succeed())

	var good int
	var errs []error
	for r, err := range Read(path) {
		switch {
		case err != nil:
			errs = append(errs, err)
			g.Expect(r).To(gomega.Equal(Record{}))
		case r.Header != nil || r.End != nil:
			good++
		}
	}
	g.Expect(good).To(gomega.Equal(3))
	g.Expect(errs).To(gomega.HaveLen(1))
	g.Expect(errs[0]).To(gomega.MatchError(gomega.ContainSubstring("line 2")))
	done, _, err := Finished(path)
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("line 2")))
	g.Expect(done.Len()).To(gomega.Equal(2))
}

func TestReadHeaderRefuses(t *testing.T) {
	g := gomega.NewWithT(t)
	path := filepath.Join(t.TempDir(), "j")
	for text, want := range map[string]string{
		"":                               "no record",
		"hello\n":                        "no record",
		`{"finish":{}}` + "\n":           "does not begin with a header",
		`{"header":{"format":99}}\n`:     "no record",
		"{\"header\":{\"format\":99}}\n": "format 99",
	} {
		g.Expect(os.WriteFile(path, []byte(text), 0o644)).To(gomega.Succeed())
		_, err := ReadHeader(path)
		g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(want)), "of %q", text)
		_, err = Resume(path, sampleHeader)
		g.Expect(err).To(gomega.HaveOccurred())
		after, err := os.ReadFile(path)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(string(after)).To(gomega.Equal(text), "a file that is no journal is left alone")
	}
}

func TestAnUnwritableIDIsRefused(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newJournal(t)
	g.Expect(j.Start(sampleID("a"), ID{Suite: "s", Class: "c", Name: "x\xff"})).NotTo(gomega.Succeed())
	g.Expect(j.End(Case{ID: sampleID("a")})).NotTo(gomega.Succeed())
	g.Expect(records(t, path)).To(gomega.HaveLen(1), "and nothing of the batch is written")
}

func TestHugeCaseIsCutNotLost(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newJournal(t)
	c := Case{ID: sampleID("huge"), Verdict: Wrong, Message: "m", Detail: "begin\n" + strings.Repeat("x", maxLine), Attachments: []string{"run/full.txt"}}
	g.Expect(j.End(c)).To(gomega.Succeed())
	all := records(t, path)
	g.Expect(all).To(gomega.HaveLen(2))
	g.Expect(all[1].End.Detail).To(gomega.HavePrefix("begin\nxxx"))
	g.Expect(all[1].End.Detail).To(gomega.HaveSuffix("full text in run/full.txt]"))
	g.Expect(len(c.Detail)).To(gomega.BeNumerically(">", maxLine), "the caller's case is untouched")
}

func TestALineThatIsTooLongIsNotLoaded(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newJournal(t)
	g.Expect(j.Close()).To(gomega.Succeed())
	long := `{"end":{"suite":"s","class":"c","verdict":"pass","name":"` + strings.Repeat("x", maxLine) + `"}}` + "\n"
	good := `{"end":{"suite":"s","class":"c","verdict":"pass","name":"n"}}` + "\n"
	g.Expect(os.WriteFile(path, []byte(readFile(t, path)+long+good), 0o644)).To(gomega.Succeed())
	var names []string
	var errs []error
	for r, err := range Read(path) {
		switch {
		case err != nil:
			errs = append(errs, err)
		case r.End != nil:
			names = append(names, r.End.Name)
		}
	}
	g.Expect(names).To(gomega.Equal([]string{"n"}))
	g.Expect(errs).To(gomega.HaveLen(1))
	g.Expect(errs[0]).To(gomega.MatchError(errLongLine))
}

// heldSync is a sync that waits to be let go on, and counts.
type heldSync struct {
	entered chan struct{}
	release chan struct{}
}

func holdSyncs(t *testing.T, j *Journal) heldSync {
	t.Cleanup(func() { j.sync = fdatasync }) // runs before the journal is closed, which may sync
	h := heldSync{entered: make(chan struct{}), release: make(chan struct{})}
	j.sync = func(f *os.File) error {
		h.entered <- struct{}{}
		<-h.release
		return fdatasync(f)
	}
	return h
}

func TestStartIsDurableWhenItReturns(t *testing.T) {
	g := gomega.NewWithT(t)
	j, _ := newJournal(t)
	h := holdSyncs(t, j)
	returned := make(chan error, 1)
	go func() { returned <- j.Start(sampleID("a")) }()
	g.Eventually(h.entered, soon).Should(gomega.Receive(), "Start syncs")
	g.Consistently(returned, 50*time.Millisecond).ShouldNot(gomega.Receive())
	h.release <- struct{}{}
	g.Eventually(returned, soon).Should(gomega.Receive(gomega.BeNil()))
}

func TestEndIsDurableForFailuresOnly(t *testing.T) {
	g := gomega.NewWithT(t)
	j, _ := newJournal(t)
	syncs := 0
	j.sync = func(*os.File) error { syncs++; return nil }
	for _, x := range []struct {
		v    Verdict
		want int
	}{{Pass, 0}, {Skip, 0}, {Wrong, 1}, {Hang, 1}, {Crash, 1}, {Broken, 1}} {
		syncs = 0
		g.Expect(j.End(makeCase(1, x.v))).To(gomega.Succeed())
		g.Expect(syncs).To(gomega.Equal(x.want), "of %s", x.v)
	}
}

func TestGroupCommit(t *testing.T) {
	const callers = 50
	g := gomega.NewWithT(t)
	j, path := newJournal(t)
	h := holdSyncs(t, j)
	errs := make(chan error, callers+1)
	start := func(i int) { errs <- j.Start(makeCase(i, Pass).ID) }
	go start(0)
	g.Eventually(h.entered, soon).Should(gomega.Receive()) // the first caller is in fdatasync; the others write and queue behind it
	for i := 1; i <= callers; i++ {
		go start(i)
	}
	g.Eventually(func() int { return strings.Count(readFile(t, path), "\n") }, soon).Should(gomega.Equal(callers + 2))
	h.release <- struct{}{}
	g.Eventually(h.entered, soon).Should(gomega.Receive()) // the second fdatasync serves all that waited
	h.release <- struct{}{}
	for range callers + 1 { // a third fdatasync would not be let in
		g.Eventually(errs, soon).Should(gomega.Receive(gomega.BeNil()))
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAfterAFailedSyncNothingIsBelieved(t *testing.T) {
	g := gomega.NewWithT(t)
	j, _ := newJournal(t)
	j.sync = func(*os.File) error { return unix.EIO }
	g.Expect(j.Start(sampleID("a"))).To(gomega.MatchError(unix.EIO))
	j.sync = fdatasync
	g.Expect(j.Start(sampleID("b"))).To(gomega.MatchError(unix.EIO))
	g.Expect(j.End(makeCase(1, Pass))).To(gomega.MatchError(unix.EIO))
}

func TestRemovedJournalIsNoticed(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newJournal(t)
	g.Expect(os.Remove(path)).To(gomega.Succeed())
	err := j.Start(sampleID("a"))
	g.Expect(err).To(gomega.MatchError(os.ErrNotExist))
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(path)))
}

func TestFullDisk(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := smallDisk(t, 64<<10)
	path := filepath.Join(dir, "journal.jsonl")
	j, err := Create(path, sampleHeader)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer j.Close()
	filler := filepath.Join(dir, "filler")
	g.Expect(os.WriteFile(filler, make([]byte, 40<<10), 0o644)).To(gomega.Succeed())
	big := Case{ID: sampleID("big"), Verdict: Pass, Detail: strings.Repeat("x", 50<<10)}
	g.Expect(j.End(big)).To(gomega.MatchError(unix.ENOSPC))
	g.Expect(records(t, path)).To(gomega.HaveLen(1))

	g.Expect(os.Remove(filler)).To(gomega.Succeed())
	g.Expect(j.End(big)).To(gomega.Succeed(), "a line that did not fit leaves nothing behind")
	g.Expect(records(t, path)).To(gomega.HaveLen(2))
	g.Expect(os.WriteFile(filler, make([]byte, 4<<10), 0o644)).To(gomega.Succeed())
	_, err = Create(filepath.Join(dir, "another"), Header{Args: []string{strings.Repeat("x", 20<<10)}})
	g.Expect(err).To(gomega.MatchError(unix.ENOSPC))
	g.Expect(filepath.Join(dir, "another")).NotTo(gomega.BeAnExistingFile())
}

// smallDisk mounts a tmpfs of so many bytes.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes))
	if errors.Is(err, unix.EPERM) {
		t.Skip("needs to mount a tmpfs (EPERM)")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// FuzzRead: no content makes reading or resuming fail badly, and resuming keeps every record that could be read before.
func FuzzRead(f *testing.F) {
	header := "{\"header\":{\"format\":1,\"seed\":1,\"planned\":1}}\n"
	start := "{\"start\":{\"suite\":\"s\",\"class\":\"c\",\"name\":\"n\"}}\n"
	end := "{\"end\":{\"suite\":\"s\",\"class\":\"c\",\"name\":\"n\",\"verdict\":\"pass\"}}\n"
	for _, tail := range tornTails {
		f.Add([]byte(header + start + end + tail))
	}
	f.Add([]byte(header + "garbage\n" + end))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "j")
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		count := func() (n int) {
			for _, err := range Read(path) {
				if err == nil {
					n++
				}
			}
			return n
		}
		before := count()
		Finished(path)
		j, err := Resume(path, Header{})
		if err != nil {
			return
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if after := count(); after != before+1 {
			t.Fatalf("%d records before, %d after a header was added", before, after)
		}
	})
}
