package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"faultline/harness/campaign"
	"faultline/harness/footprint"
	"faultline/harness/footprint/matrix"
	"faultline/harness/footprint/picture"
	"faultline/harness/target"
	"faultline/results"
)

// footprintFlags are the flags of footprint. The empty name of a file means none.
type footprintFlags struct {
	targets, ops, onlookers       []string
	json, html                    string
	baseline, writeBaseline, tint string
	prove, verbose                bool
	timeout                       time.Duration
}

func footprintCommand() *cobra.Command {
	f := &footprintFlags{}
	cmd := &cobra.Command{
		Use:   "footprint",
		Short: "Map which operations block while a system call is stopped in its user copy",
		Long: `Stop system calls in the middle of their user copy, with userfaultfd or a FUSE file, and try what another process can do meanwhile. The table says which locks are
held over the copy. A page fault that blocks is a hazard: if the copy itself faults on such a page, it waits for itself for ever. What blocks
is tried three times. Faultline has baselines of some types of file system (or --baseline FILE): what blocks beyond it is told in one line.
The exit code is 1 for a hazard, a deadlock, or a lock that the baseline does not know of, 4 if nothing could be stopped, and 5 if cells could not be measured.`,
		Example: `  faultline footprint --target loop:ext4
  faultline footprint --target loop:xfs --ops pwrite,fiemap --json xfs.json --html xfs.html
  faultline footprint diff old.json new.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.targets, "target", "t", nil, "file system to measure, may be repeated; default "+defaultTarget)
	flags.StringSliceVar(&f.ops, "ops", nil, "operations to stop; default all")
	flags.StringSliceVar(&f.onlookers, "onlookers", nil, "onlookers to try; default all")
	flags.StringVar(&f.json, "json", "", "file for the tables as JSON, which footprint diff reads")
	flags.StringVar(&f.html, "html", "", "file for the tables as heat maps, in one HTML page")
	flags.StringVar(&f.baseline, "baseline", "", "baseline to hold the table against, instead of the one of its type of file system")
	flags.StringVar(&f.writeBaseline, "write-baseline", "", "file for what blocks, to be a baseline; with one target")
	flags.BoolVar(&f.prove, "prove", false, "run the program of each hazard, to prove or refute it; in a guest, or on a file system of ours")
	flags.DurationVar(&f.timeout, "timeout", 3*time.Second, "how long one step may take before the watcher looks at it")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "say what came of each cell")
	flags.StringVar(&f.tint, "color", "auto", "auto, always or never")
	stallWithFlag(cmd)
	cmd.AddCommand(footprintDiffCommand())
	return cmd
}

// check completes the flags and refuses what cannot be.
func (f *footprintFlags) check() error {
	if len(f.targets) == 0 {
		f.targets = []string{defaultTarget}
	}
	switch {
	case f.timeout < shortestTimeout:
		return usage("--timeout %v: wanted at least %v", f.timeout, shortestTimeout)
	case f.tint != "auto" && f.tint != "always" && f.tint != "never":
		return usage("--color %s: wanted auto, always or never", f.tint)
	case f.writeBaseline != "" && len(f.targets) != 1:
		return usage("--write-baseline is for one target, found %d", len(f.targets))
	}
	return nil
}

func (f *footprintFlags) run(ctx context.Context) error {
	if err := f.check(); err != nil {
		return err
	}
	against := matrix.Known
	if f.baseline != "" {
		b, err := matrix.ReadBaseline(f.baseline)
		if err != nil {
			return usage("%v", err)
		}
		against = func(string) (*matrix.Baseline, error) { return b, nil }
	}
	soft, _, signalled := interrupts(ctx)
	all, code, err := f.tables(soft, against)
	if writeErr := f.write(all); writeErr != nil {
		return usage("%v", writeErr)
	}
	if signal := signalled(); signal != 0 {
		return exit{128 + int(signal), "interrupted: what was measured so far is above"}
	}
	if err != nil {
		return err
	}
	return exit{code: code}
}

// tables measures the targets, one after the other, and prints their tables. The error comes with those that there are by then, the last perhaps cut short.
func (f *footprintFlags) tables(ctx context.Context, against func(fs string) (*matrix.Baseline, error)) (all []*matrix.Footprint, code int, err error) {
	for _, spec := range f.targets {
		one, err := f.measure(ctx, spec)
		if one == nil {
			return all, code, openError(err)
		}
		fmt.Print(picture.Text(one, campaign.Colour(os.Stdout, f.tint)))
		all = append(all, one)
		if err != nil {
			return all, code, openError(err)
		}
		known, err := against(one.FS)
		if err != nil {
			return all, code, usage("%v", err)
		}
		code = graver(code, judge(one, known))
	}
	return all, code, nil
}

// judge prints where locks are held that the baseline, if there is one, does not know of, and returns the exit code of one table.
func judge(one *matrix.Footprint, known *matrix.Baseline) int {
	beyond := false
	if known != nil {
		for _, line := range known.Beyond(one) {
			fmt.Println("BEYOND THE BASELINE: " + line)
			beyond = true
		}
	}
	has := func(o matrix.Outcome) bool {
		return slices.ContainsFunc(one.Cells, func(c matrix.Cell) bool { return c.Outcome == o })
	}
	stopped := func(c matrix.Cell) bool { return c.Outcome != matrix.Skipped && c.Outcome != matrix.Untouched }
	switch {
	case beyond, len(one.Hazards) > 0, has(matrix.Deadlocks):
		return results.ExitFailed
	case has(matrix.Broken):
		return results.ExitIncomplete
	case !slices.ContainsFunc(one.Cells, stopped):
		return results.ExitSkipped
	}
	return results.ExitOK
}

// graver is the exit code of two tables: a failure says more than one that could not be measured, and that more than one where all was skipped.
func graver(a, b int) int {
	order := []int{results.ExitOK, results.ExitSkipped, results.ExitIncomplete, results.ExitFailed}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

func (f *footprintFlags) measure(ctx context.Context, spec string) (*matrix.Footprint, error) {
	open := func(ctx context.Context) (target.Target, error) { return target.Open(ctx, spec, targetOptions) }
	screen := campaign.NewScreen(os.Stderr, f.tint)
	defer screen.Wipe()
	choice := footprint.Choice{Ops: f.ops, Onlookers: f.onlookers, Prove: f.prove, Deadline: f.timeout}
	choice.Progress = func(c *matrix.Cell, done, all int) {
		if f.verbose {
			screen.Println(fmt.Sprintf("%s: %s beside %s: %s", spec, c.Onlooker, c.Stopped, c.Outcome))
		}
		screen.Progress(done, all)
	}
	return footprint.Measure(ctx, open, choice)
}

// write writes the files that were asked for.
func (f *footprintFlags) write(all []*matrix.Footprint) error {
	if f.json != "" {
		if err := matrix.WriteFile(f.json, all); err != nil {
			return err
		}
	}
	if f.writeBaseline != "" && len(all) == 1 {
		if all[0].Cut != "" {
			return fmt.Errorf("write the baseline: %s was %s", all[0].Target, all[0].Cut)
		}
		if err := os.WriteFile(f.writeBaseline, []byte(all[0].Baseline()), 0o666); err != nil {
			return fmt.Errorf("write the baseline: %w", err)
		}
	}
	if f.html == "" {
		return nil
	}
	return writeHTML(f.html, all)
}

func writeHTML(name string, all []*matrix.Footprint) error {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("write the heat map: %w", err)
	}
	if err := picture.HTML(file, all); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
