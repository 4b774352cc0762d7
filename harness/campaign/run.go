package campaign

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/target"
	"faultline/results"
)

// Target is a file system to run on, opened once already to see that it can be had.
type Target struct {
	Spec string
	// Class is what results are filed under: fstyp.config.kind.
	Class string
	opts  target.Options

	mu    sync.Mutex
	first target.Target
}

// OpenTarget opens the target that spec names. It is used by the first lane of Run, or closed by Close.
func OpenTarget(ctx context.Context, spec string, opts target.Options) (*Target, error) {
	t, err := target.Open(ctx, spec, opts)
	if err != nil {
		return nil, err
	}
	return &Target{Spec: t.Spec(), Class: class(t), opts: opts, first: t}, nil
}

// class is fstyp.config.kind: "xfs.default.loop", "ext4.default.dir", "gfs2.6_1.uml".
func class(t target.Target) string {
	kind, rest, _ := strings.Cut(t.Spec(), ":")
	config := "default"
	if kind != "dir" {
		if _, opts, has := strings.Cut(rest, ","); has {
			config = opts
		}
		if kind == "uml" || kind == "qemu" {
			config = strings.Replace(rest, ",fs="+t.FS(), "", 1)
		}
		if kind == "planted" || kind == "fuse" && rest != "" {
			config = rest
		}
	}
	return strings.NewReplacer(".", "_").Replace(t.FS()) + "." + strings.NewReplacer(".", "_", "/", "_", " ", "_").Replace(config) + "." + kind
}

// Open gets a fresh target: the one already open, the first time.
func (t *Target) Open(ctx context.Context) (target.Target, error) {
	t.mu.Lock()
	first := t.first
	t.first = nil
	t.mu.Unlock()
	if first != nil {
		return first, nil
	}
	return target.Open(ctx, t.Spec, t.opts)
}

// Close closes the target if nobody has used it.
func (t *Target) Close(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first == nil {
		return nil
	}
	err := t.first.Close(ctx)
	t.first = nil
	return err
}

// Facts describe the target for reports; only before it is used.
func (t *Target) Facts() target.Facts {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first == nil {
		return target.Facts{}
	}
	return t.first.Mount()
}

// Runs says how a campaign is carried out.
type Runs struct {
	Jobs int
	Opts harness.Options
	// Shrink is how many smaller programs are tried for the first failure of each signature, once all programs have run; see Budget.
	Shrink int
}

// Run runs the plan on every target, one target after the other, and records what comes. When soft ends, what is running is finished; when
// ctx ends, it is killed. A target that is lost is noted and the next one begins. The error is one of recording or of our own.
func Run(ctx, soft context.Context, plan *Plan, targets []*Target, rec *Recorder, how Runs) error {
	chosen := newShrinks(how.Shrink)
	for _, t := range targets {
		if soft.Err() != nil {
			return t.Close(context.WithoutCancel(ctx))
		}
		if err := noteEnd(rec, t, runOn(ctx, soft, plan, t, rec, how, chosen)); err != nil {
			return err
		}
	}
	return nil
}

// noteEnd records how the run on a target ended. The error is one of recording.
func noteEnd(rec *Recorder, t *Target, err error) error {
	var lost *harness.Lost
	var damage *target.CheckError
	switch {
	case rec.Err() != nil:
		return rec.Err()
	case errors.As(err, &lost):
		rec.Lost(fmt.Sprintf("%s: %v", t.Spec, lost))
	case errors.As(err, &damage): // recorded as a case of its own
	case errors.Is(err, context.Canceled):
	case err != nil:
		// All programs may have their verdicts, but what the target would have said at its end nobody knows.
		return rec.Case(results.Case{
			ID: results.ID{Suite: "target", Class: t.Class, Name: "target/close"}, Verdict: results.Broken, Kind: results.InfraTargetLost,
			Message: err.Error(), Start: time.Now(),
		})
	}
	return nil
}

func runOn(ctx, soft context.Context, plan *Plan, t *Target, rec *Recorder, how Runs, chosen *shrinks) error {
	id := func(name string) results.ID {
		suite, _, _ := strings.Cut(name, "/")
		return results.ID{Suite: suite, Class: t.Class, Name: name}
	}
	pool := harness.Pool{
		Lanes: how.Jobs, Open: t.Open, Opts: how.Opts,
		Announce: func(names []string) error {
			ids := make([]results.ID, len(names))
			for i, name := range names {
				ids[i] = id(name)
			}
			return rec.Start(ids...)
		},
		Report: func(o harness.Outcome) { rec.Outcome(id(o.Name).Suite, t.Class, t.Spec, o) },
		Shrink: chosen.budget,
		Shrunk: func(o harness.Outcome, small harness.Small) { rec.Shrunk(id(o.Name), t.Spec, o, small) },
	}
	rest := func(yield func(*prog.Prog) bool) {
		for p := range plan.Programs() {
			if !rec.Done(id(p.Name)) && !yield(p) {
				return
			}
		}
	}
	err := pool.Run(ctx, soft, iter.Seq[*prog.Prog](rest))
	if n := pool.Leaked.Load(); n > 0 {
		rec.screen.Println(fmt.Sprintf("%d workers on %s hang so that not even SIGKILL ends them; they were left behind", n, t.Spec))
	}
	return err
}
