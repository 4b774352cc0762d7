package cli

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"faultline/harness/target"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what is missing on this machine, what each lack skips, and how to mend it",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
			lacking := 0
			for _, f := range target.Doctor(cmd.Context()) {
				mark := "ok"
				if !f.OK {
					mark = "LACKS"
					lacking++
				}
				fmt.Fprintf(out, "%s\t%s\t%s\n", mark, f.Name, f.Detail)
				if !f.OK {
					fmt.Fprintf(out, "\t\t  skips: %s\n", f.Skips)
					if f.Mend != "" {
						fmt.Fprintf(out, "\t\t  mend:  %s\n", strings.TrimSpace(f.Mend))
					}
				}
			}
			if err := out.Flush(); err != nil {
				return err
			}
			if lacking == 0 {
				fmt.Println("nothing is missing")
			} else {
				fmt.Printf("%d things are missing; what needs them is skipped with the reason, never failed\n", lacking)
			}
			return nil
		},
	}
}
