package campaign

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/results"
)

// SocketEnv names the socket on which a spec process finds its supervisor.
const SocketEnv = "FAULTLINE_SUPERVISOR"

// Request is what a spec process asks its supervisor: to run a program, or to note how a spec ended. One field is set. The answer to
// a Program is an Answer, that to a Spec an empty one.
type Request struct {
	Program *ProgramRequest `json:"program,omitempty"`
	Spec    *SpecRequest    `json:"spec,omitempty"`
}

// ProgramRequest is a program to run, as text.
type ProgramRequest struct {
	// Spec is the spec that asks, for the report of a process that dies.
	Spec string `json:"spec"`
	Text string `json:"text"`
}

// SpecRequest is a spec that ended.
type SpecRequest struct {
	Name    string          `json:"name"`
	Verdict results.Verdict `json:"verdict"`
	Message string          `json:"message,omitempty"`
	Detail  string          `json:"detail,omitempty"`
	Start   time.Time       `json:"start"`
	Elapsed time.Duration   `json:"elapsed_ns"`
}

// Answer is what came of a program.
type Answer struct {
	Verdict results.Verdict `json:"verdict"`
	Kind    results.Kind    `json:"kind,omitempty"`
	Message string          `json:"message,omitempty"`
	// Error says why the request was refused; then there is no verdict.
	Error string `json:"error,omitempty"`
}

// Desk answers the requests of one spec process. Everything is recorded here, so that the spec process may die at any moment.
type Desk struct {
	suite  string
	target *Target
	rec    *Recorder
	opts   harness.Options

	runner *harness.Runner
	lost   error
	names  map[string]int
	// spec is the spec that runs, programs how many it has had, failed whether one of them failed.
	spec     string
	programs int
	failed   bool
	// chosen are the failures to be made smaller in the end; none if it is nil.
	chosen *shrinks
	big    []func(context.Context)
}

// NewDesk prepares the supervisor's side for one target. Results are filed under the suite's name.
func NewDesk(suite string, t *Target, rec *Recorder, opts harness.Options) *Desk {
	return &Desk{suite: suite, target: t, rec: rec, opts: opts, names: map[string]int{}}
}

// Serve answers until the connection ends. The error is one of recording; a connection that breaks is none.
func (d *Desk) Serve(ctx context.Context, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	in := json.NewDecoder(bufio.NewReader(conn))
	out := json.NewEncoder(conn)
	for {
		var q Request
		if err := in.Decode(&q); err != nil {
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("read a request of the spec process: %w", err)
		}
		var a Answer
		switch {
		case q.Program != nil:
			a = d.program(ctx, *q.Program)
		case q.Spec != nil:
			d.specEnded(*q.Spec)
		}
		if err := d.rec.Err(); err != nil {
			return err
		}
		if err := out.Encode(a); err != nil {
			return nil // the process is gone; its end tells why
		}
	}
}

// program runs one program.
func (d *Desk) program(ctx context.Context, q ProgramRequest) Answer {
	d.spec = q.Spec
	d.programs++
	p, err := prog.Parse(q.Text)
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		d.failed = true
		return Answer{Error: err.Error()}
	}
	// A program that a spec runs again is a case of its own: an ID stands for one verdict.
	if d.names[p.Name]++; d.names[p.Name] > 1 {
		p.Name = fmt.Sprintf("%s/again-%d", p.Name, d.names[p.Name])
	}
	id := results.ID{Suite: d.suite, Class: d.target.Class, Name: p.Name}
	if err := d.rec.Start(id); err != nil {
		return Answer{Error: err.Error()}
	}
	o := d.run(ctx, p)
	d.rec.Outcome(d.suite, d.target.Class, d.target.Spec, o)
	d.choose(id, o)
	d.failed = d.failed || o.Verdict != results.Pass && o.Verdict != results.Skip
	return Answer{Verdict: o.Verdict, Kind: o.Kind, Message: o.Message}
}

func (d *Desk) run(ctx context.Context, p *prog.Prog) harness.Outcome {
	if d.runner == nil && d.lost == nil {
		d.runner, d.lost = harness.NewRunner(ctx, d.target.Open, d.opts)
	}
	if d.lost != nil {
		return harness.Outcome{Name: p.Name, Prog: p, Verdict: results.Broken, Kind: results.InfraTargetLost, Message: d.lost.Error(), Step: -1, Start: time.Now()}
	}
	return d.runner.Run(ctx, p)
}

// specEnded records a spec that has no program to stand for it, or failed although its programs did not.
func (d *Desk) specEnded(q SpecRequest) {
	silent := d.programs > 0 && (q.Verdict == results.Pass || q.Verdict == results.Skip || d.failed)
	d.spec, d.programs, d.failed = "", 0, false
	if silent {
		return
	}
	c := results.Case{
		ID:      results.ID{Suite: d.suite, Class: d.target.Class, Name: strings.TrimSpace(q.Name)},
		Verdict: q.Verdict, Message: q.Message, Detail: q.Detail, Start: q.Start, Elapsed: q.Elapsed,
	}
	if c.Verdict == results.Skip && c.Message == "" {
		c.Message = "skipped by the spec"
	}
	_ = d.rec.Case(c) // told by Err
}

// Died records the spec in which its process died, if one was running.
func (d *Desk) Died(how string) {
	name := d.spec
	if name == "" {
		name = "suite"
	}
	_ = d.rec.Case(results.Case{
		ID:      results.ID{Suite: d.suite, Class: d.target.Class, Name: name + "/process"},
		Verdict: results.Broken, Kind: results.InfraHarness, Message: "the spec process ended: " + how, Start: time.Now(),
	}) // told by Err
}

// choose notes a failure whose program is to be made smaller.
func (d *Desk) choose(id results.ID, o harness.Outcome) {
	if d.chosen == nil || !o.Verdict.Bad() {
		return
	}
	if b := d.chosen.budget(o); b.Tries > 0 {
		d.big = append(d.big, func(ctx context.Context) { d.rec.Shrunk(id, d.target.Spec, o, d.runner.Shrink(ctx, o, b)) })
	}
}

// Shrink makes the programs of the failures smaller, until soft ends. Nothing is served any more.
func (d *Desk) Shrink(ctx, soft context.Context) {
	for _, shrink := range d.big {
		if soft.Err() == nil {
			shrink(ctx)
		}
	}
}

// Close ends the target.
func (d *Desk) Close(ctx context.Context) error {
	if d.runner == nil {
		return d.target.Close(ctx)
	}
	return d.runner.Close(ctx)
}

// listen makes a socket for spec processes in a folder of its own.
func listen() (l net.Listener, remove func(), err error) {
	dir, err := os.MkdirTemp("", "faultline-socket-")
	if err != nil {
		return nil, nil, err
	}
	l, err = net.Listen("unix", dir+"/s")
	if err != nil {
		os.Remove(dir)
		return nil, nil, err
	}
	return l, func() { l.Close(); os.Remove(dir + "/s"); os.Remove(dir) }, nil
}
