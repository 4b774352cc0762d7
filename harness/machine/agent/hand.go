package agent

import (
	"encoding/binary"
	"fmt"
	"sync"

	"faultline/harness/machine"
	"faultline/harness/machine/wire"
	"faultline/harness/worker"
)

// hand feeds one worker and tells the host of it.
type hand struct {
	agent *agent
	id    uint32
	proc  machine.Worker

	mu    sync.Mutex
	queue [][]byte      // programs that wait: 8 bytes sequence number, text
	more  chan struct{} // there is one
	busy  bool          // a program is with the worker
}

// none is the result of an operation without one.
type none struct{}

func (a *agent) startWorker(args wire.WorkerArgs) (wire.Started, error) {
	proc, err := plainly(func() (machine.Worker, error) { return a.on.StartWorker(args.Config) })
	if err != nil {
		return wire.Started{}, err
	}
	h := &hand{agent: a, id: args.ID, proc: proc, more: make(chan struct{}, 1)}
	a.mu.Lock()
	a.hands[args.ID] = h
	a.mu.Unlock()
	go h.feed()
	go h.awaitEnd()
	if a.link.Err() != nil {
		proc.Kill() // end has not seen it
	}
	frames, _ := proc.Frames() // without them the host knows a little less when we die
	return wire.Started{PID: proc.PID(), Frames: frames}, nil
}

func (a *agent) kill(id uint32) (none, error) {
	if h := a.hand(id); h != nil {
		h.proc.Kill()
	}
	if p := a.process(id); p != nil {
		p.Kill()
	}
	return none{}, nil
}

// closeWorker forgets a worker and lets it end. It takes its time.
func (a *agent) closeWorker(id uint32) (none, error) {
	h := a.hand(id)
	if h == nil {
		return none{}, nil
	}
	h.proc.Close()
	a.mu.Lock()
	delete(a.hands, id)
	a.mu.Unlock()
	return none{}, nil
}

func (a *agent) events(args wire.EventsArgs) ([]worker.Event, error) {
	h := a.hand(args.ID)
	if h == nil {
		return nil, fmt.Errorf("there is no worker %d", args.ID)
	}
	events := h.proc.Events(args.Seq)
	for i := range events {
		events[i].Time = a.wireTime(events[i].Time)
	}
	return events, nil
}

// add queues a program.
func (h *hand) add(body []byte) {
	if len(body) < 8 {
		return
	}
	h.mu.Lock()
	h.queue = append(h.queue, body)
	h.mu.Unlock()
	select {
	case h.more <- struct{}{}:
	default:
	}
}

// feed gives the worker one program after the other, until it reports no more.
func (h *hand) feed() {
	defer func() { _ = h.agent.link.Send(wire.Frame{Kind: wire.Quiet, ID: h.id}) }() // the link has ended: the host knows
	for {
		body := h.next()
		if body == nil {
			select {
			case <-h.more:
				continue
			case <-h.proc.Reports(): // of no program: it has ended
				return
			case <-h.agent.link.Done():
				return
			}
		}
		if !h.run(body) {
			return
		}
	}
}

func (h *hand) next() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy = len(h.queue) > 0
	if !h.busy {
		return nil
	}
	body := h.queue[0]
	h.queue = h.queue[1:]
	return body
}

// run has the worker run a program. The host knows of its beginning before the worker does.
func (h *hand) run(body []byte) bool {
	link := h.agent.link
	seq, text := binary.LittleEndian.Uint64(body), string(body[8:])
	told := make(chan struct{})
	if link.SendThen(func() { close(told) }, wire.Frame{Kind: wire.Begun, ID: h.id, Body: body[:8]}) != nil {
		return false
	}
	select {
	case <-told:
	case <-link.Done():
		return false
	}
	if h.agent.opts.Before != nil {
		h.agent.opts.Before(text)
	}
	if h.proc.Send(seq, text) != nil {
		return false // it is dying
	}
	report, alive := <-h.proc.Reports()
	if !alive {
		return false
	}
	h.agent.log.tell()
	return link.Send(wire.Frame{Kind: wire.Report, ID: h.id, Body: report.Append(nil)}) == nil
}

// tellState tells what the worker does, if it does anything.
func (h *hand) tellState() {
	h.mu.Lock()
	busy := h.busy
	h.mu.Unlock()
	if busy {
		_ = h.agent.link.Send(wire.Frame{Kind: wire.State, ID: h.id, Body: wire.JSON(h.state())}) // the link has ended: the host knows
	}
}

func (h *hand) state() wire.WorkerState {
	s := wire.WorkerState{Live: h.proc.Live(), Finished: h.proc.Finished(), PIDs: h.proc.PIDs(), Failure: h.proc.FailureSoFar()}
	s.Times(h.agent.wireTime)
	return s
}

// awaitEnd tells the host how the worker ended, after what the kernel has said of that.
func (h *hand) awaitEnd() {
	select {
	case <-h.proc.Exited():
	case <-h.agent.link.Done():
		return
	}
	exit, _ := h.proc.Exit()
	h.agent.log.tell()
	end := wire.WorkerEnd{State: h.state(), Exit: exit, Stderr: h.proc.Stderr()}
	_ = h.agent.link.Send(wire.Frame{Kind: wire.Exited, ID: h.id, Body: wire.JSON(end)}) // the link has ended: the host knows
}
