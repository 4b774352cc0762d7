package harness

import (
	"fmt"
	"slices"
	"strings"

	"faultline/harness/machine"
	"faultline/harness/worker"
	"faultline/targetfs/glock"
)

// glocksText is the name of the lock dump among the evidence of a machine.
const glocksText = "glocks.txt"

// circle says in words which tasks wait for each other's glocks, as far as the kernel's lock dump tells. On a gfs2 without a dump it says so. The sections
// are the evidence of a hang.
func (r *Runner) circle(j *job, sections []Section) []Section {
	i := slices.IndexFunc(sections, func(s Section) bool { return s.Name == glocksText })
	switch {
	case i >= 0:
		return []Section{{"cycle.txt", circleText(j, r.proc, sections[i].Text)}}
	case r.target.Mount().Type == "gfs2":
		return []Section{{"cycle.txt", "This kernel shows no lock dump (it has no debugfs, or nobody mounted it): the stacks in processes.txt say who waits.\n"}}
	}
	return nil
}

func circleText(j *job, proc machine.Worker, text string) string {
	dump, err := glock.ParseDump(text)
	if err != nil {
		return err.Error() + "\n"
	}
	live := proc.Live()
	edges := glock.Waits(dump)
	for i := range edges {
		name(&edges[i].Waiter, j, live)
		name(&edges[i].Blocker, j, live)
	}
	cycle := glock.CycleOf(edges)
	if cycle == nil && len(edges) > 0 {
		return waitsText(edges)
	}
	return glock.Explain(cycle, titleOf)
}

// name says what a task of the program is doing: "pwritev(d1, ...) of t1".
func name(o *glock.Owner, j *job, live []worker.Live) {
	i := slices.IndexFunc(live, func(l worker.Live) bool { return l.TID == o.PID })
	if i >= 0 {
		o.Op = fmt.Sprintf("%s of %s", stepText(j.p, live[i].Step), actorName(live[i].Actor))
	}
}

// titleOf is how gfs2 names a glock in its dump, after what it protects.
func titleOf(n glock.Name) string { return fmt.Sprintf("the glock %v of %v %d", n, n.Type, n.Number) }

// waitsText is for tasks that wait, but not in a circle: some other one, such as a page fault, is not in the dump.
func waitsText(edges []glock.Edge) string {
	var b strings.Builder
	b.WriteString("No circle is in the dump, which knows of glocks only. Waiting for them:\n")
	for _, e := range edges {
		fmt.Fprintf(&b, "%v waits for %s (%v), which %v has (%v)\n", e.Waiter, titleOf(e.Want.Name), e.Want.State, e.Blocker, e.Has.State)
	}
	return b.String()
}
