package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"faultline/harness/machine"
	"faultline/harness/machine/wire"
	"faultline/harness/watch"
	"faultline/harness/worker"
)

// Options are what is known of the guest from outside, to tell its death. All may be left out.
type Options struct {
	// Exited is closed when the guest has ended, and How then says how: "exit status 1", "signal: killed".
	Exited <-chan struct{}
	How    func() string
	// Console is what the guest has printed since Dial.
	Console func() string
	// Interrogate asks a silent guest from outside what it does, and what the threads do. It comes back within seconds.
	Interrogate func(threads []int) string
	// Memory is the guest's physical memory, which can be read after its death too.
	Memory io.ReaderAt
	// PID is the guest's process on this machine. While that wants more CPU time than it gets, the guest's silence means nothing.
	PID int
	// Silence is for how long a guest may say nothing, in whole seconds; 12 s.
	Silence time.Duration
	// Patience is how long a call may take on a machine that is as fast as this one; 10 s.
	Patience time.Duration
}

const (
	defaultSilence  = 12 * time.Second
	defaultPatience = 10 * time.Second
	// greeting is how long the agent may take to say hello.
	greeting = 30 * time.Second
)

// Machine is a guest. It implements machine.Machine.
type Machine struct {
	opts  Options
	link  *wire.Link
	facts machine.Facts
	log   *kernelLog

	greeted chan struct{}
	hello   wire.Greeting
	clock   clock

	mu        sync.Mutex
	last      uint32 // id
	calls     map[uint32]chan wire.Response
	workers   map[uint32]*remoteWorker
	processes map[uint32]*process

	vitals vitals
	dying  sync.Once
	death  *machine.Death
}

var _ machine.Machine = (*Machine)(nil)

// Dial waits for the agent at the other end of the channel, which then belongs to the Machine, also if there is an error.
func Dial(ctx context.Context, channel io.ReadWriteCloser, opts Options) (*Machine, error) {
	if opts.Silence == 0 {
		opts.Silence = defaultSilence
	}
	if opts.Patience == 0 {
		opts.Patience = defaultPatience
	}
	m := &Machine{
		opts: opts, log: &kernelLog{}, greeted: make(chan struct{}),
		calls: map[uint32]chan wire.Response{}, workers: map[uint32]*remoteWorker{}, processes: map[uint32]*process{},
	}
	ready := make(chan struct{})
	m.link = wire.NewLink(channel, wire.Peer{
		Silence: int(opts.Silence / time.Second), Starved: m.starved,
		Handle: func(f wire.Frame) { <-ready; m.handle(f) },
	})
	m.link.OnEnd(m.bury)
	close(ready)
	if err := m.await(ctx); err != nil {
		m.link.Fail(err)
		return nil, fmt.Errorf("reach the agent in the guest: %w%s", err, m.lastLine())
	}
	return m, nil
}

// await waits for the agent's greeting.
func (m *Machine) await(ctx context.Context) error {
	timer := time.NewTimer(greeting)
	defer timer.Stop()
	select {
	case <-m.greeted:
	case <-m.link.Done():
		return m.link.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return fmt.Errorf("it has not greeted us for %v", greeting)
	}
	if m.hello.Version != wire.Version {
		return fmt.Errorf("it speaks version %d of the protocol, we %d", m.hello.Version, wire.Version)
	}
	pace := paces.least(m.hello.Kernel, m.hello.Pace)
	m.facts = machine.Facts{Kernel: m.hello.Kernel, Slowdown: slowdown(pace, machine.Pace()), Disposable: true}
	return nil
}

// paces are the best of the guests so far, by kernel: what one has done others can do, and one that was slower had to share the CPU while it measured.
var paces = bestPaces{best: map[string]time.Duration{}}

type bestPaces struct {
	mu   sync.Mutex
	best map[string]time.Duration
}

// least takes what a guest has measured, and returns the best.
func (p *bestPaces) least(kernel string, measured time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if best, known := p.best[kernel]; !known || measured < best {
		p.best[kernel] = measured
	}
	return p.best[kernel]
}

// slowdown bounds the quotient: whatever was measured, deadlines shall be finite.
func slowdown(theirs, ours time.Duration) float64 {
	return min(max(float64(theirs)/float64(max(ours, 1)), 1), 50)
}

// Facts of the guest.
func (m *Machine) Facts() machine.Facts { return m.facts }

// Close ends the channel. The agent ends what it has started, and then itself.
func (m *Machine) Close() error {
	m.link.Fail(errClosed)
	return nil
}

var errClosed = errors.New("closed by us")

// handle takes a frame of the agent's. It does not wait.
func (m *Machine) handle(f wire.Frame) {
	switch f.Kind {
	case wire.Hello:
		m.greet(f)
	case wire.Beat:
		m.clock.hear(f.Body)
	case wire.Answer:
		m.answer(f)
	case wire.Log:
		m.log.add(f.Body)
	case wire.Data, wire.End, wire.Credit:
		if p := m.process(f.ID); p != nil {
			p.stream.Handle(f)
		}
	case wire.Begun, wire.Report, wire.State, wire.Quiet:
		if w := m.worker(f.ID); w != nil {
			w.handle(f)
		}
	case wire.Exited:
		m.ended(f)
	}
}

func (m *Machine) greet(f wire.Frame) {
	select {
	case <-m.greeted: // once is enough
		return
	default:
	}
	if err := json.Unmarshal(f.Body, &m.hello); err != nil {
		m.link.Fail(fmt.Errorf("read the greeting: %w", err))
		return
	}
	m.clock.set(m.hello.Now)
	close(m.greeted)
}

// ended is for a worker or a process, which have ids of one kind.
func (m *Machine) ended(f wire.Frame) {
	if w := m.worker(f.ID); w != nil {
		w.handle(f)
	}
	if p := m.process(f.ID); p != nil {
		p.ended(f.Body)
	}
}

func (m *Machine) worker(id uint32) *remoteWorker {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.workers[id]
}

func (m *Machine) process(id uint32) *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.processes[id]
}

func (m *Machine) newID() uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	return m.last
}

// Sample asks the agent for one.
func (m *Machine) Sample(of machine.Subject) watch.Sample {
	asked := time.Now()
	s, err := call[watch.Sample](m, wire.OpSample, of)
	if err != nil {
		return watch.Sample{At: time.Now(), Took: time.Since(asked), Problem: err.Error()}
	}
	s.At, s.Took = m.clock.ours(s.At), time.Since(asked)
	// Whoever should wake the thread in there waits for a CPU of this machine.
	s.Load = max(s.Load, watch.Load())
	return s
}

// Evidence asks the agent for it.
func (m *Machine) Evidence(pids, servers []int) []machine.Text {
	texts, err := call[[]machine.Text](m, wire.OpEvidence, wire.EvidenceArgs{PIDs: pids, Servers: servers})
	if err != nil {
		return []machine.Text{{Name: "processes.txt", Text: err.Error() + "\n"}}
	}
	return texts
}

// OpenLog reads what the agent tells of the kernel log from now on. Lines before it are lost to the reader.
func (m *Machine) OpenLog() machine.Log { return m.log }

// StartWorker has the agent start one.
func (m *Machine) StartWorker(cfg worker.Config) (machine.Worker, error) {
	w := newWorker(m, m.newID())
	m.mu.Lock()
	m.workers[w.id] = w
	m.mu.Unlock()
	started, err := call[wire.Started](m, wire.OpWorker, wire.WorkerArgs{ID: w.id, Config: cfg})
	if err != nil {
		m.forget(w.id)
		w.silence()
		return nil, fmt.Errorf("start worker in %s of the guest: %w", cfg.Dir, err)
	}
	w.started(started)
	return w, nil
}

func (m *Machine) forget(id uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.workers, id)
	delete(m.processes, id)
}

// Spawn has the agent start a role.
func (m *Machine) Spawn(role string, args ...string) (machine.Process, error) {
	p := newProcess(m, m.newID())
	m.mu.Lock()
	m.processes[p.id] = p
	m.mu.Unlock()
	started, err := call[wire.Started](m, wire.OpSpawn, wire.SpawnArgs{ID: p.id, Role: role, Args: args})
	if err != nil {
		m.forget(p.id)
		return nil, fmt.Errorf("start our own binary as %s in the guest: %w", role, err)
	}
	p.pid = started.PID
	return p, nil
}
