package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"faultline/harness/machine"
	"faultline/harness/machine/credit"
	"faultline/harness/machine/wire"
	"faultline/harness/self"
	"faultline/harness/watch"
)

// Role is that of the agent.
const Role = "guest-agent"

// channelFD is the channel to the host.
const channelFD = 3

// hostSilence is for how many seconds the host may say nothing. A guest mostly ends earlier, with the channel.
const hostSilence = 300

func init() { self.Register(Role, main) }

func main([]string) int {
	unix.CloseOnExec(channelFD)
	if err := Serve(credit.Guest(os.NewFile(channelFD, "channel")), Options{}); err != nil {
		fmt.Fprintln(os.Stderr, "faultline: agent:", err)
		return 1
	}
	return 0
}

// Options change what a test needs to be otherwise. The zero value is an agent on the machine it runs on.
type Options struct {
	// Before, if it is set, is called with the text of each program before a worker gets it, when the host knows that it begins.
	Before func(text string)
	// Log, if it is set, is the kernel log.
	Log machine.Log
}

// agent serves one host.
type agent struct {
	opts Options
	on   machine.Local
	link *wire.Link
	log  *news

	mu        sync.Mutex
	hands     map[uint32]*hand
	processes map[uint32]*process
}

// Serve does what the host asks for, until the channel ends; then it kills all it has started. A host that closes the channel is no error.
func Serve(channel io.ReadWriteCloser, opts Options) error {
	a := &agent{opts: opts, hands: map[uint32]*hand{}, processes: map[uint32]*process{}}
	if opts.Log == nil {
		a.opts.Log = a.on.OpenLog()
	}
	pace := machine.Pace()
	ready := make(chan struct{})
	a.link = wire.NewLink(channel, wire.Peer{Silence: hostSilence, Handle: func(f wire.Frame) {
		<-ready
		a.handle(f)
	}})
	a.log = &news{link: a.link, log: a.opts.Log, mark: a.opts.Log.Mark()}
	greeting := wire.Greeting{Version: wire.Version, Kernel: a.on.Facts().Kernel, Pace: pace, Now: a.link.Now()}
	_ = a.link.Send(wire.Frame{Kind: wire.Hello, Body: wire.JSON(greeting)}) // it has ended: we see that below
	close(ready)
	a.watch()
	a.end()
	if err := a.link.Err(); !ended(err) {
		return err
	}
	return nil
}

// stateEvery is how often the host is told what workers do, and what the kernel says.
const stateEvery = 100 * time.Millisecond

// watch tells the host what happens, until the link ends.
func (a *agent) watch() {
	ticker := time.NewTicker(stateEvery)
	defer ticker.Stop()
	for {
		select {
		case <-a.link.Done():
			return
		case <-ticker.C:
		}
		a.log.tell()
		for _, h := range a.all() {
			h.tellState()
		}
	}
}

func (a *agent) all() []*hand {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []*hand
	for _, h := range a.hands {
		all = append(all, h)
	}
	return all
}

// end kills what the host has had us start.
func (a *agent) end() {
	for _, h := range a.all() {
		h.proc.Kill()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.processes {
		p.Kill()
	}
}

// handle takes a frame of the host's. It does not wait: calls are served in goroutines of their own.
func (a *agent) handle(f wire.Frame) {
	switch f.Kind {
	case wire.Call:
		go a.serve(f)
	case wire.Program:
		if h := a.hand(f.ID); h != nil {
			h.add(f.Body)
		}
	case wire.Data, wire.End, wire.Credit:
		if p := a.process(f.ID); p != nil {
			p.stream.Handle(f)
		}
	}
}

func (a *agent) hand(id uint32) *hand {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hands[id]
}

func (a *agent) process(id uint32) *process {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.processes[id]
}

// serve answers a call.
func (a *agent) serve(f wire.Frame) {
	var response wire.Response
	var request wire.Request
	err := json.Unmarshal(f.Body, &request)
	if err == nil {
		response.Result, err = a.do(request)
	}
	if err != nil {
		response.Error = err.Error()
	}
	_ = a.link.Send(wire.Frame{Kind: wire.Answer, ID: f.ID, Body: wire.JSON(response)}) // nobody waits for it any more
}

// do is the table of operations.
func (a *agent) do(r wire.Request) (json.RawMessage, error) {
	switch r.Op {
	case wire.OpWorker:
		return answer(r, a.startWorker)
	case wire.OpSpawn:
		return answer(r, a.spawn)
	case wire.OpKill:
		return answer(r, a.kill)
	case wire.OpClose:
		return answer(r, a.closeWorker)
	case wire.OpEvents:
		return answer(r, a.events)
	case wire.OpSample:
		return answer(r, a.sample)
	case wire.OpEvidence:
		return answer(r, func(e wire.EvidenceArgs) ([]machine.Text, error) { return a.on.Evidence(e.PIDs, e.Servers), nil })
	}
	return nil, fmt.Errorf("unknown operation %q", r.Op)
}

func answer[A, R any](r wire.Request, f func(A) (R, error)) (json.RawMessage, error) {
	var args A
	if err := json.Unmarshal(r.Args, &args); err != nil {
		return nil, fmt.Errorf("read the arguments of %s: %w", r.Op, err)
	}
	result, err := f(args)
	if err != nil {
		return nil, err
	}
	return wire.JSON(result), nil
}

func (a *agent) sample(of machine.Subject) (watch.Sample, error) {
	s := a.on.Sample(of)
	s.At = a.wireTime(s.At)
	return s, nil
}

func (a *agent) wireTime(t time.Time) time.Time { return wire.ToWire(t, a.link.Began()) }
