// Package cli is the command line: one file a command. A user's mistake is one line on standard error that says what and how to mend it, and
// exit code 2; the other exit codes are those of package results. It may import everything but suites with specs in them.
//
//	func main() {
//		self.Dispatch()
//		os.Exit(cli.Main(os.Args[1:]))
//	}
package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"faultline/results"
)

// exit is an error that carries an exit code. Without a message it has said all there is to say.
type exit struct {
	code int
	msg  string
}

func (e exit) Error() string { return e.msg }

// usage is a mistake of the user's.
func usage(format string, args ...any) error {
	return exit{results.ExitUsage, fmt.Sprintf(format, args...)}
}

// Main runs the command that args name and returns the exit code.
func Main(args []string) int {
	root := Root()
	root.SetArgs(args)
	err := root.Execute()
	var e exit
	switch {
	case err == nil:
		return results.ExitOK
	case errors.As(err, &e):
		if e.msg != "" {
			fmt.Fprintln(os.Stderr, "faultline: "+e.msg)
		}
		return e.code
	}
	fmt.Fprintln(os.Stderr, "faultline: "+strings.TrimSpace(err.Error()))
	return results.ExitUsage
}

// Root is the tree of commands.
func Root() *cobra.Command {
	root := &cobra.Command{
		Use:   "faultline",
		Short: "Find deadlocks, hangs and corruptions in file systems when a system call's buffer is a mapping that faults",
		Long: `Faultline runs generated programs on a file system: short lists of system calls whose user buffers are mappings of files, so that touching
them faults while the file system is at work. It tells from outside whether a call hangs, spins or returns what it must not.

Start with "faultline run", then point it at a directory on your file system: "faultline run --target dir:/mnt/test".`,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no command %q; see faultline --help", args[0])
			}
			return cmd.Help()
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%v; see %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(runCommand(), reproCommand(), shrinkCommand(), footprintCommand(), listCommand(), showCommand(), kernelCommand(), doctorCommand(), fsCommand(), versionCommand())
	refuseUnknownShells(root)
	return root
}

// refuseUnknownShells keeps cobra's completion command from answering a shell it does not know with its help and exit code 0.
func refuseUnknownShells(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	completion, _, err := root.Find([]string{"completion"})
	if err != nil {
		return
	}
	completion.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	completion.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("there is no completion for %q; there is for bash, fish, powershell and zsh", args[0])
		}
		return nil
	}
}

// noArgs refuses arguments with a line that says so.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no argument, found %q", cmd.CommandPath(), args[0])
	}
	return nil
}
