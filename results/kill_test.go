package results

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// victimEnv makes the test binary a victim: a process that records results in the folder it names until it is killed.
const victimEnv = "FAULTLINE_TEST_VICTIM"

// victim writes journal and JUnit as fast as it can. It says on its output what is recorded, after the call returned.
func victim(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	h := sampleHeader
	h.Planned = 1_000_000
	j, err := Create(filepath.Join(dir, "journal.jsonl"), h)
	fail(err)
	// Small shards, so that kills hit the change from one to the next, too.
	x, err := newJUnit(filepath.Join(dir, "junit.xml"), JUnitOptions{Class: "campaign", Header: h}, shardLimits{cases: 40, bytes: 1 << 20})
	fail(err)
	verdicts := []Verdict{Pass, Pass, Pass, Skip, Hang, Pass, Broken}
	for i := 0; ; i++ {
		c := makeCase(i, verdicts[i%len(verdicts)])
		c.Detail = strings.Repeat("evidence <&>\n", i%300)
		fail(j.Start(c.ID))
		fmt.Println("started", c.Name)
		fail(x.Start(c.ID))
		fail(j.End(c))
		fmt.Println("ended", c.Name)
		fail(x.Add(c))
	}
}

// said is what a victim claimed before it died.
type said struct{ started, ended map[string]bool }

// killVictim runs a victim in dir until it has ended a case and then a random time more, and kills it.
func killVictim(t *testing.T, dir string, more time.Duration) said {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), victimEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := said{map[string]bool{}, map[string]bool{}}
	killing := false
	for in := bufio.NewScanner(out); in.Scan(); {
		what, name, _ := strings.Cut(in.Text(), " ")
		switch what {
		case "started":
			s.started[name] = true
		case "ended":
			s.ended[name] = true
		}
		if !killing && len(s.ended) > 0 {
			killing = true
			time.AfterFunc(more, func() { cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Fatalf("the victim was not killed, it ended with: %v", err)
	}
	return s
}

func TestKillAtAnyMoment(t *testing.T) {
	const kills = 30
	longest := 0
	for i := range kills {
		// The moments are random, what must hold at each of them is not.
		more := time.Duration(rand.Int64N(int64(120 * time.Millisecond)))
		t.Run(fmt.Sprintf("%d/%v", i, more), func(t *testing.T) {
			dir := t.TempDir()
			s := killVictim(t, dir, more)
			checkJournalOfVictim(t, dir, s)
			checkJUnitOfVictim(t, dir)
			longest = max(longest, len(s.ended))
		})
	}
	t.Logf("the longest victim ended %d cases", longest)
}

func checkJournalOfVictim(t *testing.T, dir string, s said) {
	g := gomega.NewWithT(t)
	path := filepath.Join(dir, "journal.jsonl")
	started, ended := map[string]bool{}, map[string]bool{}
	for r, err := range Read(path) {
		g.Expect(err).NotTo(gomega.HaveOccurred())
		switch {
		case r.Start != nil:
			started[r.Start.Name] = true
		case r.End != nil:
			ended[r.End.Name] = true
		}
	}
	for name := range s.started {
		g.Expect(started).To(gomega.HaveKey(name))
	}
	for name := range s.ended {
		g.Expect(ended).To(gomega.HaveKey(name))
	}
	done, open, err := Finished(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(done.Len()).To(gomega.Equal(len(ended)))
	g.Expect(len(open)).To(gomega.BeNumerically("<=", 1), "the victim has one case running at a time")

	j, err := Resume(path, sampleHeader)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(j.Close()).To(gomega.Succeed())
}

func checkJUnitOfVictim(t *testing.T, dir string) {
	g := gomega.NewWithT(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(files).NotTo(gomega.BeEmpty())
	unfinished := 0
	for _, f := range files {
		xmllint(t, f)
		for _, s := range readJUnitFile(t, f).Suites {
			for _, c := range s.Cases {
				if c.Error != nil && c.Error.Type == string(InfraIncomplete) {
					unfinished++
				}
			}
		}
	}
	g.Expect(unfinished).To(gomega.BeNumerically(">=", 1), "a killed run never looks finished")
}
