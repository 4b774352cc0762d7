package target

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// fsType is how a file system is made on an image and checked afterwards.
type fsType struct {
	name    string
	mkfs    []string // the image is added at the end
	fsck    []string // only looks; the image is added at the end
	damage  int      // bits of fsck's exit code that mean damage; other codes but 0 mean that it could not check
	ignored string   // what fsck says when it left a log unplayed, so that what it finds may not be damage
	pkg     string   // Debian package of both tools
	minSize int64    // bytes; mkfs or mount refuses less
}

// fsTypes are the types that loop:, uml: and qemu: can make. Exit codes are those of the manual pages named.
var fsTypes = []fsType{
	{"ext4", []string{"mkfs.ext4", "-q", "-F"}, []string{"e2fsck", "-f", "-n"}, 4, "skipping journal recovery", "e2fsprogs", 8 << 20}, // e2fsck(8)
	{"ext3", []string{"mkfs.ext3", "-q", "-F"}, []string{"e2fsck", "-f", "-n"}, 4, "skipping journal recovery", "e2fsprogs", 8 << 20},
	{"ext2", []string{"mkfs.ext2", "-q", "-F"}, []string{"e2fsck", "-f", "-n"}, 4, "", "e2fsprogs", 8 << 20},
	{"xfs", []string{"mkfs.xfs", "-q", "-f"}, []string{"xfs_repair", "-f", "-n"}, 1, "valuable metadata changes in a log", "xfsprogs", 300 << 20}, // xfs_repair(8); mkfs.xfs(8): 300 MB since 5.19
	{"btrfs", []string{"mkfs.btrfs", "-q", "-f"}, []string{"btrfs", "check", "--readonly"}, 1, "", "btrfs-progs", 128 << 20},
	{"f2fs", []string{"mkfs.f2fs", "-q", "-f"}, []string{"fsck.f2fs", "--dry-run"}, 255, "", "f2fs-tools", 64 << 20},                 // 1, 4 and 255 seen in 1.15
	{"gfs2", []string{"mkfs.gfs2", "-q", "-O", "-p", "lock_nolock"}, []string{"fsck.gfs2", "-n"}, 4 | 8, "", "gfs2-utils", 64 << 20}, // 8 is "cannot repair that" too, seen in 3.5
	{"exfat", []string{"mkfs.exfat"}, []string{"fsck.exfat", "-n"}, 4, "", "exfatprogs", 8 << 20},
	{"ocfs2", []string{"mkfs.ocfs2", "-q", "-F", "-M", "local"}, []string{"fsck.ocfs2", "-f", "-n"}, 4, "", "ocfs2-tools", 128 << 20}, // fsck.ocfs2(8)
	{"ntfs3", []string{"mkfs.ntfs", "-q", "-F", "-Q"}, []string{"ntfsfix", "-n"}, 1, "", "ntfs-3g", 8 << 20},
}

func fsTypeNames() []string {
	var names []string
	for _, t := range fsTypes {
		names = append(names, t.name)
	}
	return names
}

func findFSType(spec, name string) (fsType, error) {
	for _, t := range fsTypes {
		if t.name == name {
			return t, nil
		}
	}
	problem := fmt.Sprintf("there is no file-system type %q", name)
	if name == "" {
		problem = "a file-system type is missing"
	}
	if near := nearest(name, fsTypeNames()); near != "" {
		problem += fmt.Sprintf("; did you mean %q", near)
	}
	return fsType{}, &UsageError{spec, problem + "; the types are " + strings.Join(fsTypeNames(), ", ")}
}

// lacks lists what this machine lacks to make, mount and check the type, each with how to get it.
func (t fsType) lacks() []lack { return append(t.lacksTools(), lacksType(t.name)...) }

func (t fsType) lacksTools() []lack {
	var lacks []lack
	for _, tool := range []string{t.mkfs[0], t.fsck[0]} {
		if _, err := findTool(tool); err != nil {
			lacks = append(lacks, lack{tool + " is not installed", "package " + t.pkg})
		}
	}
	return lacks
}

// check runs the type's checker on an unmounted image. The error is a *CheckError if it found damage.
func (t fsType) check(ctx context.Context, spec, image string) error {
	_, err := runTool(ctx, t.fsck[0], slices.Concat(t.fsck[1:], []string{image})...)
	var failed *toolError
	if errors.As(err, &failed) && failed.Code > 0 && failed.Code&t.damage != 0 {
		return &CheckError{Spec: spec, Command: failed.Command, Code: failed.Code, Output: failed.Output}
	}
	if err != nil {
		return fmt.Errorf("it could not be checked: %w", err)
	}
	return nil
}

// unplayed reports findings made while a log was left unplayed: the file system did not end in good order, and mounting it
// once more may put right all that was found.
func (t fsType) unplayed(err error) bool {
	var damaged *CheckError
	return errors.As(err, &damaged) && t.ignored != "" && strings.Contains(damaged.Output, t.ignored)
}
