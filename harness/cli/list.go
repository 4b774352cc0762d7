package cli

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"faultline/generators"
	"faultline/generators/family"
	"faultline/generators/prog"
	"faultline/harness/campaign"
	"faultline/harness/target"
	"faultline/suites/regress"
)

func listCommand() *cobra.Command {
	sel := campaign.Selection{Regressions: regress.Programs()}
	subjects := []string{"families", "programs", "steps", "targets", "groups", "needs"}
	cmd := &cobra.Command{
		Use:       "list families|programs|steps|targets|groups|needs",
		Short:     "List what there is",
		ValidArgs: subjects,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("list takes one of %s", strings.Join(subjects, " "))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			out := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
			defer out.Flush()
			switch args[0] {
			case "families":
				listFamilies(out)
			case "programs":
				return listPrograms(sel)
			case "steps":
				for _, name := range prog.OpNames() {
					fmt.Fprintf(out, "%s\t%s\n", prog.Ops[name].Usage(), prog.Ops[name].Doc)
				}
			case "targets":
				for _, k := range target.Kinds() {
					fmt.Fprintf(out, "%s\t%s\n\t  %s\n", k.Name, k.Doc, k.Usage)
				}
			case "groups":
				for _, g := range campaign.Groups() {
					fmt.Fprintln(out, g)
				}
			case "needs":
				for _, n := range prog.Needs {
					fmt.Fprintf(out, "%s\t%s\n", n.Name, n.Doc)
				}
			default:
				return usage("there is no list of %q; wanted one of %s", args[0], strings.Join(subjects, " "))
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVarP(&sel.Groups, "group", "g", []string{"quick"}, "for programs: groups to list")
	flags.StringSliceVarP(&sel.Exclude, "exclude", "x", nil, "for programs: groups to leave out")
	flags.StringVar(&sel.Filter, "filter", "", "for programs: by name, as for run")
	flags.Uint64Var(&sel.Seed, "seed", family.DefaultSeed, "for programs: seed of every random choice")
	return cmd
}

func listFamilies(out *tabwriter.Writer) {
	fmt.Fprintf(out, "FAMILY\tALL\tQUICK\tWHAT\n")
	for _, f := range generators.All {
		all, quick, _ := f.Count()
		fmt.Fprintf(out, "%s\t%d\t%d\t%s\n", f.Name, all, quick, f.Doc)
		for _, d := range f.Dims {
			fmt.Fprintf(out, "  %s\t\t\t%s: %s\n", d.Name, d.Doc, strings.Join(d.Values, " "))
		}
	}
}

func listPrograms(sel campaign.Selection) error {
	plan, err := campaign.NewPlan(sel)
	if err != nil {
		return usage("%v", err)
	}
	for p := range plan.Programs() {
		fmt.Println(p.Name)
	}
	return nil
}

// completeNames completes the names of quick programs for the shell.
func completeNames(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	plan, err := campaign.NewPlan(campaign.Selection{Groups: []string{"quick"}, Seed: family.DefaultSeed, Regressions: regress.Programs()})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for p := range plan.Programs() {
		if strings.HasPrefix(p.Name, typed) {
			names = append(names, p.Name)
		}
	}
	return names, cobra.ShellCompDirectiveDefault
}
