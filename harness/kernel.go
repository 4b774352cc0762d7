package harness

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"strings"

	"faultline/harness/machine"
	"faultline/harness/target"
	"faultline/harness/watch"
	"faultline/results"
)

// suspects are what a complaint of the kernel must name to be about what we run: other things go on on a developer's machine.
type suspects struct {
	facts target.Facts
	pids  []int
	// all says that nothing else goes on: the machine is there for the target only.
	all bool
}

// device is the pattern of the block device's name, which is in nothing if there is none.
func (s suspects) device() *regexp.Regexp {
	name, found := strings.CutPrefix(s.facts.Device, "/dev/")
	if !found {
		return regexp.MustCompile(`[^\x00-\x{10FFFF}]`)
	}
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(path.Base(name)) + `\b`)
}

// task is the pattern of what a trace names: our processes, and the flusher of the device. A function of the file system is not enough: another
// file system of the same type may be to blame.
func (s suspects) task() *regexp.Regexp {
	names := []string{`\bflush-` + regexp.QuoteMeta(s.facts.Number) + `\b`}
	for _, pid := range s.pids {
		names = append(names, fmt.Sprintf(`(PID: |:)%d\b`, pid))
	}
	return regexp.MustCompile(strings.Join(names, "|"))
}

// askKernel looks at the kernel log since the last program. A complaint about what we run is the fault of the program that just ran, in proc.
// It reports whether there was one.
func (r *Runner) askKernel(o *Outcome, proc machine.Worker) (complained bool) {
	lines, _ := r.log.Since(r.mark)
	if len(lines) == 0 {
		return false
	}
	r.mark = watch.Mark(lines[len(lines)-1].Seq)
	return blame(o, lines, suspects{r.target.Mount(), proc.PIDs(), r.disposable()})
}

// blame judges by what the kernel has printed while a program ran.
func blame(o *Outcome, lines []watch.Line, who suspects) (complained bool) {
	found, complained := complaint(lines, who)
	if complained {
		accuse(o, found, lines)
	}
	if o.Verdict != results.Pass {
		o.Evidence = append(o.Evidence, Section{"kernel.log", logText(lines)})
	}
	return complained
}

// accuse makes a complaint of the kernel the verdict.
func accuse(o *Outcome, found watch.Finding, lines []watch.Line) {
	kind := kernelKind(found.Kind)
	verdict := results.Crash
	if kind == results.KernelHang {
		verdict = results.Hang
	}
	if verdict == results.Crash || o.Verdict != results.Hang { // the watcher's own words about a hang say more
		o.Verdict, o.Signature = verdict, cmp.Or(watch.Signature(watch.Trace(lines, found)), found.Kind)
		o.Message = joined("the kernel says: "+found.Line.Text, o.Message)
	}
	o.Kind = kind
}

func logText(lines []watch.Line) string {
	var text strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&text, "[%12.6f] %s\n", l.At.Seconds(), l.Text)
	}
	return text.String()
}

// joined are the parts of a message that are not empty.
func joined(first, second string) string {
	if first == "" || second == "" {
		return first + second
	}
	return first + "; " + second
}

// traceLines is how far behind its first line a complaint still names the task it is about.
const traceLines = 80

// complaint is the first complaint about what we run.
func complaint(lines []watch.Line, who suspects) (watch.Finding, bool) {
	findings := watch.Scan(lines)
	if len(findings) == 0 {
		return watch.Finding{}, false
	}
	if who.all {
		return gravest(findings), true
	}
	task, device := who.task(), who.device()
	for _, f := range findings {
		if f.Kind == "fs error" || f.Kind == "io error" {
			// These name the device in their own line.
			if device.MatchString(f.Line.Text) {
				return f, true
			}
			continue
		}
		near := 0
		for _, l := range lines {
			if l.Seq < f.Line.Seq || near == traceLines {
				continue
			}
			near++
			if task.MatchString(l.Text) {
				return f, true
			}
		}
	}
	return watch.Finding{}, false
}

// kernelKind is the JUnit type of a complaint.
func kernelKind(kind string) results.Kind {
	switch kind {
	case "warning":
		return results.KernelWarn
	case "lockdep":
		return results.KernelLockdep
	case "panic":
		return results.KernelPanic
	case "hung task", "lockup", "rcu stall":
		return results.KernelHang
	case "fs error", "io error":
		return results.Fsck
	}
	return results.KernelOops
}
