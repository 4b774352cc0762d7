// Package watch is the judge from outside: it reads /proc of another process and says whether the thread that performs
// an overdue step is blocked, spinning, slow or gone. It also collects evidence, says in one sentence what it saw, kills,
// aborts FUSE connections and reads the kernel log. It never touches the file system under test, and it never waits
// without end: whatever may not come back is asked in a goroutine that can be abandoned. It imports the standard library
// and golang.org/x/sys, nothing of ours.
//
// # What it promises
//
// One false alarm costs a maintainer's trust for good, so these rules lean towards waiting:
//
//   - Nothing is ever said on a timeout alone. Before the deadline of a step there is no verdict; after it there must be
//     samples at least [Rules.Confirm] apart, and longer apart when more threads want to run than there are CPUs.
//   - Blocked: the thread sleeps (S or D) in the same system call, at the same wait channel and stack, and between the
//     samples there was not one context switch, no CPU time and no page fault. If a block device has requests in flight, or
//     a server of the target is still awake, the verdict waits for the hard limit ([Rules.Limit]) and says so.
//   - Spinning: over the confirmation the thread had at least half of the CPU time that it could get (time spent waiting
//     in the run queue is not counted against it), and while watched it has used as much CPU time as the deadline allowed
//     it in wall time. The second half is what keeps a starved thread on a busy machine from being called a livelock.
//     A thread that sleeps while a server of the target spins by the same measure is reported as a server that spins.
//   - Spinning, as a livelock that sleeps in between: since the deadline the thread has made more voluntary context
//     switches or page faults in this one step than any step needs: 100,000 after two deadlines, 10,000 at the hard limit.
//     Counters need no confirmation, and so no pause of the samples puts this off.
//   - Slow: anything else. At the hard limit it is Slow with Exhausted set, which is a timeout and never a hang. A server
//     that is awake but gets no CPU at the hard limit is such a case too.
//   - A stopped process, a frozen cgroup, and a machine that slept (the gap between two samples is far longer than asked
//     for, and nobody waited for an answer) restart the confirmation. The gap is not counted as elapsed time, ten times; the
//     time stopped or frozen is, so that there is an answer in the end.
//
// # Use
//
// One Judge serves one step. Samples are plain data: they can be taken in a guest and judged on the host.
//
//	judge := watch.NewJudge(watch.Rules{Deadline: 2 * time.Second}, tid, began)
//	sampler := watch.Sampler{PID: pid, Servers: []int{server}}
//	for range time.Tick(judge.Rules().Interval) {
//		m := judge.Observe(sampler.Sample())
//		if m.Final() {
//			return watch.Explain(watch.Step{Actor: "t1", Text: "pread(d, m[0:1p])", Buffer: "maps A"}, m)
//		}
//	}
package watch
