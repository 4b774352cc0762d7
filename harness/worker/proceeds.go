package worker

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Asleep is an actor that was seen asleep in a step without moving.
type Asleep struct {
	Actor string `json:"actor"`
	// Step counts from 0.
	Step int `json:"step"`
	// Stack is its kernel stack, innermost first; empty if we may not read it (root).
	Stack []string `json:"stack,omitempty"`
}

// stillFor is how long a thread must not have moved to be called asleep, longer where more threads want to run than there are processors. It is no proof of a hang,
// and a program that asks must ask more than once.
const stillFor = 150 * time.Millisecond

// proceedsOp waits for an actor as wait does, but not for one that sleeps.
func proceedsOp(a *actor, c *call) result {
	m := a.crew.find(c.target)
	var before motion
	since := monotonic()
	for !m.slot.idle() && !a.table.failing() {
		now := m.slot.motion()
		if now != before || !now.asleep {
			before, since = now, monotonic()
		}
		if time.Duration(monotonic()-since) > crowded(stillFor) {
			return result{errno: unix.EAGAIN, asleep: m.slot.asleep(c.target)}
		}
		nap(time.Millisecond)
	}
	return result{}
}

// motion is all that changes when a thread moves.
type motion struct {
	state    uint64
	switches string
	asleep   bool
}

func (s *slot) motion() motion {
	m := motion{state: s.state.Load()}
	_, _, running := unpackState(m.state)
	status, err := os.ReadFile(s.proc("status"))
	if err != nil || !running {
		return m
	}
	for line := range bytes.Lines(status) {
		key, value, _ := strings.Cut(string(line), ":")
		switch value = strings.TrimSpace(value); key {
		case "State":
			m.asleep = strings.HasPrefix(value, "S") || strings.HasPrefix(value, "D")
		case "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches":
			m.switches += value + " "
		}
	}
	return m
}

// proc is a file of the thread in /proc.
func (s *slot) proc(file string) string {
	return fmt.Sprintf("/proc/%d/task/%d/%s", s.pid.Load(), s.tid.Load(), file)
}

func (s *slot) asleep(actor string) *Asleep {
	_, step, _ := unpackState(s.state.Load())
	at := &Asleep{Actor: actor, Step: step}
	stack, err := os.ReadFile(s.proc("stack"))
	if err != nil {
		return at
	}
	for line := range strings.Lines(string(stack)) {
		at.Stack = append(at.Stack, function(line))
	}
	return at
}

// function is the name in a line such as "[<0>] down_read+0x1a/0x30" or "[<0>] gfs2_glock_nq+0x1/0x2 [gfs2]"; of a function that the kernel has no name
// for it is the module's, "[gfs2]".
func function(line string) string {
	fields := strings.Fields(line)
	for _, field := range fields {
		if name, _, found := strings.Cut(field, "+0x"); found {
			return name
		}
	}
	return fields[len(fields)-1]
}

func (at *Asleep) String() string {
	text := at.Actor + " sleeps"
	if len(at.Stack) > 0 {
		text += " in " + strings.Join(at.Stack[:min(len(at.Stack), 8)], " < ")
	}
	return text
}

// crowded stretches a time by how many threads want to run for each processor, four times at most ("0.5 0.4 0.3 3/512 123", proc_loadavg(5)).
func crowded(d time.Duration) time.Duration {
	text, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 4 {
		return d
	}
	runnable, _, _ := strings.Cut(fields[3], "/")
	n, _ := strconv.Atoi(runnable)
	const most = 4
	return d * time.Duration(min(max(1, n/runtime.NumCPU()), most))
}

// nap sleeps in the kernel: the scheduler of Go is not asked.
func nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil) // an early end is no harm
}
