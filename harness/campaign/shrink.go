package campaign

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"faultline/generators/emit"
	"faultline/generators/model"
	"faultline/generators/prog"
	"faultline/harness"
	"faultline/results"
)

const (
	// HangShare is by how much less often a program that hangs is tried: every try takes seconds.
	HangShare = 6
	// shrinkTime and shrinkHangTime bound what one failure may take.
	shrinkTime     = time.Minute
	shrinkHangTime = 2 * time.Minute
)

// Budget is what may be done to make the program of a failure smaller with so many tries, of which a hang gets its share.
func Budget(tries int, v results.Verdict) harness.Budget {
	b := harness.Budget{Tries: tries, Time: shrinkTime, Derive: derive}
	if v == results.Hang {
		b.Tries, b.Time = (tries+HangShare-1)/HangShare, shrinkHangTime
	}
	return b
}

func derive(p *prog.Prog) error { return model.Derive(p, int64(os.Getpagesize())) }

// shrinks chooses the failures of a run whose programs are made smaller: the first of each signature that fails every time.
type shrinks struct {
	tries int

	mu   sync.Mutex
	seen map[string]bool
}

func newShrinks(tries int) *shrinks { return &shrinks{tries: tries, seen: map[string]bool{}} }

// budget is what may be done for a failure: nothing, if it is not chosen.
func (s *shrinks) budget(o harness.Outcome) harness.Budget {
	if s.tries == 0 || o.Failures() <= len(o.Attempts) {
		return harness.Budget{}
	}
	key := string(o.Verdict) + " " + o.Signature
	if o.Signature == "" {
		key = o.Name // equal to no other
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[key] {
		return harness.Budget{}
	}
	s.seen[key] = true
	return Budget(s.tries, o.Verdict)
}

// Shrunk adds the small program of a failure to its bundle, and the same as C in place of the big one.
func (r *Recorder) Shrunk(id results.ID, spec string, o harness.Outcome, small harness.Small) {
	r.mu.Lock()
	folder := r.folders[id]
	r.mu.Unlock()
	if folder == "" || !small.Shrunk(o.Prog) {
		return
	}
	p := Described(small, spec)
	path := filepath.Join(folder, "small.prog")
	if r.fail(os.WriteFile(path, []byte(p.String()), 0o644)) != nil || r.fail(os.WriteFile(filepath.Join(folder, reproC), []byte(emit.C(p)), 0o644)) != nil {
		return // told by Err
	}
	r.screen.Println(fmt.Sprintf("SHRUNK %s on %s: %d steps became %d, which failed in %d of %d runs\n    %s",
		id.Name, id.Class, len(o.Prog.Steps), len(p.Steps), small.Failed, small.Runs, path))
}

// Described is the small program with a comment that says how often it failed, and where.
func Described(small harness.Small, spec string) *prog.Prog {
	p := *small.Prog
	p.Doc = append(p.Doc[:len(p.Doc):len(p.Doc)], fmt.Sprintf("Failed in %d of %d runs on %s.", small.Failed, small.Runs, spec))
	return &p
}

// reproC is the file of a bundle that holds the program as C.
const reproC = "repro.c"
