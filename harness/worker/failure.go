package worker

import (
	"encoding/json"
	"fmt"
	"strings"

	"faultline/generators/prog"
)

// Failure is the first step of a program that returned what it must not, or found data that must not be.
type Failure struct {
	// Step counts from 0.
	Step  int    `json:"step"`
	Actor string `json:"actor,omitempty"`
	// Want is the step's expectation as text, "ok" if none was written.
	Want string `json:"want"`
	// Got is what the step returned.
	Got prog.Result `json:"got"`
	// Data is set if the step succeeded and the bytes are wrong.
	Data *Mismatch `json:"data,omitempty"`
	// Asleep is set if the step found an actor that sleeps.
	Asleep *Asleep `json:"asleep,omitempty"`
	// Broken is set if the program itself is to blame.
	Broken bool `json:"broken,omitempty"`
	// Text says it all in one sentence, without the step.
	Text string `json:"text"`
}

// judge compares a result with what the step may return; nil means that it is right. Wrong data is wrong whatever the step may return.
func judge(c *call, r result) *Failure {
	if r.wrong == nil && r.ok() && c.lo <= r.value && r.value <= c.hi {
		return nil
	}
	want := c.step.Want
	if r.wrong == nil && want.Allows(r.public(), pageSize) {
		return nil
	}
	f := &Failure{Step: c.index, Actor: c.actor, Want: "ok", Got: r.public(), Data: r.wrong, Asleep: r.asleep}
	if want != nil {
		f.Want = want.String()
	}
	f.Text = fmt.Sprintf("wanted %s, got %s", f.Want, f.Got.In(pageSize))
	if r.wrong != nil {
		f.Text = r.wrong.In(pageSize)
	}
	if r.asleep != nil {
		f.Text += ": " + r.asleep.String()
	}
	return f
}

// States of table.verdict.
const (
	verdictOpen uint32 = iota
	verdictClaimed
	verdictWritten
	// verdictCancelled is for a program that could not be set up.
	verdictCancelled
)

// failing reports whether a step was wrong, or set-up was, so that no further step shall begin.
func (t *table) failing() bool { return t.verdict.Load() != verdictOpen }

// fail makes f the program's failure unless another step was first. It lies in shared memory: processes report the same way as threads, and it is
// not lost if the program hangs on.
func (t *table) fail(f *Failure) {
	if !t.verdict.CompareAndSwap(verdictOpen, verdictClaimed) {
		return
	}
	text, err := json.Marshal(f)
	if err != nil || len(text) > len(t.failure) {
		// Only an expectation or a size list of many kilobytes does not fit.
		short := Failure{Step: f.Step, Actor: f.Actor, Broken: f.Broken, Got: f.Got, Want: clip(f.Want), Text: clip(f.Text)}
		text, _ = json.Marshal(short)
	}
	t.failureSize.Store(uint32(copy(t.failure[:], text)))
	t.verdict.Store(verdictWritten)
}

func clip(s string) string {
	const most = 1000
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// readFailure is the failure so far, or nil.
func (t *table) readFailure() *Failure {
	if t.verdict.Load() != verdictWritten {
		return nil
	}
	f := &Failure{}
	if err := json.Unmarshal(t.failure[:t.failureSize.Load()], f); err != nil {
		return nil // half overwritten by the next program's
	}
	return f
}
