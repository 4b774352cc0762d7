package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/campaign"
	"faultline/harness/target"
	"faultline/results"
)

type shrinkFlags struct {
	target, out string
	tries       int
	timeout     time.Duration
}

func shrinkCommand() *cobra.Command {
	f := &shrinkFlags{}
	cmd := &cobra.Command{
		Use:   "shrink FILE.prog|NAME",
		Short: "Make a program that fails smaller",
		Long: `Make a program that fails smaller: steps, actors, files, flags and bytes are left out as long as the same operation fails with the same verdict.
Expectations are the model's. The small program is printed; "faultline show FILE --c" makes C of it. The exit code is 0 for a program that
failed, 3 for one that passed, 4 for a skip.`,
		Example: `  faultline shrink faultline-results/20260101-120000.000/failures/wrong/program.prog --target loop:ext4
  faultline shrink regress/gfs2-self-read --target planted:block-read --out small.prog`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("shrink takes one file or one name of a program, found %d arguments", len(args))
			}
			return nil
		},
		RunE:              func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), args[0]) },
		ValidArgsFunction: completeNames,
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.target, "target", "t", "", "file system to run on; default "+defaultTarget)
	flags.IntVar(&f.tries, "tries", 300, fmt.Sprintf("how many smaller programs are run; for a hang one in %d of that", campaign.HangShare))
	flags.DurationVar(&f.timeout, "timeout", 3*time.Second, "how long one step may take before the watcher looks at it")
	flags.StringVar(&f.out, "out", "", "file for the small program, instead of standard output")
	return cmd
}

func (f *shrinkFlags) run(ctx context.Context, what string) error {
	p, err := loadProgram(what)
	switch {
	case err != nil:
		return err
	case f.tries < 1:
		return usage("--tries %d: wanted at least 1", f.tries)
	case f.timeout < shortestTimeout:
		return usage("--timeout %v: wanted at least %v", f.timeout, shortestTimeout)
	case f.target == "":
		f.target = defaultTarget
	}
	soft, hard, signalled := interrupts(ctx)
	open := func(ctx context.Context) (target.Target, error) { return target.Open(ctx, f.target, targetOptions) }
	r, err := harness.NewRunner(hard, open, harness.Options{Deadline: f.timeout, Repeats: -1})
	if err != nil {
		return openError(err)
	}
	o, small := f.shrink(soft, r, p)
	if err := r.Close(context.WithoutCancel(hard)); err != nil {
		fmt.Fprintln(os.Stderr, "faultline: "+err.Error())
	}
	if signal := signalled(); signal != 0 {
		return exit{128 + int(signal), "interrupted"}
	}
	if !o.Verdict.Bad() {
		return nothingToShrink(o)
	}
	return f.tell(p, small)
}

// shrink runs the program, and makes it smaller if it fails.
func (f *shrinkFlags) shrink(ctx context.Context, r *harness.Runner, p *prog.Prog) (o harness.Outcome, small harness.Small) {
	if o = r.Run(ctx, p); !o.Verdict.Bad() {
		return o, small
	}
	fmt.Fprintf(os.Stderr, "%s\n", results.Case{Verdict: o.Verdict, Message: o.Message}.Headline())
	budget := campaign.Budget(f.tries, o.Verdict)
	budget.Time = time.Hour // the tries are the bound, and ^C
	return o, r.Shrink(ctx, o, budget)
}

// nothingToShrink says why, with the exit code of the verdict.
func nothingToShrink(o harness.Outcome) error {
	line := results.Case{Verdict: o.Verdict, Message: o.Message}.Headline()
	switch o.Verdict {
	case results.Pass:
		return exit{results.ExitNothing, "nothing to shrink: " + o.Name + " passed"}
	case results.Skip:
		return exit{results.ExitSkipped, "skipped: " + line}
	}
	return exit{results.ExitIncomplete, line}
}

// tell prints the small program to where it is wanted, and how it came to be to standard error.
func (f *shrinkFlags) tell(p *prog.Prog, small harness.Small) error {
	described := campaign.Described(small, f.target)
	if f.out == "" {
		fmt.Print(described)
	} else if err := os.WriteFile(f.out, []byte(described.String()), 0o666); err != nil {
		return usage("%v", err)
	}
	change := fmt.Sprintf("%d steps became %d", len(p.Steps), len(small.Prog.Steps))
	if !small.Shrunk(p) {
		change = "nothing smaller fails in the same way"
	}
	fmt.Fprintf(os.Stderr, "%s, in %d tries; failed in %d of %d runs\n", change, small.Tries, small.Failed, small.Runs)
	return nil
}
