package watch

import "time"

// Kind is what a thread is doing with its step.
type Kind string

const (
	Slow     Kind = "slow"     // it moves, or nothing can be said yet: keep waiting
	Blocked  Kind = "blocked"  // it sleeps and nothing wakes it: a hang
	Spinning Kind = "spinning" // it runs without end, or wakes and sleeps without end: a hang
	Gone     Kind = "gone"     // the thread is not there any more
)

// Motion is the judge's answer to one sample.
type Motion struct {
	Kind      Kind
	Exhausted bool // Slow, and the hard limit has passed: a timeout, never a hang
	Livelock  bool // Spinning, but with sleeps in between
	Server    int  // pid of the server that spins while the thread waits for it; 0: it is the thread itself

	Elapsed time.Duration // since the step began, without gaps in which this machine was suspended
	Window  time.Duration // how long the thread was watched without interruption for this answer
	Why     string        // the observations on which the answer rests, with numbers
	// Although is what spoke against Blocked until the hard limit: a server or a disk that is still at work.
	Although string

	Task    Task       // the thread as last seen
	Common  []string   // frames that were on its kernel stack in every sample, innermost first: where a spinning thread spins
	Servers []Snapshot // the servers as last seen
}

// Final reports that more samples would not change the answer.
func (m Motion) Final() bool { return m.Kind != Slow || m.Exhausted }

// Hang reports that the answer is one of the two kinds of hang.
func (m Motion) Hang() bool { return m.Kind == Blocked || m.Kind == Spinning }
