// Package kit joins Ginkgo to the harness: a spec runs a program in a supervisor outside of the spec process, which judges and records it, so
// that nothing is lost when specs hang, crash or are killed. It may be imported by suites here and in modules of other people.
//
//	func TestMine(t *testing.T) { kit.Suite(t, "mine") }
//
//	var _ = Describe("my file system", Label("mmap"), func() {
//		kit.It("reads a hole over data", `
//			file A = hole*1p + 'b'*1p
//			d = open(A, rdwr)
//			m = mmap(d, private, rw, 0, 2p)
//			pread(d, m[0:1p], 1p)
//			check(m)
//		`)
//	})
//
// go test and ginkgo take the flags -target, -results, -junit, -timeout and -repeat; faultline run --suite DIR gives its own.
package kit

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	"github.com/onsi/gomega"

	"faultline/generators/family"
	"faultline/generators/model"
	"faultline/generators/prog"
	"faultline/harness/campaign"
	"faultline/harness/self"
	"faultline/results"
)

// A spec process is also its own supervisor, its workers and its servers, in other roles.
func init() { self.Dispatch() }

// Suite runs the specs of the package. Results are filed under name.
func Suite(t *testing.T, name string) {
	gomega.RegisterFailHandler(ginkgo.Fail)
	suite, reporter := ginkgo.GinkgoConfiguration()
	if suite.ParallelTotal > 1 {
		t.Fatal("specs share one target: run them without -p; faultline run -j runs programs side by side")
	}
	if os.Getenv("NO_COLOR") != "" {
		reporter.NoColor = true
	}
	line, err := call(name)
	if err != nil {
		t.Fatal(err)
	}
	supervisor = line
	ginkgo.ReportAfterEach(noteSpec)
	ginkgo.RunSpecs(t, name, suite, reporter)
	for _, reason := range slices.Sorted(maps.Keys(skips)) {
		t.Logf("%d specs skipped: %s", skips[reason], reason)
	}
	if err := line.hangUp(); err != nil {
		t.Error(err)
	}
}

// supervisor is the line to the supervisor of this process, set by Suite.
var supervisor *line

// skips counts the specs that the target could not run, by reason, for the end of the suite.
var skips = map[string]int{}

// It is a spec of one program, given without its first line: the name is made of the texts around it. Without expectations in the text, the
// model's are used.
func It(text, program string, args ...any) bool {
	return ginkgo.It(text, append(args, func() {
		name := slug(strings.Join(ginkgo.CurrentSpecReport().ContainerHierarchyTexts, " ")) + "/" + slug(text)
		Run(Program("prog " + strings.Trim(name, "/") + "\n" + program))
	})...)
}

var notWord = regexp.MustCompile(`[^a-z0-9]+`)

func slug(text string) string {
	return strings.Trim(notWord.ReplaceAllString(strings.ToLower(text), "-"), "-")
}

// Program reads a program. One without any expectation gets the model's; a mistake in it fails the spec with the line.
func Program(text string) *prog.Prog {
	ginkgo.GinkgoHelper()
	p, err := prog.Parse(text)
	if err == nil && bare(p) {
		err = model.Derive(p, int64(os.Getpagesize()))
	}
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		ginkgo.Fail(fmt.Sprintf("%v\nin the program\n%s", err, text))
	}
	return p
}

// bare reports whether nobody has said what any step may return or find.
func bare(p *prog.Prog) bool {
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Want != nil || s.Op == "check" && len(s.Args) > 1 {
			return false
		}
	}
	return true
}

// Run runs a program on the target. The spec fails unless it passes, and is skipped where the target cannot run it.
func Run(p *prog.Prog) {
	ginkgo.GinkgoHelper()
	a := Ask(p)
	switch a.Verdict {
	case results.Pass:
	case results.Skip:
		skips[a.Message]++
		ginkgo.Skip(a.Message)
	default:
		ginkgo.Fail(fmt.Sprintf("%s: %s\n\n%s", strings.ToUpper(string(a.Verdict)), a.Message, p))
	}
}

// Ask runs a program and returns what came of it, for specs that judge by themselves.
func Ask(p *prog.Prog) campaign.Answer {
	ginkgo.GinkgoHelper()
	if supervisor == nil {
		ginkgo.Fail("programs run in specs of a suite that was started with kit.Suite")
	}
	a, err := supervisor.ask(campaign.Request{Program: &campaign.ProgramRequest{Spec: ginkgo.CurrentSpecReport().FullText(), Text: p.String()}})
	if err != nil {
		ginkgo.AbortSuite(err.Error())
	}
	if a.Error != "" {
		ginkgo.Fail(a.Error)
	}
	return a
}

// Family makes a spec of every program of a family's quick subset, with its labels; with the flag -all, of every program.
func Family(f *family.Family) bool {
	return ginkgo.Describe(f.Name, func() {
		programs := f.Quick(family.DefaultSeed)
		if *all {
			programs = f.All(family.DefaultSeed)
		}
		for p := range programs {
			ginkgo.It(strings.TrimPrefix(p.Name, f.Name+"/"), ginkgo.Label(append(f.Labels, family.Labels(p)...)...), func() { Run(p) })
		}
	})
}

// noteSpec tells the supervisor how a spec ended.
func noteSpec(r ginkgo.SpecReport) {
	if supervisor == nil || r.LeafNodeType != types.NodeTypeIt {
		return
	}
	q := campaign.SpecRequest{Name: r.FullText(), Start: r.StartTime, Elapsed: r.RunTime, Message: r.Failure.Message}
	switch {
	case r.State.Is(types.SpecStatePassed):
		q.Verdict = results.Pass
	case r.State.Is(types.SpecStateSkipped | types.SpecStatePending):
		if q.Verdict = results.Skip; r.RunTime == 0 {
			return // deselected by a filter or never begun
		}
	case r.State.Is(types.SpecStateFailed):
		q.Verdict = results.Wrong
	default:
		q.Verdict = results.Broken
	}
	if r.Failed() {
		q.Detail = r.Failure.Location.String() + "\n" + r.Failure.ForwardedPanic
	}
	if _, err := supervisor.ask(campaign.Request{Spec: &q}); err != nil {
		ginkgo.AbortSuite(err.Error())
	}
}
