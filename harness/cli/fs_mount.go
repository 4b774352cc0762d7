package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"faultline/harness/mount"
)

func fsMountCommand() *cobra.Command {
	var a mount.Args
	var options []string
	foreground := false
	cmd := &cobra.Command{
		Use:   "mount IMAGE DIR...",
		Short: "Mount a GFS2 image over FUSE; umount DIR ends it",
		Long: `Mount a GFS2 image over FUSE and serve it in the background, as root or with fusermount3. umount(8), fusermount3 -u or SIGTERM end the
server; what it has is on the disk then, and the journal is clean. After a crash the next mount replays the journal.

Options, with commas between them: ro, noatime, allow_other, default_permissions (root's rights are checked as well), suid, dev, journal=N
(the one that takes the changes), quota=off|account|on, copy=kernel|faulting|recursive|nofault (what is done to the user's buffer while the
inode is locked, see the README), switchable (copy may be changed later), nodes=N (several mounts, as on so many machines: a DIR for each).`,
		Example: `  faultline fs mount gfs2.img /mnt -o noatime
  faultline fs mount gfs2.img /mnt/a /mnt/b -o nodes=2`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage("%s takes an image and a directory, found %d arguments", cmd.CommandPath(), len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			a.Image, a.Dirs, a.Options = args[0], args[1:], strings.Join(options, ",")
			if foreground {
				if err := mount.Foreground(a); err != nil {
					return usage("%v", err)
				}
				return nil
			}
			pid, err := mount.Background(a)
			if err != nil {
				return usage("%v", err)
			}
			fmt.Printf("%s is mounted on %s, served by process %d\n", a.Image, strings.Join(a.Dirs, " and "), pid)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&options, "options", "o", nil, "mount options, with commas between them")
	flags.BoolVarP(&foreground, "foreground", "f", false, "serve in this process until it is unmounted")
	flags.StringVar(&a.Log, "log", "", "file for errors of the image; by default the system log, or standard error in the foreground")
	return cmd
}
