package campaign

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness"
	"faultline/results"
)

// outcomes is how many programs the soak test records.
const outcomes = 1_000_000

// maxResident is what a supervisor may need for them, in KiB.
const maxResident = 200 << 10

// The memory of a supervisor does not grow with the number of programs, but for a few words each.
func TestMemoryOfAMillionOutcomes(t *testing.T) {
	if os.Getenv("FAULTLINE_SOAK") == "" {
		t.Skip("takes minutes; FAULTLINE_SOAK=1 runs it")
	}
	g := gomega.NewWithT(t)
	r := recorder(t, Record{Dir: t.TempDir()}, outcomes)
	one := program(t)
	const together = 8
	for i := 0; i < outcomes; i += together {
		var ids []results.ID
		for k := range together {
			ids = append(ids, caseID(name(i+k)))
		}
		g.Expect(r.Start(ids...)).To(gomega.Succeed())
		for k := range together {
			o := harness.Outcome{Name: name(i + k), Prog: one, Verdict: results.Pass, Step: -1, Start: time.Now(), Elapsed: time.Millisecond}
			switch {
			case (i+k)%10 == 0:
				o.Verdict, o.Message = results.Skip, "needs punch: fallocate(PUNCH_HOLE): operation not supported (EOPNOTSUPP)"
			case (i+k)%10_000 == 1:
				o.Verdict, o.Message, o.Signature = results.Wrong, "step 1 was wrong", "one of a kind"
				o.Evidence = []harness.Section{{Name: "events.txt", Text: strings.Repeat("begin and end\n", 100)}}
			}
			r.Outcome("proof", on, "dir:/x", o)
		}
	}
	code, err := r.Finish(0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(code).To(gomega.Equal(results.ExitFailed))
	peak := peakResident(t)
	t.Logf("%d outcomes: peak resident memory %d MiB", outcomes, peak>>10)
	g.Expect(peak).To(gomega.BeNumerically("<", maxResident))
	runtime.KeepAlive(r)
}

func name(i int) string {
	return fmt.Sprintf("selfio/preadv2/direct/shared/data-to-hole/other-page/cold/straddling/%07d", i)
}

// peakResident is the most memory that this process has had, in KiB: VmHWM of proc_pid_status(5).
func peakResident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kib int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib
		}
	}
	t.Fatal("/proc/self/status has no VmHWM")
	return 0
}
