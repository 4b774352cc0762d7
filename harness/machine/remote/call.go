package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"faultline/harness/machine/wire"
)

// call has the agent do something and waits for its answer, for the patience of the options, longer on a slow guest.
func call[R any](m *Machine, op string, args any) (R, error) {
	var result R
	answers := make(chan wire.Response, 1)
	id := m.newID()
	m.mu.Lock()
	m.calls[id] = answers
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.calls, id)
		m.mu.Unlock()
	}()
	request := wire.JSON(wire.Request{Op: op, Args: wire.JSON(args)})
	if m.link.Send(wire.Frame{Kind: wire.Call, ID: id, Body: request}) != nil {
		return result, m.Death()
	}
	patience := time.Duration(float64(m.opts.Patience) * max(m.facts.Slowdown, 1))
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-answers:
		if r.Error != "" {
			return result, errors.New(r.Error)
		}
		if err := json.Unmarshal(r.Result, &result); err != nil {
			return result, fmt.Errorf("read the guest's answer to %s: %w", op, err)
		}
		return result, nil
	case <-m.link.Done():
		return result, m.Death()
	case <-timer.C:
		return result, fmt.Errorf("the guest has not answered %q for %v", op, patience)
	}
}

// answer takes the answer to a call. One that nobody waits for any more is dropped.
func (m *Machine) answer(f wire.Frame) {
	m.mu.Lock()
	waiting := m.calls[f.ID]
	delete(m.calls, f.ID)
	m.mu.Unlock()
	if waiting == nil {
		return
	}
	var r wire.Response
	if err := json.Unmarshal(f.Body, &r); err != nil {
		r.Error = fmt.Sprintf("read an answer of the guest: %v", err)
	}
	waiting <- r
}
