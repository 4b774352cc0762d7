package cli

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"faultline/targetfs/image"
)

// dumps are the things that fs dump prints. The argument is "" where none is taken.
var dumps = []struct {
	name, arg string
	print     func(d *image.Dump, arg string) error
}{
	{"sb", "", func(d *image.Dump, _ string) error { return d.Superblock() }},
	{"rgs", "", func(d *image.Dump, _ string) error { return d.Groups() }},
	{"inode", "BLOCK", func(d *image.Dump, arg string) error {
		addr, err := strconv.ParseUint(arg, 0, 64)
		if err != nil {
			return usage("inode %s: wanted the number of a block", arg)
		}
		return d.Inode(addr)
	}},
	{"path", "PATH", func(d *image.Dump, arg string) error { return d.Path(arg) }},
	{"journal", "N", func(d *image.Dump, arg string) error {
		n, err := strconv.Atoi(arg)
		if err != nil {
			return usage("journal %s: wanted the number of a journal, from 0 on", arg)
		}
		return d.Journal(n)
	}},
}

// dumpForms is "sb|rgs|inode BLOCK|...".
func dumpForms() string {
	var forms []string
	for _, d := range dumps {
		forms = append(forms, strings.TrimSpace(d.name+" "+d.arg))
	}
	return strings.Join(forms, "|")
}

func fsDumpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "dump IMAGE [" + dumpForms() + "]",
		Short: "Print structures of a GFS2 image as they are on the disk, the superblock when nothing is named",
		Example: `  faultline fs dump gfs2.img path /etc/passwd
  faultline fs dump gfs2.img journal 0`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("fs dump takes an image, and then one of %s", dumpForms())
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				args = append(args, "sb")
			}
			return dumpImage(args[0], args[1], args[2:])
		},
	}
}

func dumpImage(path, what string, args []string) error {
	for _, d := range dumps {
		if d.name != what || (d.arg != "") != (len(args) == 1) || len(args) > 1 {
			continue
		}
		return dumpTo(path, func(dump *image.Dump) error { return d.print(dump, strings.Join(args, "")) })
	}
	return usage("fs dump knows no %q; wanted one of %s", strings.Join(append([]string{what}, args...), " "), dumpForms())
}

// openShared opens an image that may be in use.
func openShared(path string, flags int) (*os.File, error) { return os.OpenFile(path, flags, 0) }

func dumpTo(path string, what func(d *image.Dump) error) error {
	f, size, err := openImage(path, openShared)
	if err != nil {
		return err
	}
	defer f.Close()
	out := bufio.NewWriter(os.Stdout)
	dump, err := image.NewDump(f, size, out)
	if err == nil {
		err = what(dump)
	}
	if flushErr := out.Flush(); err == nil && flushErr != nil {
		return flushErr
	}
	if err != nil {
		return imageError(path, err)
	}
	return nil
}
