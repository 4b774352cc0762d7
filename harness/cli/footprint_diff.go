package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"faultline/harness/footprint/matrix"
	"faultline/results"
)

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
	worse, same := false, true
	for _, pair := range pairs {
		fmt.Println(pair.Title())
		for _, change := range pair.Changes() {
			fmt.Println("  " + change.String())
			worse, same = worse || change.Worse(), false
		}
		for _, change := range pair.Copies() {
			fmt.Println("  " + change.String())
			worse, same = worse || change.Worse(), false
		}
	}
	if same {
		fmt.Println("no cell differs")
	}
	if worse {
		return exit{code: results.ExitFailed}
	}
	return nil
}
