package wire

import (
	"encoding/json"
	"time"

	"faultline/harness/watch"
	"faultline/harness/worker"
)

// Version is that of the protocol. Host and agent are one binary, so that it differs only by accident.
const Version = 1

// Greeting is what the agent says first.
type Greeting struct {
	Version int
	// Kernel is the release, Pace what machine.Pace has measured.
	Kernel string
	Pace   time.Duration
	// Now is the agent's time.
	Now time.Duration
}

// Request is a call: the name of an operation and its argument, one of those below.
type Request struct {
	Op   string
	Args json.RawMessage
}

// Response answers a call.
type Response struct {
	Result json.RawMessage `json:",omitempty"`
	Error  string          `json:",omitempty"`
}

// The operations, with the types of their arguments and results.
const (
	OpWorker   = "worker"   // WorkerArgs, Started
	OpSpawn    = "spawn"    // SpawnArgs, Started
	OpKill     = "kill"     // uint32: the id of a worker or process; nothing
	OpClose    = "close"    // uint32: the id of a worker; nothing
	OpEvents   = "events"   // EventsArgs, []worker.Event
	OpSample   = "sample"   // machine.Subject, watch.Sample
	OpEvidence = "evidence" // EvidenceArgs, []machine.Text
)

// WorkerArgs start a worker under an id that the host has chosen.
type WorkerArgs struct {
	ID     uint32
	Config worker.Config
}

// SpawnArgs start a role of our binary under an id that the host has chosen; its standard input and output are the stream of that id.
type SpawnArgs struct {
	ID   uint32
	Role string
	Args []string
}

// Started is a worker or process that runs. Frames are those of a worker, if they are known: see worker.Exhume.
type Started struct {
	PID    int
	Frames []uint64 `json:",omitempty"`
}

// EventsArgs ask for the history of a program.
type EventsArgs struct {
	ID  uint32
	Seq uint64
}

// EvidenceArgs are those of machine.Machine.Evidence.
type EvidenceArgs struct{ PIDs, Servers []int }

// WorkerState is what a worker does right now. Times are the agent's: see ToWire.
type WorkerState struct {
	Live     []worker.Live
	Finished uint64
	PIDs     []int
	Failure  *worker.Failure
}

// WorkerEnd is how a worker ended, and what it did last.
type WorkerEnd struct {
	State  WorkerState
	Exit   worker.Exit
	Stderr string
}

// ProcessEnd is how a process ended.
type ProcessEnd struct{ State, Stderr string }

// LogLines are new lines of the kernel log. Complete is false if some before them are lost, or there is no log.
type LogLines struct {
	Lines    []watch.Line
	Complete bool
}

// ToWire makes a moment of the agent independent of its wall clock, which may jump: it becomes the time since the agent began, as a time since the
// epoch. FromWire makes a time of the host of it, where zero is the moment at which the agent began.
func ToWire(t, began time.Time) time.Time { return time.Unix(0, int64(t.Sub(began))).UTC() }

// FromWire is the inverse of ToWire, for another beginning.
func FromWire(t, zero time.Time) time.Time { return zero.Add(t.Sub(time.Unix(0, 0))) }

// Times moves all times of a state with move.
func (s *WorkerState) Times(move func(time.Time) time.Time) {
	for i := range s.Live {
		s.Live[i].Began, s.Live[i].Since = move(s.Live[i].Began), move(s.Live[i].Since)
	}
}

// JSON is a body of a frame: v is one of the types above, which always can be written.
func JSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("wire: " + err.Error()) // a type that is no message
	}
	return b
}
