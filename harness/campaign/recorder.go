package campaign

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"faultline/generators/emit"
	"faultline/generators/family"
	"faultline/harness"
	"faultline/results"
)

// Record says where a run writes.
type Record struct {
	// Dir gets journal.jsonl, junit.xml and failures/.
	Dir string
	// JUnit is another path for the JUnit file, or "".
	JUnit string
	// Resume goes on with the journal in Dir instead of starting one.
	Resume bool
	Screen *Screen
}

// Recorder writes results as they come: the journal first, then JUnit, bundles and the terminal. It is safe for concurrent use.
type Recorder struct {
	dir     string
	screen  *Screen
	journal *results.Journal
	junit   *results.JUnit
	done    *results.Set

	mu      sync.Mutex
	summary *results.Summary
	started map[results.ID]bool
	checks  map[results.ID]int    // outcomes that are of no program, which may come again
	folders map[results.ID]string // bundles
	lost    []string
	err     error
}

// NewRecorder opens the files. An error is one a user can mend: a folder that cannot be written, a run that is still going on.
func NewRecorder(rec Record, header results.Header) (*Recorder, error) {
	r := &Recorder{
		dir: rec.Dir, screen: rec.Screen, summary: results.NewSummary(header.Planned), done: results.NewSet(),
		started: map[results.ID]bool{}, checks: map[results.ID]int{}, folders: map[results.ID]string{},
	}
	if err := os.MkdirAll(rec.Dir, 0o777); err != nil {
		return nil, fmt.Errorf("make the results folder: %w", err)
	}
	path := JournalPath(rec.Dir)
	var err error
	var open []results.ID
	if rec.Resume {
		if r.done, open, err = results.Finished(path); err != nil {
			return nil, fmt.Errorf("resume: %w", err)
		}
		r.journal, err = results.Resume(path, header)
	} else {
		r.journal, err = results.Create(path, header)
	}
	if err != nil {
		return nil, err
	}
	junit := rec.JUnit
	if junit == "" {
		junit = filepath.Join(rec.Dir, "junit.xml")
	}
	r.junit, err = results.NewJUnit(junit, results.JUnitOptions{Class: "faultline", Journal: path, Header: header})
	if err != nil {
		err = errors.Join(err, r.journal.Close())
		if !rec.Resume { // nothing has begun: the same command works once the user has mended it
			err = errors.Join(err, os.Remove(path))
		}
		return nil, err
	}
	if rec.Resume {
		err = r.replay(path, open)
	}
	return r, err
}

// JournalPath is the journal's place in a results folder.
func JournalPath(dir string) string { return filepath.Join(dir, "journal.jsonl") }

// replay takes in what an earlier part of the run has written. Cases that were running when the machine died are not run again: one of them
// may have killed it.
func (r *Recorder) replay(path string, open []results.ID) error {
	var started time.Time
	for record, err := range results.Read(path) {
		switch {
		case err != nil:
			return fmt.Errorf("resume: %w", err)
		case record.Start != nil:
			started = record.Start.Time
		case record.End != nil:
			r.summary.Add(*record.End)
			if err := r.junit.Add(*record.End); err != nil {
				return err
			}
		}
	}
	r.screen.Resumed(r.summary.Totals().Judged())
	if len(open) == 0 || !rebootedSince(started) {
		return nil
	}
	names := make([]string, len(open))
	for i, id := range open {
		names[i] = id.Name
	}
	for _, id := range open {
		c := results.Case{ID: id, Verdict: results.Broken, Kind: results.InfraIncomplete, Start: time.Now()}
		c.Message = fmt.Sprintf("the machine died while %s ran; run each alone to find out which it was", strings.Join(names, ", "))
		if err := r.add(c); err != nil {
			return err
		}
	}
	return nil
}

// rebootedSince reports whether the machine booted after the moment.
func rebootedSince(t time.Time) bool {
	var info syscall.Sysinfo_t
	return syscall.Sysinfo(&info) == nil && time.Now().Add(-time.Duration(info.Uptime)*time.Second).After(t)
}

// Done reports whether the case has a verdict from an earlier part of the run.
func (r *Recorder) Done(id results.ID) bool { return r.done.Has(id) }

// Start records that cases are about to run; it returns when that is on disk.
func (r *Recorder) Start(ids ...results.ID) error {
	if err := r.journal.Start(ids...); err != nil {
		return r.fail(err)
	}
	r.mu.Lock()
	for _, id := range ids {
		r.started[id] = true
	}
	r.mu.Unlock()
	return r.fail(r.junit.Start(ids...))
}

// fail keeps the first error of writing: a run whose results cannot be kept must stop.
func (r *Recorder) fail(err error) error {
	if err == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = fmt.Errorf("write results: %w", err)
	}
	return r.err
}

// Err is the first error of writing.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Outcome records what came of a program.
func (r *Recorder) Outcome(suite, class, spec string, o harness.Outcome) {
	c := results.Case{
		ID:      results.ID{Suite: suite, Class: class, Name: o.Name},
		Verdict: o.Verdict, Kind: o.Kind, Message: o.Message, Signature: o.Signature, Start: o.Start, Elapsed: o.Elapsed,
		Reruns: o.Attempts,
	}
	if o.Prog != nil {
		c.Labels = family.Labels(o.Prog)
	} else {
		c.Name = r.again(c.ID)
	}
	if len(o.Attempts) > 0 {
		c.Attempts, c.Failures = 1+len(o.Attempts), o.Failures()
	}
	if c.Verdict != results.Pass && c.Verdict != results.Skip {
		r.bundle(&c, spec, o)
	}
	_ = r.fail(r.add(c)) // told by Err
}

// again is the name of an outcome that is of no program: an ID stands for one verdict, and a target may be checked more than once.
func (r *Recorder) again(id results.ID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.checks[id]++; r.checks[id] > 1 {
		return fmt.Sprintf("%s/again-%d", id.Name, r.checks[id])
	}
	return id.Name
}

// bundle writes everything there is about a failure into a folder of its own.
func (r *Recorder) bundle(c *results.Case, spec string, o harness.Outcome) {
	var files []results.File
	if o.Prog != nil {
		c.Detail = marked(o)
		files = append(files, results.File{Name: "program.prog", Content: strings.NewReader(o.Prog.String())})
		if o.Verdict.Bad() {
			files = append(files, results.File{Name: reproC, Content: strings.NewReader(emit.C(o.Prog))})
		}
	}
	for _, s := range o.Evidence {
		c.Detail += "\n" + s.Name + ":\n" + s.Text
		files = append(files, results.File{Name: s.Name, Content: strings.NewReader(s.Text)})
	}
	dir := filepath.Join(r.dir, "failures")
	if o.Prog != nil {
		c.Repro = fmt.Sprintf("faultline repro %s --target %s", o.Name, quoted(spec))
	}
	paths, err := results.Bundle(dir, *c, files...)
	c.Attachments = paths
	_ = r.fail(err) // told by Err
	if len(paths) > 0 {
		r.mu.Lock()
		r.folders[c.ID] = filepath.Dir(paths[0])
		r.mu.Unlock()
	}
	for _, path := range paths {
		if o.Prog != nil && filepath.Base(path) == "program.prog" {
			c.Repro = fmt.Sprintf("faultline repro %s --target %s", quoted(path), quoted(spec))
		}
	}
}

// marked is the program's text with the step that failed marked.
func marked(o harness.Outcome) string {
	if o.Step < 0 || o.Step >= len(o.Prog.Steps) {
		return o.Prog.String()
	}
	var b bytes.Buffer
	head := *o.Prog
	head.Steps = o.Prog.Steps[:o.Step]
	b.WriteString(head.String())
	fmt.Fprintf(&b, "%s    # <-- here\n", &o.Prog.Steps[o.Step])
	for i := o.Step + 1; i < len(o.Prog.Steps); i++ {
		fmt.Fprintf(&b, "%s\n", &o.Prog.Steps[i])
	}
	return b.String()
}

// quoted is a word for a shell.
func quoted(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Case records a case that is no program: a spec of its own.
func (r *Recorder) Case(c results.Case) error { return r.fail(r.add(c)) }

func (r *Recorder) add(c results.Case) error {
	if err := r.journal.End(c); err != nil {
		return err
	}
	r.mu.Lock()
	delete(r.started, c.ID)
	r.summary.Add(c)
	totals := r.summary.Totals()
	r.mu.Unlock()
	r.screen.Case(c, totals)
	return r.junit.Add(c)
}

// Lost notes why a target's remaining programs have no verdict.
func (r *Recorder) Lost(reason string) {
	r.screen.Println("LOST " + reason)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = append(r.lost, reason)
}

// Finish writes the end of the run and returns the exit code. signal is what interrupted the run, or 0.
func (r *Recorder) Finish(signal syscall.Signal) (code int, err error) {
	r.mu.Lock()
	totals := r.summary.Totals()
	missing := results.Missing{Reason: strings.Join(r.lost, "; "), Count: totals.Missing()}
	for id := range r.started {
		missing.IDs = append(missing.IDs, id)
	}
	r.mu.Unlock()
	slices.SortFunc(missing.IDs, func(a, b results.ID) int { return strings.Compare(a.String(), b.String()) })
	missing.Count = max(0, missing.Count-len(missing.IDs))
	switch {
	case missing.Reason != "":
	case signal != 0:
		missing.Reason = "interrupted by " + signal.String()
	default:
		missing.Reason = "the run ended early"
	}
	if totals.Missing() > 0 || len(missing.IDs) > 0 || signal != 0 {
		err = errors.Join(r.junit.Finish(missing), r.journal.Close())
	} else {
		err = errors.Join(r.junit.Finish(results.Missing{}), r.journal.Finish(totals), r.journal.Close())
	}
	r.screen.End(r.summary)
	return results.ExitCode(totals, signal), errors.Join(r.Err(), err)
}
