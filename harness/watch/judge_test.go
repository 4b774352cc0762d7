package watch_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/watch"
)

const (
	workerTID = 12
	serverPID = 40
)

// scene is a made-up history: at(since, s) changes the sample taken since after the step began. The sample it gets is one
// of a thread that sleeps and never moves, on a quiet machine, with a server at rest.
type scene func(since time.Duration, s *watch.Sample)

var testRules = watch.Rules{Deadline: time.Second, Confirm: time.Second, Interval: 200 * time.Millisecond}

// play feeds samples until the answer is final, and returns it with the one before.
func play(t *testing.T, at scene) watch.Motion {
	t.Helper()
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	judge := watch.NewJudge(testRules, workerTID, began)
	for since := time.Duration(0); since < time.Hour; since += testRules.Interval {
		s := watch.Sample{
			At:      began.Add(since),
			Process: watch.Snapshot{PID: 11, Tasks: []watch.Task{{TID: 11, State: "S"}, {TID: workerTID, State: "D", Start: 77, Wchan: "folio_wait_bit_common"}}},
			Servers: []watch.Snapshot{{PID: serverPID, Tasks: []watch.Task{{TID: 40, State: "S"}, {TID: 41, State: "S"}}}},
			Disks:   map[string]watch.Disk{"vda": {Completed: 100}},
		}
		if at != nil {
			at(since, &s)
		}
		m := judge.Observe(s)
		if m.Final() {
			return m
		}
	}
	t.Fatal("no answer within an hour")
	return watch.Motion{}
}

func worker(s *watch.Sample) *watch.Task       { return &s.Process.Tasks[1] }
func serverThread(s *watch.Sample) *watch.Task { return &s.Servers[0].Tasks[1] }

// runs makes a task use a share of a CPU and wait for another share.
func runs(t *watch.Task, since time.Duration, ran, waited float64) {
	t.State = "R"
	t.Ran, t.Waited = time.Duration(ran*float64(since)), time.Duration(waited*float64(since))
	t.Stime = t.Ran.Truncate(10 * time.Millisecond)
}

// seconds of a time between first and last, both included.
func between(first, last float64) gomega.OmegaMatcher {
	return gomega.And(gomega.BeNumerically(">=", time.Duration(first*float64(time.Second))), gomega.BeNumerically("<=", time.Duration(last*float64(time.Second))))
}

func TestJudge(t *testing.T) {
	for _, row := range []struct {
		name    string
		at      scene
		want    watch.Kind
		elapsed gomega.OmegaMatcher
		why     string
	}{
		{"sleeps and never moves", nil, watch.Blocked, between(2, 2.2), "not one context switch"},
		{"sleeps interruptibly", func(_ time.Duration, s *watch.Sample) { worker(s).State = "S" }, watch.Blocked, between(2, 2.2), ""},
		{"ready to run all the time but never runs", func(_ time.Duration, s *watch.Sample) { worker(s).State = "R" }, watch.Slow, between(10, 10), "it moves"},
		{"a switch now and then", func(since time.Duration, s *watch.Sample) {
			worker(s).Voluntary = uint64(since / (900 * time.Millisecond))
		},
			watch.Slow, between(10, 10), "context switches"},
		{"an involuntary switch now and then", func(since time.Duration, s *watch.Sample) {
			worker(s).Involuntary = uint64(since / (900 * time.Millisecond))
		},
			watch.Slow, between(10, 10), "context switches"},
		{"a page fault now and then", func(since time.Duration, s *watch.Sample) {
			worker(s).MinorFaults = uint64(since / (900 * time.Millisecond))
		},
			watch.Slow, between(10, 10), "page faults"},
		{"a major page fault now and then", func(since time.Duration, s *watch.Sample) {
			worker(s).MajorFaults = uint64(since / (900 * time.Millisecond))
		},
			watch.Slow, between(10, 10), "page faults"},
		{"a little CPU time", func(since time.Duration, s *watch.Sample) { worker(s).Ran = since / 1000 }, watch.Slow, between(10, 10), "CPU"},
		{"other arguments in the same system call", func(since time.Duration, s *watch.Sample) { worker(s).Syscall.Args[1] = uint64(since) }, watch.Slow, between(10, 10), ""},
		{"other places in the kernel", func(since time.Duration, s *watch.Sample) { worker(s).Wchan = fmt.Sprint(since) }, watch.Slow, between(10, 10), ""},
		{"other stacks", func(since time.Duration, s *watch.Sample) { worker(s).KernelStack = []string{fmt.Sprint(since)} }, watch.Slow, between(10, 10), ""},
		{"moves at first, then blocks", func(since time.Duration, s *watch.Sample) {
			worker(s).Voluntary = uint64(min(since, 5*time.Second) / (100 * time.Millisecond))
		},
			watch.Blocked, between(6, 6.4), ""},
		{"counters unreadable", func(_ time.Duration, s *watch.Sample) { worker(s).Missing = map[string]string{"status": "denied"} }, watch.Slow, between(10, 10), "cannot be read"},
		{"process unreadable", func(_ time.Duration, s *watch.Sample) { s.Problem, s.Process.Tasks = "/proc does not answer", nil }, watch.Slow, between(10, 10), "does not answer"},

		{"burns a whole CPU", func(since time.Duration, s *watch.Sample) { runs(worker(s), since, 1, 0) }, watch.Spinning, between(2, 2.2), "in the kernel"},
		{"burns all it gets beside a busy sibling", func(since time.Duration, s *watch.Sample) { runs(worker(s), since, 0.5, 0.5) }, watch.Spinning, between(3, 3.2), ""},
		{"burns most of what two busy siblings leave", func(since time.Duration, s *watch.Sample) { runs(worker(s), since, 0.3, 0.6) }, watch.Spinning, between(4.3, 4.7), ""},
		{"burns two thirds, sleeps between", func(since time.Duration, s *watch.Sample) {
			runs(worker(s), since, 0.66, 0)
			worker(s).State = "S"
		}, watch.Spinning, between(2.5, 2.8), ""},
		{"burns a third, sleeps between", func(since time.Duration, s *watch.Sample) { runs(worker(s), since, 0.33, 0) }, watch.Slow, between(10, 10), "it moves"},
		{"starved: gets 2 % of a CPU", func(since time.Duration, s *watch.Sample) { runs(worker(s), since, 0.02, 0.98) }, watch.Slow, between(10, 10), "waiting for a CPU"},
		{"starved without schedstat", func(since time.Duration, s *watch.Sample) {
			runs(worker(s), since, 0.02, 0)
			worker(s).Missing = map[string]string{"schedstat": "none"}
		}, watch.Slow, between(10, 10), ""},
		{"spins without schedstat", func(since time.Duration, s *watch.Sample) {
			worker(s).State, worker(s).Utime = "R", since
			worker(s).Missing = map[string]string{"schedstat": "none"}
		}, watch.Spinning, between(2, 2.2), "user space"},
		{"livelock: 2,000 switches a second", func(since time.Duration, s *watch.Sample) {
			runs(worker(s), since, 0.1, 0)
			worker(s).Voluntary = uint64(since / (500 * time.Microsecond))
		}, watch.Spinning, between(10, 10), "voluntary context switches"},
		{"livelock: 2,000 faults a second", func(since time.Duration, s *watch.Sample) {
			runs(worker(s), since, 0.1, 0)
			worker(s).MinorFaults = uint64(since / (500 * time.Microsecond))
		}, watch.Spinning, between(10, 10), "page faults"},
		{"livelock: 60,000 faults a second", func(since time.Duration, s *watch.Sample) {
			runs(worker(s), since, 0.1, 0)
			worker(s).MinorFaults = uint64(since / (time.Second / 60_000))
		}, watch.Spinning, between(2.6, 3), "page faults"},
		{"livelock: a million switches a second", func(since time.Duration, s *watch.Sample) {
			runs(worker(s), since, 0.1, 0)
			worker(s).Voluntary = uint64(since / time.Microsecond)
		}, watch.Spinning, between(2, 2), "voluntary context switches"},
		{"150,000 faults before the deadline and few after it", func(since time.Duration, s *watch.Sample) {
			runs(worker(s), since, 0.1, 0)
			worker(s).MinorFaults = uint64(min(since, time.Second)/(time.Second/150_000)) + uint64(since/(2*time.Millisecond))
		}, watch.Slow, between(10, 10), "it moves"},
		{"preempted 2,000 times a second", func(since time.Duration, s *watch.Sample) {
			runs(worker(s), since, 0.05, 0.95)
			worker(s).Involuntary = uint64(since / (500 * time.Microsecond))
		}, watch.Slow, between(10, 10), ""},

		{"the process goes", func(since time.Duration, s *watch.Sample) {
			if since > 3*time.Second/2 {
				s.Process.Tasks = nil
			}
		}, watch.Gone, between(1.6, 1.6), "ended"},
		{"the thread goes before the deadline", func(since time.Duration, s *watch.Sample) { s.Process.Tasks = s.Process.Tasks[:1] }, watch.Gone, between(0, 0), "ended"},
		{"the thread is a zombie", func(_ time.Duration, s *watch.Sample) { worker(s).State = "Z" }, watch.Gone, between(0, 0), "ended"},
		{"the thread id is used again", func(since time.Duration, s *watch.Sample) {
			worker(s).Start = uint64(since / (1500 * time.Millisecond))
		}, watch.Gone, between(1.6, 1.6), "ended"},

		{"stopped for 5 s, then blocked", func(since time.Duration, s *watch.Sample) {
			if since < 5*time.Second {
				s.Process.Tasks[0].State = "T"
			}
		}, watch.Blocked, between(6, 6.4), ""},
		{"stopped for good", func(_ time.Duration, s *watch.Sample) { worker(s).State = "T" }, watch.Slow, between(10, 10), "stopped"},
		{"frozen for good", func(_ time.Duration, s *watch.Sample) { s.Process.Frozen = true }, watch.Slow, between(10, 10), "frozen"},
		{"its server is stopped", func(_ time.Duration, s *watch.Sample) { serverThread(s).State = "T" }, watch.Slow, between(10, 10), "server"},
		{"its server is stopped for 9.4 s, then all rests", func(since time.Duration, s *watch.Sample) {
			if since <= 9400*time.Millisecond {
				serverThread(s).State = "T"
			}
		}, watch.Blocked, between(10.4, 10.8), "not one context switch"},
		{"its server is stopped for 9.4 s, then it gets its answer", func(since time.Duration, s *watch.Sample) {
			if since <= 9400*time.Millisecond {
				serverThread(s).State = "T"
			}
			worker(s).Voluntary = uint64(since / (10 * time.Second))
			if since > 10*time.Second {
				s.Process.Tasks = nil
			}
		}, watch.Gone, between(10.2, 10.2), ""},
		{"its server is stopped for 9.4 s, then it moves", func(since time.Duration, s *watch.Sample) {
			if since <= 9400*time.Millisecond {
				serverThread(s).State = "T"
			}
			worker(s).Voluntary = uint64(since / (300 * time.Millisecond))
		}, watch.Slow, between(11.2, 11.6), "it moves"},
		{"its server is stopped for half of each second", func(since time.Duration, s *watch.Sample) {
			if since%time.Second < time.Second/2 {
				serverThread(s).State = "T"
			}
		}, watch.Slow, between(10, 12), ""},
		{"stopped for a moment on a busy machine that then is at rest", func(since time.Duration, s *watch.Sample) {
			if s.Load = 1; since < 15*time.Second {
				s.Load = 20
			}
			if since == 15*time.Second {
				s.Process.Tasks[0].State = "T"
			}
		}, watch.Blocked, between(16, 16.4), "not one context switch"},

		{"the disk works for 4 s", func(since time.Duration, s *watch.Sample) {
			if since < 4*time.Second {
				s.Disks["vda"] = watch.Disk{Completed: uint64(since), InFlight: 1}
			}
		}, watch.Blocked, between(4, 5.4), ""},
		{"the disk works for ever", func(since time.Duration, s *watch.Sample) {
			s.Disks["vda"] = watch.Disk{Completed: uint64(since), InFlight: 1}
		},
			watch.Blocked, between(10, 10), "not one context switch"},
		{"the disk is busy whenever nobody looks", func(since time.Duration, s *watch.Sample) {
			s.Disks["vda"] = watch.Disk{Completed: uint64(since), Busy: since / 2}
		}, watch.Blocked, between(10, 10), "not one context switch"},
		{"the disk is written to now and then", func(since time.Duration, s *watch.Sample) {
			s.Disks["vda"] = watch.Disk{Completed: uint64(since), Busy: since / 50}
		}, watch.Blocked, between(2, 2.2), ""},
		{"the disk does not answer", func(_ time.Duration, s *watch.Sample) { s.Disks["vda"] = watch.Disk{Completed: 9, InFlight: 1} }, watch.Blocked, between(10, 10), ""},
		{"no disk statistics", func(_ time.Duration, s *watch.Sample) { s.Disks = nil }, watch.Blocked, between(2, 2.2), ""},

		{"its server spins", func(since time.Duration, s *watch.Sample) { runs(serverThread(s), since, 1, 0) }, watch.Spinning, between(2, 2.2), "in the kernel"},
		{"its server works for 3 s, then all rests", func(since time.Duration, s *watch.Sample) { runs(serverThread(s), min(since, 3*time.Second), 0.4, 0) },
			watch.Blocked, between(3.8, 4.4), ""},
		{"its server is awake", func(since time.Duration, s *watch.Sample) {
			serverThread(s).Voluntary = uint64(since / (10 * time.Millisecond))
		},
			watch.Blocked, between(10, 10), ""},
		{"its server does some housekeeping", func(since time.Duration, s *watch.Sample) {
			serverThread(s).Voluntary = uint64(since / (200 * time.Millisecond))
		},
			watch.Blocked, between(2, 2.2), ""},
		{"its server is starved", func(since time.Duration, s *watch.Sample) { runs(serverThread(s), since, 0.02, 0.98) }, watch.Slow, between(10, 10), "gets no CPU"},
		{"many threads of its server wait a little", func(since time.Duration, s *watch.Sample) {
			for tid := range 10 {
				s.Servers[0].Tasks = append(s.Servers[0].Tasks, watch.Task{TID: 50 + tid, State: "S", Waited: since / 10})
			}
		}, watch.Blocked, between(10, 10), "not one context switch"},
		{"its server is gone", func(_ time.Duration, s *watch.Sample) { s.Servers[0].Tasks = nil }, watch.Blocked, between(2, 2.2), ""},
		{"its server is replaced", func(since time.Duration, s *watch.Sample) {
			if since > 1500*time.Millisecond {
				s.Servers = append(s.Servers, watch.Snapshot{PID: 50, Tasks: []watch.Task{{TID: 50, State: "S"}}})
			}
		}, watch.Blocked, between(2, 2.2), ""},

		{"four threads want each CPU", func(_ time.Duration, s *watch.Sample) { s.Load = 4 }, watch.Blocked, between(5, 5.2), ""},
		{"twenty threads want each CPU", func(_ time.Duration, s *watch.Sample) { s.Load = 20 }, watch.Blocked, between(21, 21.2), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			m := play(t, row.at)
			g.Expect(m.Kind).To(gomega.Equal(row.want), m.Why)
			g.Expect(m.Elapsed).To(row.elapsed, m.Why)
			g.Expect(m.Why).To(gomega.ContainSubstring(row.why))
			g.Expect(m.Exhausted).To(gomega.Equal(row.want == watch.Slow))
		})
	}
}

func TestJudgeNamesLivelockAndServer(t *testing.T) {
	g := gomega.NewWithT(t)
	m := play(t, func(since time.Duration, s *watch.Sample) {
		worker(s).State, worker(s).Voluntary = "S", uint64(since/(500*time.Microsecond))
	})
	g.Expect(m.Livelock).To(gomega.BeTrue())
	g.Expect(m.Server).To(gomega.BeZero())
	m = play(t, func(since time.Duration, s *watch.Sample) { runs(serverThread(s), since, 1, 0) })
	g.Expect(m.Livelock).To(gomega.BeFalse())
	g.Expect(m.Server).To(gomega.Equal(serverPID))
}

func TestBlockedAtTheHardLimitSaysWhatSpokeAgainst(t *testing.T) {
	g := gomega.NewWithT(t)
	step := watch.Step{Actor: "t1", Text: "STEP"}
	m := play(t, func(_ time.Duration, s *watch.Sample) { s.Disks["vda"] = watch.Disk{InFlight: 1} })
	g.Expect(watch.Explain(step, m)).To(gomega.HaveSuffix(", although disk vda has requests in flight"))
	m = play(t, func(since time.Duration, s *watch.Sample) {
		serverThread(s).Voluntary = uint64(since / (10 * time.Millisecond))
	})
	g.Expect(watch.Explain(step, m)).To(gomega.ContainSubstring(", although its server, process 40, is awake: 100 context switches"))
	g.Expect(play(t, nil).Although).To(gomega.BeEmpty())
}

func TestJudgeFindsCommonFrames(t *testing.T) {
	g := gomega.NewWithT(t)
	n := 0
	m := play(t, func(since time.Duration, s *watch.Sample) {
		runs(worker(s), since, 1, 0)
		n++
		worker(s).KernelStack = []string{fmt.Sprintf("[<0>] leaf%d+0x1/0x2", n%3), fmt.Sprintf("[<0>] loop+%#x/0x99", n), "[<0>] do_syscall_64+0x1/0x2"}
		if n%4 == 0 {
			worker(s).KernelStack = nil // it was caught in user space
		}
	})
	g.Expect(watch.Signature(m.Common)).To(gomega.Equal("loop"))
}

// A pause of the machine is neither elapsed time nor evidence, whichever clock shows it.
func TestJudgeRestartsAfterAPause(t *testing.T) {
	g := gomega.NewWithT(t)
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	judge := watch.NewJudge(testRules, workerTID, began)
	look := func(since time.Duration) watch.Motion {
		return judge.Observe(watch.Sample{At: began.Add(since), Process: watch.Snapshot{Tasks: []watch.Task{{TID: workerTID, State: "D"}}}})
	}
	g.Expect(look(900 * time.Millisecond).Why).To(gomega.Equal("not overdue yet"))
	g.Expect(look(1100 * time.Millisecond).Kind).To(gomega.Equal(watch.Slow))
	paused := look(time.Hour)
	g.Expect(paused.Kind).To(gomega.Equal(watch.Slow))
	g.Expect(paused.Exhausted).To(gomega.BeFalse())
	g.Expect(paused.Why).To(gomega.ContainSubstring("suspended"))
	g.Expect(paused.Elapsed).To(gomega.BeNumerically("<", 2*time.Second))
	for since := 200 * time.Millisecond; since <= time.Second; since += 200 * time.Millisecond {
		g.Expect(look(time.Hour + since).Kind).To(gomega.Equal(watch.Slow))
	}
	g.Expect(look(time.Hour + 1200*time.Millisecond).Kind).To(gomega.Equal(watch.Blocked))
}

// A machine that always answers late is slow and not suspended. What spins there is found all the same, and whatever it is, there is an answer.
func TestJudgeOfAMachineThatAnswersLate(t *testing.T) {
	const between = 3 * time.Second // samples
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name  string
		does  func(since time.Duration, t *watch.Task)
		took  time.Duration
		want  watch.Kind
		until time.Duration
	}{
		{"livelock", func(since time.Duration, t *watch.Task) { t.MinorFaults = uint64(since / (20 * time.Microsecond)) }, 0, watch.Spinning, 15 * time.Second},
		{"slow livelock", func(since time.Duration, t *watch.Task) { t.Voluntary = uint64(since / (2 * time.Millisecond)) }, 0, watch.Spinning, time.Minute},
		{"spins", func(since time.Duration, t *watch.Task) { runs(t, since, 1, 0) }, 0, watch.Spinning, time.Minute},
		{"blocked, as far as can be seen", func(time.Duration, *watch.Task) {}, 0, watch.Slow, time.Minute},
		{"moves", func(since time.Duration, t *watch.Task) { t.Voluntary = uint64(since / time.Second) }, 0, watch.Slow, time.Minute},
		{"blocked, and every question waits for its answer", func(time.Duration, *watch.Task) {}, between - 100*time.Millisecond, watch.Blocked, 10 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			judge := watch.NewJudge(testRules, workerTID, began)
			for since := between; since <= row.until; since += between {
				task := watch.Task{TID: workerTID, State: "D", KernelStack: []string{"[<0>] spot_the_loop+0x1/0x2"}}
				row.does(since, &task)
				m := judge.Observe(watch.Sample{At: began.Add(since), Took: row.took, Process: watch.Snapshot{Tasks: []watch.Task{task}}})
				if m.Final() {
					g.Expect(m.Kind).To(gomega.Equal(row.want), m.Why)
					g.Expect(m.Exhausted).To(gomega.Equal(row.want == watch.Slow))
					if row.want == watch.Spinning {
						g.Expect(watch.Signature(m.Common)).To(gomega.Equal("spot_the_loop"))
					}
					return
				}
			}
			t.Errorf("no answer within %v", row.until)
		})
	}
}

func TestRulesHaveDefaults(t *testing.T) {
	g := gomega.NewWithT(t)
	r := watch.NewJudge(watch.Rules{Deadline: 3 * time.Second}, 1, time.Now()).Rules()
	g.Expect(r).To(gomega.Equal(watch.Rules{Deadline: 3 * time.Second, Confirm: time.Second, Interval: 200 * time.Millisecond, Limit: 30 * time.Second}))
}
