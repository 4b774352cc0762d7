package remote

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"faultline/harness/machine/wire"
	"faultline/harness/worker"
)

// remoteWorker is a worker in the guest, as far as the agent has told.
type remoteWorker struct {
	m  *Machine
	id uint32

	reports chan worker.Report // unbuffered: pump fills it
	gone    chan struct{}      // closed when nobody wants reports any more
	exited  chan struct{}
	closing sync.Once

	mu      sync.Mutex
	came    *sync.Cond
	waiting []worker.Report
	quiet   bool
	pid     int
	begun   uint64
	state   wire.WorkerState
	end     wire.WorkerEnd
	ended   bool
	frames  []uint64
	remains *worker.Remains // once the machine is dead, if they could be had
}

func newWorker(m *Machine, id uint32) *remoteWorker {
	w := &remoteWorker{m: m, id: id, reports: make(chan worker.Report), gone: make(chan struct{}), exited: make(chan struct{})}
	w.came = sync.NewCond(&w.mu)
	go w.pump()
	return w
}

func (w *remoteWorker) started(as wire.Started) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pid, w.frames = as.PID, as.Frames
}

// exhume finds out what the worker did when its machine died. What it has told before, up to a tenth of a second earlier, is all there is otherwise.
func (w *remoteWorker) exhume(memory io.ReaderAt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.frames) > 0 && !w.ended {
		w.remains, _ = worker.Exhume(memory, w.frames)
	}
}

// handle takes a frame about the worker. It does not wait.
func (w *remoteWorker) handle(f wire.Frame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch f.Kind {
	case wire.Begun:
		if len(f.Body) == 8 {
			w.begun = binary.LittleEndian.Uint64(f.Body)
		}
	case wire.Report:
		r, err := worker.ReadReport(bytes.NewReader(f.Body))
		if err != nil {
			r.Broken = fmt.Sprintf("the guest's report cannot be read: %v", err)
		}
		w.waiting = append(w.waiting, r)
		w.state.Live, w.state.Failure = nil, nil // that was of the program that has ended
		w.came.Signal()
	case wire.State:
		w.update(f.Body)
	case wire.Quiet:
		w.quiet = true
		w.came.Signal()
	case wire.Exited:
		w.finish(f.Body)
	}
}

func (w *remoteWorker) update(body []byte) {
	var s wire.WorkerState
	if json.Unmarshal(body, &s) != nil {
		return // the next one will do
	}
	s.Times(w.m.clock.ours)
	w.state = s
}

func (w *remoteWorker) finish(body []byte) {
	if w.ended {
		return
	}
	if json.Unmarshal(body, &w.end) == nil {
		w.state = w.end.State
		w.state.Times(w.m.clock.ours)
	}
	w.ended = true
	close(w.exited)
}

// silence ends the reports, behind those that have come.
func (w *remoteWorker) silence() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.quiet = true
	w.came.Signal()
}

// pump hands out the reports.
func (w *remoteWorker) pump() {
	defer close(w.reports)
	for {
		r, more := w.take()
		if !more {
			return
		}
		select {
		case w.reports <- r:
		case <-w.gone:
			return
		}
	}
}

func (w *remoteWorker) take() (worker.Report, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.waiting) == 0 && !w.quiet {
		w.came.Wait()
	}
	if len(w.waiting) == 0 {
		return worker.Report{}, false
	}
	r := w.waiting[0]
	w.waiting = w.waiting[1:]
	return r, true
}

// Send queues a program with the agent. It never waits.
func (w *remoteWorker) Send(seq uint64, text string) error {
	body := append(binary.LittleEndian.AppendUint64(nil, seq), text...)
	if err := w.m.link.Send(wire.Frame{Kind: wire.Program, ID: w.id, Body: body}); err != nil {
		return fmt.Errorf("send program %d to worker %d of the guest: %w", seq, w.PID(), err)
	}
	return nil
}

func (w *remoteWorker) Reports() <-chan worker.Report { return w.reports }
func (w *remoteWorker) Exited() <-chan struct{}       { return w.exited }

func (w *remoteWorker) PID() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pid
}

func (w *remoteWorker) PIDs() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.state.PIDs) == 0 {
		return []int{w.pid}
	}
	return append([]int(nil), w.state.PIDs...)
}

func (w *remoteWorker) Live() []worker.Live {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.remains != nil {
		return w.remains.Live()
	}
	return append([]worker.Live(nil), w.state.Live...)
}

func (w *remoteWorker) Finished() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Finished
}

func (w *remoteWorker) Begun() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.begun
}

func (w *remoteWorker) FailureSoFar() *worker.Failure {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.remains != nil {
		return w.remains.FailureSoFar()
	}
	return w.state.Failure
}

// Frames are those that the agent has told.
func (w *remoteWorker) Frames() ([]uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.frames) == 0 {
		return nil, errors.New("the agent could not tell where in the guest's memory the worker's is")
	}
	return w.frames, nil
}

// Events asks the agent. A guest that is gone has taken them along, unless its memory can be read.
func (w *remoteWorker) Events(seq uint64) []worker.Event {
	w.mu.Lock()
	remains := w.remains
	w.mu.Unlock()
	if remains != nil {
		return remains.Events(seq)
	}
	events, err := call[[]worker.Event](w.m, wire.OpEvents, wire.EventsArgs{ID: w.id, Seq: seq})
	if err != nil {
		return nil
	}
	for i := range events {
		events[i].Time = w.m.clock.ours(events[i].Time)
	}
	return events
}

func (w *remoteWorker) Exit() (worker.Exit, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.end.Exit, w.ended
}

func (w *remoteWorker) Stderr() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.end.Stderr
}

// Kill does not wait for the agent.
func (w *remoteWorker) Kill() { w.m.post(wire.OpKill, w.id) }

// Close has the agent close the worker, and waits for that as long as a worker may take, unless the guest is gone.
func (w *remoteWorker) Close() {
	w.closing.Do(func() {
		close(w.gone)
		w.m.post(wire.OpClose, w.id)
		timer := time.NewTimer(8 * time.Second)
		defer timer.Stop()
		select {
		case <-w.exited:
		case <-w.m.link.Done():
		case <-timer.C:
		}
		w.silence()
		w.m.forget(w.id)
	})
}
