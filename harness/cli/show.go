package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"faultline/generators/emit"
	"faultline/generators/prog"
)

func showCommand() *cobra.Command {
	asC := false
	cmd := &cobra.Command{
		Use:   "show NAME|STEP",
		Short: "Print the text of a program, or what a step does with an example",
		Example: `  faultline show regress/gfs2-self-read
  faultline show regress/gfs2-self-read --c > repro.c
  faultline show preadv2`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("show takes one name of a program or of a step, found %d arguments", len(args))
			}
			return nil
		},
		ValidArgsFunction: completeNames,
		RunE: func(_ *cobra.Command, args []string) error {
			if op := prog.Ops[args[0]]; op != nil && !asC {
				fmt.Printf("%s\n    %s\n\n%s", op.Usage(), op.Doc, prog.Example(op.Name))
				return nil
			}
			p, err := loadProgram(args[0])
			if err != nil {
				return err
			}
			if asC {
				fmt.Print(emit.C(p))
				return nil
			}
			fmt.Print(p)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asC, "c", false, "print the program as a C file")
	return cmd
}
