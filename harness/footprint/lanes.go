package footprint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/footprint/matrix"
)

// lanes is how many file systems of our own are measured at once: most of the time somebody sleeps who waits for a lock. Two would keep a file system
// waiting for the other's proof, more than a few only wait for the processors.
const lanes = 3

// measurement is one table under way. A row, a stopped operation with all onlookers, is measured on one file system.
type measurement struct {
	Choice
	open harness.Opener
	ops  []operation
	by   []onlooker
	f    *matrix.Footprint

	mu   sync.Mutex
	next int   // the row that nobody has begun
	rows []row // in the order of ops
	done int   // cells
}

type row struct {
	cells  []matrix.Cell
	hazard *matrix.Hazard
	copy   *matrix.Copy
}

// width is how many lanes there are. A guest is large, a file system of the user's is only one, and what waits for the whole machine would wait for the
// other lanes.
func (m *measurement) width(r *harness.Runner) int {
	t := r.Target()
	everywhere := len(m.Onlookers) > 0 && slices.ContainsFunc(m.by, func(by onlooker) bool { return by.everywhere })
	if t.Mount().Guest || t.Lacks("own-mount") != "" || everywhere {
		return 1
	}
	return min(lanes, len(m.ops))
}

// measure measures all rows and puts them into the table. It closes first, which is the runner of the first lane.
func (m *measurement) measure(ctx context.Context, first *harness.Runner) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	errs := make([]error, m.width(first))
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = m.lane(ctx, stop, i, first) })
	}
	all.Wait()
	why := context.Cause(ctx)
	for _, row := range m.rows {
		m.f.Cells = append(m.f.Cells, row.cells...)
		if row.hazard != nil {
			m.f.Hazards = append(m.f.Hazards, *row.hazard)
		}
		if row.copy != nil {
			m.f.Copies = append(m.f.Copies, *row.copy)
		}
	}
	if want := len(m.ops) * len(m.by); len(m.f.Cells) < want {
		m.f.Cut = fmt.Sprintf("cut short after %d of %d cells", len(m.f.Cells), want)
	}
	return errors.Join(append([]error{why}, errs...)...)
}

// lane measures rows until there are none left, or it cannot go on: then it stops the others too. The error is of the end of its file system.
func (m *measurement) lane(ctx context.Context, stop context.CancelCauseFunc, number int, r *harness.Runner) (err error) {
	if number > 0 {
		if r, err = runner(ctx, m.open, m.Choice); err != nil {
			stop(err)
			return nil
		}
	}
	for {
		m.mu.Lock()
		i := m.next
		m.next++
		m.mu.Unlock()
		if i >= len(m.ops) {
			return r.Close(context.WithoutCancel(ctx))
		}
		if err := m.row(ctx, r, i); err != nil {
			stop(err)
			return r.Close(context.WithoutCancel(ctx))
		}
	}
}

// row measures one row. What it has of it stands in the table, whatever comes.
func (m *measurement) row(ctx context.Context, r *harness.Runner, i int) error {
	for _, who := range m.by {
		cell, err := m.cell(ctx, r, m.ops[i], who)
		if err != nil {
			return err
		}
		m.mu.Lock()
		m.rows[i].cells = append(m.rows[i].cells, cell)
		m.done++
		if m.Progress != nil {
			m.Progress(&cell, m.done, len(m.ops)*len(m.by))
		}
		m.mu.Unlock()
	}
	m.rows[i].hazard = m.hazard(ctx, m.ops[i], m.rows[i].cells)
	var err error
	m.rows[i].copy, err = m.copied(ctx, r, m.ops[i])
	return err
}

// hazard is that of an operation, if page faults have blocked beside it: the one with the shortest program.
func (m *measurement) hazard(ctx context.Context, o operation, cells []matrix.Cell) *matrix.Hazard {
	var shortest *prog.Prog
	h := matrix.Hazard{Stopped: o.name, Proof: matrix.Untried}
	for i, who := range m.by {
		if !cells[i].Held() || who.group != matrix.Faults {
			continue
		}
		if p := danger(o, who); shortest == nil || len(p.Steps) < len(shortest.Steps) {
			shortest, h.Onlooker, h.Lock = p, who.name, cells[i].Lock
		}
	}
	if shortest == nil {
		return nil
	}
	h.Program = shortest.String()
	if m.Prove {
		h.Proof = m.prove(ctx, shortest)
	}
	return &h
}
