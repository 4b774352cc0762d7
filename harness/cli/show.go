package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"faultline/generators/prog"
)

func showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME|STEP",
		Short: "Print the text of a program, or what a step does with an example",
		Example: `  faultline show regress/gfs2-self-read
  faultline show preadv2`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("show takes one name of a program or of a step, found %d arguments", len(args))
			}
			return nil
		},
		ValidArgsFunction: completeNames,
		RunE: func(_ *cobra.Command, args []string) error {
			if op := prog.Ops[args[0]]; op != nil {
				fmt.Printf("%s\n    %s\n\n%s", op.Usage(), op.Doc, prog.Example(op.Name))
				return nil
			}
			p, err := loadProgram(args[0])
			if err != nil {
				return err
			}
			fmt.Print(p)
			return nil
		},
	}
}
