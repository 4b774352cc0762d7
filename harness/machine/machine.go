package machine

import (
	"io"

	"faultline/harness/watch"
	"faultline/harness/worker"
)

// Machine runs workers and looks at them. Its methods may be called from several goroutines.
type Machine interface {
	// Facts describe the machine. They do not change.
	Facts() Facts

	// StartWorker starts a worker. The folders in cfg are the machine's.
	StartWorker(cfg worker.Config) (Worker, error)

	// Spawn starts our own binary in another role (package self), with / as its working directory and in a process group of its own.
	Spawn(role string, args ...string) (Process, error)

	// Sample looks at a process and at what it may wait for, for a watch.Judge. On a machine that does not answer, the sample
	// says so in Problem.
	Sample(of Subject) watch.Sample

	// Evidence is all that can be told about processes that hang and about the servers of their target.
	Evidence(pids, servers []int) []Text

	// OpenLog reads the kernel log from now on.
	OpenLog() Log

	// Death says why the machine is of no use any more, nil while it lives. It may wait a few seconds for the machine's last words.
	Death() *Death
}

// Facts are what a user wants to know about a machine, and what deadlines depend on.
type Facts struct {
	// Kernel is the release, as uname -r says it.
	Kernel string
	// Slowdown is how many times longer system calls and page faults take there than on this machine, at least 1. Deadlines grow with it.
	Slowdown float64
	// Disposable is set if the machine was made for the target and goes with it. Whatever its kernel complains of is about what runs there.
	Disposable bool
}

// Worker is a handle on a worker. *worker.Proc is one, and documents the methods.
type Worker interface {
	Send(seq uint64, text string) error
	// Reports is closed after the worker's end, and also when its machine has died.
	Reports() <-chan worker.Report
	PID() int
	PIDs() []int
	Live() []worker.Live
	Finished() uint64
	// Begun is the number of the program that was begun last, 0 if none was.
	Begun() uint64
	FailureSoFar() *worker.Failure
	Events(seq uint64) []worker.Event
	// Frames is where in the machine's memory the worker notes what it does.
	Frames() ([]uint64, error)
	Exit() (worker.Exit, bool)
	Exited() <-chan struct{}
	Stderr() string
	Kill()
	Close()
}

// Process is a process in a role of our binary, other than a worker.
type Process interface {
	PID() int
	// Stdin is a pipe to the process. Closing it is how a role is told to end.
	Stdin() io.WriteCloser
	// Stdout is a pipe from the process. Somebody must read it to its end.
	Stdout() io.Reader
	// Stderr is the end of what the process said there so far.
	Stderr() string
	// Exited is closed when the process has ended and was waited for, which may be never.
	Exited() <-chan struct{}
	// State says how the process ended: "exit status 1".
	State() string
	// Kill sends SIGKILL and returns at once.
	Kill()
}

// Subject says what a sample is of.
type Subject struct {
	PID int
	// Servers are processes that serve the target.
	Servers []int
	// NoDisks leaves the block devices out: the target waits for none.
	NoDisks bool
}

// Text is a piece of evidence; the name is fit for a file.
type Text struct{ Name, Text string }

// Log is a kernel log. *watch.KernelLog is one, and documents the methods.
type Log interface {
	Mark() watch.Mark
	Since(mark watch.Mark) (lines []watch.Line, complete bool)
	Close() error
}

// Death is the end of a machine, and the error of everything that is asked of it afterwards.
type Death struct {
	// How it is known to have died: "it has said nothing for 12.0 s".
	How string
	// Silent is set if the machine is still there but does not answer: its kernel is stuck, or gets no CPU.
	Silent bool
	// Outside is set if somebody outside of the machine ended it: it says nothing about its kernel.
	Outside bool
	// Console is the end of what its kernel printed; empty if there is no console.
	Console string
	// Interrogation is what a silent machine was doing, as its emulator and its kernel said when they were asked from outside, after Console. What its kernel
	// complains of there is our doing.
	Interrogation string
}

func (d *Death) Error() string { return "the guest is gone: " + d.How }
