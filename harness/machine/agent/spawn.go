package agent

import (
	"io"

	"faultline/harness/machine"
	"faultline/harness/machine/wire"
)

// process is a role of our binary with its pipes at the host.
type process struct {
	machine.Process
	stream *wire.Stream
}

func (a *agent) spawn(args wire.SpawnArgs) (wire.Started, error) {
	started, err := plainly(func() (machine.Process, error) { return a.on.Spawn(args.Role, args.Args...) })
	if err != nil {
		return wire.Started{}, err
	}
	p := &process{started, wire.NewStream(a.link, args.ID)}
	a.mu.Lock()
	a.processes[args.ID] = p
	a.mu.Unlock()
	go func() {
		_, _ = io.Copy(p.Stdin(), p.stream) // who does not read gets no more
		_ = p.Stdin().Close()               // it was opened by us
	}()
	go a.relay(args.ID, p)
	return wire.Started{PID: p.PID()}, nil
}

// relay sends what the process says, and how it ended.
func (a *agent) relay(id uint32, p *process) {
	told := make(chan struct{})
	go func() {
		defer close(told)
		_, _ = io.Copy(p.stream, p.Stdout()) // the link has ended: the host knows
		_ = p.stream.Close()                 // as above
	}()
	select {
	case <-p.Exited():
	case <-a.link.Done():
		p.Kill()
		return
	}
	end := wire.ProcessEnd{State: p.State(), Stderr: p.Stderr()}
	_ = a.link.Send(wire.Frame{Kind: wire.Exited, ID: id, Body: wire.JSON(end)}) // the link has ended: the host knows
	select {
	case <-told:
	case <-a.link.Done():
	}
	a.mu.Lock()
	delete(a.processes, id)
	a.mu.Unlock()
}
