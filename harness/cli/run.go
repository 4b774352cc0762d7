package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"faultline/generators/family"
	"faultline/harness"
	"faultline/harness/campaign"
	"faultline/harness/guest"
	"faultline/harness/target"
	"faultline/results"
	"faultline/suites/regress"
)

// runFlags are the flags of run. What chooses the cases is recorded in the journal, so that --resume needs no flags.
type runFlags struct {
	targets, groups, exclude []string
	filter                   string
	seed                     uint64
	jobs, repeat, shrink     int
	timeout                  time.Duration
	junit, results, suite    string
	resume, verbose          bool
	colour                   string
}

func runCommand() *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run programs on file systems and write JUnit",
		Example: `  faultline run                                  the quick programs on the bundled GFS2, over FUSE
  faultline run --target dir:/mnt/test           on a mounted file system, without root
  faultline run --target loop:xfs --group auto   everything, on a fresh image
  faultline run --filter 'selfio && direct'      those with both words in their names
  faultline run --resume --results DIR           go on after a crash`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.register(cmd)
	stallWithFlag(cmd)
	return cmd
}

func (f *runFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.targets, "target", "t", nil, "file system to run on, may be repeated (see faultline list targets); default "+defaultTarget)
	flags.StringSliceVarP(&f.groups, "group", "g", []string{"quick"}, "groups to run: quick, auto (everything), a family or a label")
	flags.StringSliceVarP(&f.exclude, "exclude", "x", nil, "groups to leave out")
	flags.StringVar(&f.filter, "filter", "", "programs to run, by name: words with !, &&, ||, (); patterns with *; /regular expressions/")
	flags.Uint64Var(&f.seed, "seed", family.DefaultSeed, "seed of every random choice")
	flags.IntVarP(&f.jobs, "jobs", "j", runtime.NumCPU(), "how many programs run at the same time, each on a target of its own")
	flags.DurationVar(&f.timeout, "timeout", 3*time.Second, "how long one step may take before the watcher looks at it")
	flags.IntVar(&f.repeat, "repeat", 4, "how often a failure is run again to find its rate; 0 for never")
	flags.IntVar(&f.shrink, "shrink", 60, fmt.Sprintf("how many smaller programs are tried for the first failure of each kind, for a hang one in %d of that; 0 for none", campaign.HangShare))
	flags.StringVar(&f.junit, "junit", "", "JUnit file (default DIR/junit.xml)")
	flags.StringVar(&f.results, "results", "", "folder for journal, JUnit and failures (default faultline-results/TIME)")
	flags.BoolVar(&f.resume, "resume", false, "go on with the run in --results after it was killed")
	flags.StringVar(&f.suite, "suite", "", "run the Ginkgo suite of this folder instead of the families")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "a line for every program")
	flags.StringVar(&f.colour, "color", "auto", "auto, always or never")
}

// defaultTarget is where programs run when nobody says where: the bundled GFS2 on a fresh image.
const defaultTarget = "fuse"

// shortestTimeout is the least that --timeout may be: on a busy machine an innocent step takes longer.
const shortestTimeout = 100 * time.Millisecond

// choosing are the flags that say which cases a run has.
var choosing = []string{"target", "group", "exclude", "filter", "seed", "suite"}

func (f *runFlags) run(cmd *cobra.Command) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	selection := campaign.Selection{Groups: f.groups, Exclude: f.exclude, Filter: f.filter, Seed: f.seed, Regressions: regress.Programs()}
	plan, err := campaign.NewPlan(selection)
	if err != nil {
		return usage("%v", err)
	}
	planned := 0
	if f.suite == "" {
		if planned = plan.Count() * len(f.targets); planned == 0 {
			return exit{results.ExitNothing, "nothing to run: " + selection.WhyNothing()}
		}
	}
	if f.jobs, err = fitJobs(f.jobs, cmd.Flags().Changed("jobs"), f.targets, guest.Meminfo); err != nil {
		return err
	}
	soft, hard, signalled := interrupts(cmd.Context())
	targets, err := f.open(hard)
	defer closeTargets(targets)
	if err != nil {
		return err
	}
	screen := campaign.NewScreen(os.Stdout, f.colour)
	screen.Verbose = f.verbose
	rec, err := campaign.NewRecorder(campaign.Record{Dir: f.results, JUnit: f.junit, Resume: f.resume, Screen: screen}, f.header(planned, targets))
	if err != nil {
		return usage("%v", err)
	}
	f.greet(cmd, screen, targets, planned)
	if f.suite != "" {
		err = campaign.RunSuite(hard, soft, f.suite, targets, rec, f.how())
	} else {
		err = campaign.Run(hard, soft, plan, targets, rec, f.how())
	}
	code, finishErr := rec.Finish(signalled())
	if err = errors.Join(err, finishErr); err != nil {
		fmt.Fprintln(os.Stderr, "faultline: "+err.Error())
		code = incomplete(code)
	}
	fmt.Printf("results: %s\n", f.results)
	return exit{code: code}
}

// incomplete is the exit code of a run whose results could not all be kept: a failure or an interruption still says more.
func incomplete(code int) int {
	if code == results.ExitFailed || code > results.ExitIncomplete {
		return code
	}
	return results.ExitIncomplete
}

// check completes the flags and refuses what cannot be.
func (f *runFlags) check(cmd *cobra.Command) error {
	switch {
	case f.jobs < 1:
		return usage("--jobs %d: wanted at least 1", f.jobs)
	case f.timeout < shortestTimeout:
		return usage("--timeout %v: wanted at least %v", f.timeout, shortestTimeout)
	case f.repeat < 0:
		return usage("--repeat %d: wanted 0 or more", f.repeat)
	case f.shrink < 0:
		return usage("--shrink %d: wanted 0 or more", f.shrink)
	case f.colour != "auto" && f.colour != "always" && f.colour != "never":
		return usage("--color %s: wanted auto, always or never", f.colour)
	case f.resume && f.results == "":
		return usage("--resume needs --results DIR, the folder of the run to go on with")
	}
	if tests, _ := filepath.Glob(filepath.Join(f.suite, "*_test.go")); f.suite != "" && tests == nil {
		return usage("--suite %s: there is no Go test in it; see suites/example for one", f.suite)
	}
	if f.resume {
		if err := f.recall(cmd); err != nil {
			return err
		}
	}
	if len(f.targets) == 0 {
		f.targets = []string{defaultTarget}
	}
	if f.results == "" {
		f.results = filepath.Join("faultline-results", time.Now().Format("20060102-150405.000"))
	}
	return nil
}

// recall takes the choosing flags from the journal of the run that is resumed.
func (f *runFlags) recall(cmd *cobra.Command) error {
	for _, name := range choosing {
		if cmd.Flags().Changed(name) {
			return usage("--%s cannot be given with --resume: the run goes on with what it began with", name)
		}
	}
	header, err := results.ReadHeader(campaign.JournalPath(f.results))
	if err != nil {
		return usage("resume %s: %v", f.results, err)
	}
	old := &runFlags{}
	again := &cobra.Command{}
	old.register(again)
	if err := again.ParseFlags(header.Args); err != nil {
		return usage("resume %s: the journal's arguments: %v", f.results, err)
	}
	f.targets, f.groups, f.exclude, f.filter, f.seed, f.suite = header.Targets, old.groups, old.exclude, old.filter, header.Seed, old.suite
	return nil
}

func (f *runFlags) header(planned int, targets []*campaign.Target) results.Header {
	h := results.Header{Version: version(), Seed: f.seed, Targets: f.targets, Start: time.Now(), Planned: planned}
	for _, t := range targets {
		facts := t.Facts()
		h.Mounts = append(h.Mounts, results.Mount{Target: t.Spec, Type: facts.Type, Options: facts.Options, Kernel: facts.Kernel, Stalls: facts.Stalls})
	}
	for _, g := range f.groups {
		h.Args = append(h.Args, "--group", g)
	}
	for _, x := range f.exclude {
		h.Args = append(h.Args, "--exclude", x)
	}
	h.Args = append(h.Args, "--filter", f.filter, "--suite", f.suite)
	h.Host, _ = os.Hostname()
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		h.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	return h
}

func (f *runFlags) how() campaign.Runs {
	o := harness.Options{Deadline: f.timeout, Repeats: f.repeat}
	if f.repeat == 0 {
		o.Repeats = -1
	}
	return campaign.Runs{Jobs: f.jobs, Opts: o, Shrink: f.shrink}
}

// open opens every target, so that what is missing is said before anything runs.
func (f *runFlags) open(ctx context.Context) (all []*campaign.Target, err error) {
	seen := map[string]bool{}
	for _, spec := range f.targets {
		t, err := campaign.OpenTarget(ctx, spec, targetOptions)
		if err != nil {
			return all, openError(err)
		}
		all = append(all, t)
		if seen[t.Class] {
			return all, usage("two targets are both %s; results could not be told apart", t.Class)
		}
		seen[t.Class] = true
	}
	return all, nil
}

// targetOptions are those of all commands that open targets.
var targetOptions = target.Options{Tell: func(err error) { fmt.Fprintf(os.Stderr, "faultline: tried again: %v\n", err) }}

// openError is what is told of a target that cannot be had: the user's to mend, or not ours to judge.
func openError(err error) error {
	var hung *target.Hung
	if errors.As(err, &hung) {
		return exit{results.ExitIncomplete, err.Error()}
	}
	var missing *target.Missing
	if errors.As(err, &missing) && missing.Spec == defaultTarget {
		return usage("%v; a directory needs none of this: --target dir:PATH", err)
	}
	return usage("%v", err)
}

func closeTargets(all []*campaign.Target) {
	for _, t := range all {
		if err := t.Close(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "faultline: "+err.Error())
		}
	}
}

// greet says what runs, as check of xfstests does.
func (f *runFlags) greet(cmd *cobra.Command, s *campaign.Screen, targets []*campaign.Target, planned int) {
	h := f.header(planned, targets)
	for _, t := range targets {
		facts := t.Facts()
		s.Println(fmt.Sprintf("TARGET        -- %s (%s on %s)", t.Spec, facts.Type, facts.Device))
		s.Println(fmt.Sprintf("MOUNT_OPTIONS -- %s", facts.Options))
		if facts.Guest {
			s.Println("KERNEL        -- " + facts.Kernel)
		}
		if facts.Stalls == target.WithFUSE {
			s.Println("STALLS        -- FUSE files")
		}
		if facts.Note != "" {
			s.Println("NOTE          -- " + facts.Note)
		}
		if cmd.Flags().Changed("target") && !facts.Guest && onDevice(f.results, facts.Number) {
			fmt.Fprintf(os.Stderr, "faultline: %s is on the file system under test; --results elsewhere survives what that may do\n", f.results)
		}
	}
	s.Println(fmt.Sprintf("PLATFORM      -- Linux/%s %s %s", runtime.GOARCH, h.Host, h.Kernel))
	if f.suite != "" {
		s.Println("SUITE         -- " + f.suite)
		return
	}
	s.Println(fmt.Sprintf("PROGRAMS      -- %d, group %s, seed %d, %d at a time", planned, strings.Join(f.groups, ","), f.seed, f.jobs))
}

// onDevice reports whether a folder is on the device with the number "major:minor".
func onDevice(dir, number string) bool {
	var st unix.Stat_t
	return unix.Stat(dir, &st) == nil && fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)) == number
}

// interrupts turns the first ^C or SIGTERM into the end of soft, and the second into the end of hard. signalled is the first signal, or 0.
func interrupts(ctx context.Context) (soft, hard context.Context, signalled func() syscall.Signal) {
	hard, kill := context.WithCancel(ctx)
	soft, stop := context.WithCancel(hard)
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM)
	first := make(chan syscall.Signal, 1)
	go func() {
		s := <-ch
		first <- s.(syscall.Signal)
		fmt.Fprintln(os.Stderr, "\nfaultline: finishing what is running; once more to stop at once")
		stop()
		<-ch
		kill()
	}()
	return soft, hard, func() syscall.Signal {
		select {
		case s := <-first:
			return s
		default:
			return 0
		}
	}
}
