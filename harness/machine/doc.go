// Package machine is where workers run: this machine, or a guest that may die. A Machine starts workers and other roles of our binary, and
// looks at them: samples, evidence, the kernel log. Whoever uses one does not know where it is; [Local] is this machine, and
// package remote reaches one over a channel. It imports harness/self, harness/watch, harness/worker and the standard library.
//
// Every method comes back, also when the machine is dead: what cannot be asked any more is empty, or an error that wraps a [*Death].
//
//	var m machine.Machine = machine.Local{}
//	w, err := m.StartWorker(worker.Config{Dir: "/mnt/test"})
//	err = w.Send(1, text)
//	report, alive := <-w.Reports() // closed when the worker ends, and when the machine does
//	if death := m.Death(); !alive && death != nil { ... }
package machine
