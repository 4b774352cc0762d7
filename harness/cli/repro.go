package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"faultline/generators/model"
	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/campaign"
	"faultline/harness/target"
	"faultline/results"
	"faultline/suites/regress"
)

type reproFlags struct {
	target  string
	times   int
	timeout time.Duration
	derive  bool
}

func reproCommand() *cobra.Command {
	f := &reproFlags{}
	cmd := &cobra.Command{
		Use:   "repro FILE.prog|NAME",
		Short: "Run one program and say what came of it",
		Long: `Run one program, from a file or from a family by its name, and say in words what came of it. The last line is the verdict. The exit code is
0 for a pass, 1 for a failure, 2 for a mistake of yours, 4 for a skip, 5 for one of ours.`,
		Example: `  faultline repro faultline-results/20260101-120000.000/failures/hang/program.prog --target dir:/mnt/test
  faultline repro regress/gfs2-self-read --times 20`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("repro takes one file or one name of a program, found %d arguments", len(args))
			}
			return nil
		},
		RunE:              func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), args[0]) },
		ValidArgsFunction: completeNames,
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.target, "target", "t", "", "file system to run on; default "+defaultTarget)
	flags.IntVarP(&f.times, "times", "n", 1, "how often")
	flags.DurationVar(&f.timeout, "timeout", 3*time.Second, "how long one step may take before the watcher looks at it")
	flags.BoolVar(&f.derive, "derive", false, "replace the expectations in the file by the model's")
	return cmd
}

func (f *reproFlags) run(ctx context.Context, what string) error {
	p, err := loadProgram(what)
	if err != nil {
		return err
	}
	switch {
	case f.times < 1:
		return usage("--times %d: wanted at least 1", f.times)
	case f.timeout < shortestTimeout:
		return usage("--timeout %v: wanted at least %v", f.timeout, shortestTimeout)
	}
	if f.derive {
		if err := model.Derive(p, int64(os.Getpagesize())); err != nil {
			return usage("%s: %v", what, err)
		}
	}
	if f.target == "" {
		f.target = defaultTarget
	}
	soft, hard, signalled := interrupts(ctx)
	open := func(ctx context.Context) (target.Target, error) { return target.Open(ctx, f.target, targetOptions) }
	r, err := harness.NewRunner(hard, open, harness.Options{Deadline: f.timeout, Repeats: -1})
	if err != nil {
		return openError(err)
	}
	var totals results.Totals
	totals.Planned = f.times
	var last harness.Outcome
	for n := 0; n < f.times && soft.Err() == nil; n++ {
		o := r.Run(hard, p)
		totals.Add(results.Case{Verdict: o.Verdict})
		if n == 0 || o.Verdict.Bad() {
			last = o
		}
		if o.Verdict == results.Skip {
			break
		}
	}
	if err := r.Close(context.WithoutCancel(hard)); err != nil {
		fmt.Fprintln(os.Stderr, "faultline: "+err.Error())
		totals.Add(results.Case{Verdict: closingVerdict(err)})
	}
	if signal := signalled(); signal != 0 {
		return exit{128 + int(signal), "interrupted"}
	}
	f.tell(last, totals)
	if last.Verdict == results.Skip {
		totals.Planned = 1
	}
	return exit{code: results.ExitCode(totals, 0)}
}

// closingVerdict is what the end of a target says: damage that a checker found is the file system's, all else is ours.
func closingVerdict(err error) results.Verdict {
	var damage *target.CheckError
	if errors.As(err, &damage) {
		return results.Wrong
	}
	return results.Broken
}

// tell prints the program, the evidence and, last, the verdict in words.
func (f *reproFlags) tell(o harness.Outcome, t results.Totals) {
	if o.Verdict != results.Pass && o.Verdict != results.Skip {
		fmt.Println(o.Prog)
		for _, s := range o.Evidence {
			fmt.Printf("--- %s\n%s\n", s.Name, strings.TrimRight(s.Text, "\n"))
		}
	}
	c := results.Case{Verdict: o.Verdict, Message: o.Message}
	line := c.Headline()
	if o.Verdict == results.Skip {
		line = "SKIP: " + line
	}
	if f.times > 1 {
		line += fmt.Sprintf(" (failed %d of %d)", t.Bad()+t.Broken, f.times)
	}
	fmt.Println(line)
}

// loadProgram reads a program from a file, or finds it by its name.
func loadProgram(what string) (*prog.Prog, error) {
	text, err := os.ReadFile(what)
	if errors.Is(err, os.ErrNotExist) {
		if p := campaign.Find(what, regress.Programs()); p != nil {
			return p, nil
		}
		return nil, usage("%s is neither a file nor the name of a program; see faultline list programs", what)
	}
	if err != nil {
		return nil, usage("%v", err)
	}
	p, err := prog.Parse(string(text))
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		return nil, usage("%s: %v", what, err)
	}
	return p, nil
}
