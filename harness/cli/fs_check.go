package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"faultline/results"
	"faultline/targetfs/image"
)

func fsCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check IMAGE",
		Short: "Check the consistency of a GFS2 image and change nothing: exit code 1 if there is a finding",
		Args:  imageArg,
		RunE:  func(_ *cobra.Command, args []string) error { return checkImage(args[0]) },
	}
}

// checkImage prints the findings as they come. As fsck.gfs2 it refuses a file system that is in use: half of a change would look like damage.
func checkImage(path string) error {
	f, size, err := openImage(path, openExclusively)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := lockImage(f, unix.LOCK_SH); err != nil {
		return imageError(path, err)
	}
	found := 0
	err = image.Check(f, size, func(finding image.Finding) {
		found++
		fmt.Println(finding)
	})
	if err != nil {
		return imageError(path, err)
	}
	if found > 0 {
		return exit{results.ExitFailed, fmt.Sprintf("%s: %d findings", path, found)}
	}
	fmt.Printf("%s is clean\n", path)
	return nil
}
