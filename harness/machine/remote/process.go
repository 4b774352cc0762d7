package remote

import (
	"encoding/json"
	"io"
	"sync"

	"faultline/harness/machine/wire"
)

// process is a role that runs in the guest.
type process struct {
	m      *Machine
	id     uint32
	pid    int
	stream *wire.Stream
	exited chan struct{}
	once   sync.Once
	end    wire.ProcessEnd // read after exited
}

func newProcess(m *Machine, id uint32) *process {
	return &process{m: m, id: id, stream: wire.NewStream(m.link, id), exited: make(chan struct{})}
}

func (p *process) PID() int                { return p.pid }
func (p *process) Stdin() io.WriteCloser   { return p.stream }
func (p *process) Stdout() io.Reader       { return p.stream }
func (p *process) Exited() <-chan struct{} { return p.exited }

func (p *process) Stderr() string {
	select {
	case <-p.exited:
		return p.end.Stderr
	default:
		return "" // it is told at the end
	}
}

func (p *process) State() string {
	select {
	case <-p.exited:
		return p.end.State
	default:
		return "it has not ended"
	}
}

// Kill does not wait for the agent.
func (p *process) Kill() { p.m.post(wire.OpKill, p.id) }

// ended takes the news of the end. What it has said may still be read.
func (p *process) ended(body []byte) {
	p.once.Do(func() {
		if err := json.Unmarshal(body, &p.end); err != nil {
			p.end.State = err.Error()
		}
		p.stream.Refuse()
		close(p.exited)
	})
}

// lose is the end of the guest.
func (p *process) lose() {
	p.once.Do(func() {
		p.end.State = "it has gone with the guest"
		close(p.exited)
	})
}

// post is a call whose answer nobody waits for.
func (m *Machine) post(op string, args any) {
	request := wire.JSON(wire.Request{Op: op, Args: wire.JSON(args)})
	_ = m.link.Send(wire.Frame{Kind: wire.Call, ID: m.newID(), Body: request}) // a guest that is gone needs it no more
}
