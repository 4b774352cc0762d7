package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"faultline/harness/guest/kernels"
)

func kernelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kernel",
		Short: "Fetch, list, add and remove the kernels that guests boot",
		Long: `Kernels for guests lie in the user's cache folder, or in $` + kernels.CacheEnv + `.

Fetched ones come out of Debian's packages, by apt-get, which checks their signatures; the system is not touched:
` + strings.Join(kernels.Known(), ", ") + `. VERSION is a release of a distribution kernel (6.1.0-50-amd64) or a series (6.1), of which
the newest is taken. Your own build is added from its tree.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no command %q of kernel; see faultline kernel --help", args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(kernelFetch(), kernelList(), kernelAdd(), kernelRemove())
	return cmd
}

func kernelFetch() *cobra.Command {
	var mirror string
	cmd := &cobra.Command{
		Use:   "fetch NAME...",
		Short: "Download kernels: " + strings.Join(kernels.Known(), ", "),
		Args:  someKernels,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, func(ctx context.Context, store *kernels.Store) error {
				for _, name := range args {
					k, err := store.Fetch(ctx, name, mirror, func(line string) {
						fmt.Fprintf(os.Stderr, "%s: %s\n", name, line)
					})
					if err != nil {
						return err
					}
					fmt.Println(k.Name, k.Release, k.Linux)
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&mirror, "mirror", "", "URI of a Debian mirror (default: that of this machine's apt)")
	return cmd
}

func kernelList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the kernels there are",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			store, err := kernels.Open()
			if err != nil {
				return err
			}
			all, err := store.List()
			if err != nil {
				return err
			}
			out := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
			fmt.Fprintln(out, "NAME\tKIND\tRELEASE\tFROM")
			for _, k := range all {
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", k.Name, k.Kind, k.Release, k.From)
			}
			return out.Flush()
		},
	}
}

func kernelAdd() *cobra.Command {
	var linux, modules string
	cmd := &cobra.Command{
		Use:   "add NAME --linux FILE [--modules DIR]",
		Short: "Add your own build: a UML program or a bzImage, and its modules",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("kernel add takes one name, found %d arguments", len(args))
			}
			if linux == "" {
				return usage("kernel add needs --linux FILE, the kernel or the tree that it was built in")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, func(ctx context.Context, store *kernels.Store) error {
				k, err := store.Add(ctx, args[0], linux, modules)
				if err != nil {
					return err
				}
				fmt.Println(k.Name, k.Release, k.Linux)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&linux, "linux", "", "a UML program, a bzImage, or the tree that it was built in")
	cmd.Flags().StringVar(&modules, "modules", "", "folder with modules.dep, or a built tree (default: the tree that --linux lies in)")
	return cmd
}

func kernelRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME...",
		Short: "Remove kernels from the cache folder",
		Args:  someKernels,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, func(ctx context.Context, store *kernels.Store) error {
				for _, name := range args {
					if err := store.Remove(ctx, name); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

// withStore does something with the user's kernels until it is done or interrupted.
func withStore(cmd *cobra.Command, do func(ctx context.Context, store *kernels.Store) error) error {
	store, err := kernels.Open()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = do(ctx, store)
	if errors.Is(err, context.Canceled) {
		return exit{128 + int(syscall.SIGINT), "interrupted"}
	}
	return err
}

func someKernels(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage("kernel %s takes names of kernels, found none; see faultline kernel --help", cmd.Name())
	}
	return nil
}
