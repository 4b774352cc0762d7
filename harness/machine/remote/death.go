package remote

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"faultline/harness/machine"
	"faultline/harness/machine/wire"
)

// lastWords is how long a guest whose channel has ended may take to end as well: a kernel that panics prints for some time, and on a machine that has much else to do
// for longer.
const lastWords = 30 * time.Second

// bury is called at the end of the link. Who starts something meanwhile has a call that fails.
func (m *Machine) bury() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.workers {
		w.silence()
	}
	for _, p := range m.processes {
		p.lose()
	}
}

// Death says why the channel has ended. If the other end has closed it, the guest is waited for.
func (m *Machine) Death() *machine.Death {
	err := m.link.Err()
	if err == nil {
		return nil
	}
	m.dying.Do(func() { m.death = m.autopsy(err) })
	return m.death
}

func (m *Machine) autopsy(err error) *machine.Death {
	d := &machine.Death{How: err.Error(), Silent: errors.Is(err, wire.ErrSilent), Outside: errors.Is(err, errClosed)}
	if d.Silent {
		d.How = fmt.Sprintf("it has said nothing for %v%s", m.opts.Silence, m.vitals)
	}
	if closed(err) && m.opts.Exited != nil {
		m.awaitExit(d)
	}
	if m.opts.Console != nil {
		d.Console = m.opts.Console()
	}
	if m.opts.Memory != nil {
		m.exhume()
	}
	if d.Silent && m.opts.Interrogate != nil {
		d.Interrogation = m.opts.Interrogate(m.atWork())
	}
	return d
}

// atWork are the threads that were at a step.
func (m *Machine) atWork() (threads []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.workers {
		for _, l := range w.Live() {
			threads = append(threads, l.TID)
		}
	}
	return threads
}

// exhume looks into the memory of the dead for what its workers did.
func (m *Machine) exhume() {
	m.mu.Lock()
	workers := slices.Collect(maps.Values(m.workers))
	m.mu.Unlock()
	for _, w := range workers {
		w.exhume(m.opts.Memory)
	}
}

// closed says that the other end has closed the channel, maybe in the middle of what it had to say: a socket of which the other end has not read everything is reset.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
}

func (m *Machine) awaitExit(d *machine.Death) {
	timer := time.NewTimer(lastWords)
	defer timer.Stop()
	select {
	case <-m.opts.Exited:
		if m.opts.How != nil {
			d.How = "it has ended (" + m.opts.How() + ")"
			d.Outside = strings.Contains(d.How, "signal: killed") || strings.Contains(d.How, "signal: terminated")
		}
	case <-timer.C:
	}
}

// lastLine is what the console says last, as the end of a sentence.
func (m *Machine) lastLine() string {
	if m.opts.Console == nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(m.Death().Console), "\n")
	return "; its console ends: " + lines[len(lines)-1]
}
