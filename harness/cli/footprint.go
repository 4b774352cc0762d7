package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"faultline/harness/footprint"
	"faultline/harness/footprint/matrix"
	"faultline/harness/target"
	"faultline/results"
)

type footprintFlags struct {
	targets, ops, onlookers []string
	json, baseline          string
	prove, verbose          bool
	timeout                 time.Duration
}

func footprintCommand() *cobra.Command {
	f := &footprintFlags{}
	cmd := &cobra.Command{
		Use:   "footprint",
		Short: "Map which operations block while a system call is stopped in its user copy",
		Long: `Stop system calls in the middle of their user copy, with userfaultfd, and try what another process can do meanwhile. The table says which locks are
held over the copy. A page fault that blocks is a hazard: if the copy itself faults on such a page, it waits for itself for ever. What blocks
is tried three times. Where a baseline of the file-system type is known, what blocks beyond it is told. The exit code is 1 for a hazard, or for more than the baseline.`,
		Example: `  faultline footprint --target loop:ext4
  faultline footprint --target loop:xfs --ops pwrite,fiemap --json xfs.json
  faultline footprint diff old.json new.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.targets, "target", "t", nil, "file system to measure, may be repeated; default "+defaultTarget)
	flags.StringSliceVar(&f.ops, "ops", nil, "operations to stop; default all")
	flags.StringSliceVar(&f.onlookers, "onlookers", nil, "onlookers to try; default all")
	flags.StringVar(&f.json, "json", "", "file for the tables as JSON")
	flags.StringVar(&f.baseline, "baseline", "", "file for what blocks, in the form of the baselines that Faultline has")
	flags.BoolVar(&f.prove, "prove", false, "run the program of each hazard, to prove or refute it; in a guest, or on a file system of ours")
	flags.DurationVar(&f.timeout, "timeout", 3*time.Second, "how long one step may take before the watcher looks at it")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "say which cell is being measured")
	cmd.AddCommand(footprintDiffCommand())
	return cmd
}

func (f *footprintFlags) run(ctx context.Context) error {
	if f.timeout < shortestTimeout {
		return usage("--timeout %v: wanted at least %v", f.timeout, shortestTimeout)
	}
	if len(f.targets) == 0 {
		f.targets = []string{defaultTarget}
	}
	soft, _, signalled := interrupts(ctx)
	var all []*matrix.Footprint
	bad := false
	for _, spec := range f.targets {
		one, err := f.measure(soft, spec)
		if signal := signalled(); signal != 0 {
			return exit{128 + int(signal), "interrupted"}
		}
		if err != nil {
			return openError(err)
		}
		fmt.Print(footprint.Text(one))
		beyond, err := beyondBaseline(one)
		if err != nil {
			return usage("%v", err)
		}
		bad = bad || len(beyond) > 0 || len(one.Hazards) > 0
		all = append(all, one)
	}
	if err := f.write(all); err != nil {
		return usage("%v", err)
	}
	if bad {
		return exit{code: results.ExitFailed}
	}
	return nil
}

func (f *footprintFlags) measure(ctx context.Context, spec string) (*matrix.Footprint, error) {
	open := func(ctx context.Context) (target.Target, error) { return target.Open(ctx, spec, target.Options{}) }
	choice := footprint.Choice{Ops: f.ops, Onlookers: f.onlookers, Prove: f.prove, Deadline: f.timeout}
	if f.verbose {
		choice.Progress = func(op, onlooker string) { fmt.Fprintf(os.Stderr, "%s: %s beside %s\n", spec, onlooker, op) }
	}
	return footprint.Measure(ctx, open, choice)
}

// beyondBaseline prints where a lock is held that the baseline of the type of file system does not know of.
func beyondBaseline(one *matrix.Footprint) ([]string, error) {
	known, err := matrix.Known(one.FS)
	if known == nil || err != nil {
		return nil, err
	}
	lines := known.Beyond(one)
	for _, line := range lines {
		fmt.Println("BEYOND THE BASELINE " + line)
	}
	return lines, nil
}

// write writes the files that were asked for.
func (f *footprintFlags) write(all []*matrix.Footprint) error {
	if f.json != "" {
		if err := matrix.WriteFile(f.json, all); err != nil {
			return err
		}
	}
	if f.baseline == "" {
		return nil
	}
	text := ""
	for _, one := range all {
		text += one.Baseline()
	}
	return os.WriteFile(f.baseline, []byte(text), 0o666)
}

func footprintDiffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff OLD.json NEW.json",
		Short: "Say which cells of two footprints differ; exit code 1 if one got worse",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("footprint diff takes two files, found %d arguments", len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return diffFootprints(args[0], args[1]) },
	}
}

func diffFootprints(old, now string) error {
	before, err := matrix.ReadFile(old)
	if err != nil {
		return usage("%v", err)
	}
	after, err := matrix.ReadFile(now)
	if err != nil {
		return usage("%v", err)
	}
	pairs, err := matrix.Pair(before, after)
	if err != nil {
		return usage("%v", err)
	}
	worse := false
	for _, pair := range pairs {
		fmt.Println(pair.Title())
		for _, change := range pair.Changes() {
			fmt.Println("  " + change.String())
			worse = worse || change.Worse()
		}
	}
	if worse {
		return exit{code: results.ExitFailed}
	}
	return nil
}
