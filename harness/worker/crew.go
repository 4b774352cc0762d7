package worker

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"

	"faultline/generators/prog"
	"faultline/harness/self"
)

// crew are the actors of the running program, taken from pools of threads and processes that grow with demand.
type crew struct {
	cfg                Config
	table              *table
	shared             *os.File // the table's memory
	threads, processes []*member
	// members are those of the running program, in the order of their first steps.
	members []*member
}

// member is an actor as the main thread sees it.
type member struct {
	name string
	slot *slot
	// thread is set for a thread of ours, orders for a process: the pipe that carries its programs.
	thread *actor
	orders *os.File
	// queued counts steps that are to be handed out next; meets says that they begin at a gate.
	queued uint32
	meets  bool
}

// recruit assigns an actor to each name of the program and waits until processes have read it.
func (w *crew) recruit(p *program, text string) error {
	w.members = w.members[:0]
	var threads, processes int
	for _, name := range p.actors {
		pool, used, grow := &w.threads, &threads, w.startThread
		if (&prog.Step{Actor: name}).Process() {
			pool, used, grow = &w.processes, &processes, w.startProcess
		}
		if *used == len(*pool) {
			m, err := grow(*used)
			if err != nil {
				return err
			}
			*pool = append(*pool, m)
		}
		m := (*pool)[*used]
		*used++
		m.name, m.queued = name, 0
		w.members = append(w.members, m)
	}
	return w.brief(p, text)
}

// brief tells the members their steps.
func (w *crew) brief(p *program, text string) error {
	for _, m := range w.members {
		if m.thread != nil {
			m.thread.first = m.slot.handed.Load()
			m.thread.enter(p, m.name)
			m.thread.collectSteps(m.name)
			continue
		}
		m.slot.hand(1)
		if _, err := m.orders.Write(frame(p.seq, m.name+"\n"+text)); err != nil {
			return fmt.Errorf("send the program to process %s: %w", m.name, err)
		}
	}
	for _, m := range w.members {
		m.slot.join()
	}
	return nil
}

// dismiss lets the processes clean up.
func (w *crew) dismiss() {
	for _, m := range w.members {
		if m.orders != nil {
			m.slot.hand(1)
		}
	}
	for _, m := range w.members {
		m.slot.join()
	}
}

// find is the member with the name, or nil.
func (w *crew) find(name string) *member {
	for _, m := range w.members {
		if m.name == name {
			return m
		}
	}
	return nil
}

func (w *crew) slot(i int) *slot {
	s := &w.table.slots[i]
	s.gateAt.Store(^uint32(0)) // no ticket
	return s
}

func (w *crew) startThread(i int) (*member, error) {
	m := &member{slot: w.slot(1 + i)}
	m.thread = newActor(w.table, m.slot)
	go m.thread.serve()
	return m, nil
}

// startProcess starts our own binary as an actor. It dies with this process, and this process with it: see mourn.
func (w *crew) startProcess(i int) (*member, error) {
	index := 1 + MaxActors + i
	m := &member{slot: w.slot(index)}
	r, orders, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start an actor process: %w", err)
	}
	m.orders = orders
	cmd := self.Command(roleProcess, append([]string{fmt.Sprint(index)}, w.cfg.args()...)...)
	cmd.ExtraFiles = []*os.File{r, w.shared}
	cmd.Stderr = os.Stderr
	// The main thread forks and never ends before the process does, so the signal comes when it should (PR_SET_PDEATHSIG(2const)).
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Start()
	r.Close()
	if err != nil {
		return nil, fmt.Errorf("start an actor process: %w", err)
	}
	go mourn(cmd.Wait, i)
	return m, nil
}

// mourn ends the child when an actor process has died: nobody would ever finish that actor's steps.
func mourn(wait func() error, i int) {
	err := wait()
	fmt.Fprintf(os.Stderr, "faultline: actor process %d died: %v\n", i, err)
	os.Exit(exitActorDied)
}

// frame is a program on its way: length of what follows, sequence number, text.
func frame(seq uint64, text string) []byte {
	b := make([]byte, 0, 12+len(text))
	b = binary.LittleEndian.AppendUint32(b, uint32(8+len(text)))
	b = binary.LittleEndian.AppendUint64(b, seq)
	return append(b, text...)
}
