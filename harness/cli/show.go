package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"faultline/generators/emit"
	"faultline/generators/entry"
	"faultline/generators/prog"
	"faultline/generators/structs"
)

func showCommand() *cobra.Command {
	asC := false
	cmd := &cobra.Command{
		Use:   "show NAME|STEP|REQUEST",
		Short: "Print the text of a program, or what a step does or a request of ioctl(2) is, with an example",
		Example: `  faultline show regress/gfs2-self-read
  faultline show regress/gfs2-self-read --c > repro.c
  faultline show preadv2
  faultline show fiemap`,
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
			if r := prog.Requests[args[0]]; r != nil && !asC {
				fmt.Print(requestText(r))
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

// requestText says what a request of ioctl(2) is, with a program that makes it.
func requestText(r *prog.Request) string {
	var fields []string
	for _, f := range prog.Structs[r.Struct].Fields {
		fields = append(fields, f.Name)
	}
	text := fmt.Sprintf("ioctl(fd, %s, buf)\n    ioctl(2) %s; buf begins with %s{%s}; needs %s\n", r.Name, r.C, r.Struct, strings.Join(fields, ", "), r.Need)
	for i := range entry.Calls {
		if c := &entry.Calls[i]; strings.Contains(c.Do, ", "+r.Name+", ") {
			return fmt.Sprintf("%s\n%s", text, structs.Family.Find("structs/"+c.Name+"/shared/self/inside/cold"))
		}
	}
	return text
}
