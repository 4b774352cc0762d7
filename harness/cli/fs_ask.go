package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"faultline/targetfs/control"
)

// questions are the commands that ask the server of a mount. They answer while the mount hangs.
var questions = []struct {
	name, arg, doc string
}{
	{"glocks", "", "Print the glocks of a mount, in the format of the kernel's debugfs, also while it hangs"},
	{"cycle", "", "Say in words who waits for whom in a circle on a mount that hangs"},
	{"policy", "NAME", "Print what a mount does with user buffers, or change it"},
	{"counters", "", "Print what a mount counts: copies, retries, faults under a lock"},
}

// askPatience is how long a server may take to answer.
const askPatience = 10 * time.Second

func fsAskCommands() []*cobra.Command {
	var all []*cobra.Command
	for _, q := range questions {
		use, most := q.name+" DIR", 1
		if q.arg != "" {
			use, most = use+" ["+q.arg+"]", 2
		}
		all = append(all, &cobra.Command{
			Use: use, Short: q.doc,
			Args: func(cmd *cobra.Command, args []string) error {
				if len(args) < 1 || len(args) > most {
					return usage("%s takes the directory of a mount, found %d arguments", cmd.CommandPath(), len(args))
				}
				return nil
			},
			RunE: func(cmd *cobra.Command, args []string) error {
				return askServer(cmd.Context(), args[0], append([]string{q.name}, args[1:]...))
			},
		})
	}
	return all
}

// askServer prints the answer of the server of a mount.
func askServer(ctx context.Context, dir string, question []string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return usage("%v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	text, err := control.Ask(ctx, dir, question...)
	if err != nil {
		return usage("%v", err)
	}
	fmt.Print(text)
	return nil
}
