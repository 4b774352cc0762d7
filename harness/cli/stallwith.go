package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"faultline/harness/target"
)

// stallWithFlag adds the flag that forces a way to stop system calls. The value goes to the environment, so that the processes of a suite know it too.
func stallWithFlag(cmd *cobra.Command) {
	cmd.Flags().Func("stall-with", "how to stop system calls in their user copy: "+target.WithUserfaultfd+", or "+target.WithFUSE+
		" for a FUSE file whose pages arrive on demand; default userfaultfd where it is there (or $"+target.StallWithEnv+")",
		func(way string) error {
			if way != target.WithUserfaultfd && way != target.WithFUSE {
				return fmt.Errorf("wanted %s or %s", target.WithUserfaultfd, target.WithFUSE)
			}
			return os.Setenv(target.StallWithEnv, way)
		})
}
