package remote

import (
	"fmt"
	"time"

	"faultline/harness/watch"
)

// starvedFor is for how many seconds a silent guest may want more CPU time than it gets.
const starvedFor = 60

// awakeFor is for how many seconds a silent guest must have had what CPU time it wanted: one is chance on a busy machine, and after a time without any it has
// much to do before it can say something.
const awakeFor = 5

// vitals are what the guest's process on this machine has done in its silence.
type vitals struct {
	began, last watch.Snapshot
	span        time.Duration
	ran         time.Duration
	awake       int // seconds
}

// starved reports that the guest is silent because it gets no CPU, as far as that can be seen.
func (m *Machine) starved(seconds int) bool {
	if m.opts.PID == 0 || seconds > starvedFor {
		return false
	}
	now, err := watch.Take(m.opts.PID)
	if err != nil {
		return false // it has ended: the channel will say so
	}
	v := &m.vitals
	if seconds == 0 {
		*v = vitals{began: now, last: now}
		return true
	}
	if ran, waited := total(now, v.last); waited <= ran {
		v.awake++
	}
	v.last, v.span = now, now.At.Sub(v.began.At)
	v.ran, _ = total(now, v.began)
	return v.awake < awakeFor
}

// total is the CPU time that the threads of a process have had between two snapshots, and for how long they wanted some.
func total(now, before watch.Snapshot) (ran, waited time.Duration) {
	for _, t := range now.Tasks {
		earlier, _ := before.Task(t.TID)
		ran += t.CPU() - earlier.CPU()
		waited += t.Waited - earlier.Waited
	}
	return ran, waited
}

// String is the end of a sentence that says that the guest is silent.
func (v vitals) String() string {
	if v.span == 0 {
		return ""
	}
	return fmt.Sprintf("; in the last %.1f s of that it had %.1f s of CPU time", v.span.Seconds(), v.ran.Seconds())
}
