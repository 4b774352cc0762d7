package target

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func loopKind() Kind {
	return Kind{
		Name:  "loop",
		Usage: "loop:TYPE[,size=512M][,mkfs=OPTIONS][,mount=OPTIONS], TYPE one of " + strings.Join(fsTypeNames(), ", "),
		Doc:   "a fresh file system in an image file, mounted through a loop device, checked with its fsck at the end",
		Needs: []string{"root", "loop devices", "the type in the kernel", "its mkfs and fsck"},
		open:  openLoop,
	}
}

// loopOptions are what a loop spec says. A comma begins a new option only before "size=", "mkfs=" and "mount=", so the
// options of mkfs (split at blanks) and of mount(8) may hold commas:
//
//	loop:xfs,size=1G,mkfs=-m crc=1,reflink=0 -b size=1024,mount=noatime,nodiscard
type loopOptions struct {
	fs    fsType
	size  int64
	mkfs  string
	mount string
}

const defaultImageSize = 512 << 20

func parseLoop(spec, arg string) (loopOptions, error) {
	name, values, err := splitOptions(spec, arg, "size", "mkfs", "mount")
	if err != nil {
		return loopOptions{}, err
	}
	o := loopOptions{size: defaultImageSize, mkfs: values["mkfs"], mount: values["mount"]}
	if o.fs, err = findFSType(spec, name); err != nil {
		return loopOptions{}, err
	}
	if text, given := values["size"]; given {
		if o.size, err = parseSize(spec, text); err != nil {
			return loopOptions{}, err
		}
	}
	if o.size < o.fs.minSize {
		return loopOptions{}, &UsageError{spec, fmt.Sprintf("the size %s is too small for %s; it needs at least %s", sizeText(o.size), o.fs.name, sizeText(o.fs.minSize))}
	}
	return o, nil
}

func (o loopOptions) spec() string {
	spec := "loop:" + o.fs.name
	if o.size != defaultImageSize {
		spec += ",size=" + sizeText(o.size)
	}
	if o.mkfs != "" {
		spec += ",mkfs=" + o.mkfs
	}
	if o.mount != "" {
		spec += ",mount=" + o.mount
	}
	return spec
}

// openLoop makes the image, its file system and the mount. mount(8) sets the loop device up with autoclear, so that the
// kernel frees it with the last unmount, whatever becomes of us.
func openLoop(ctx context.Context, b *local, arg string) error {
	o, err := parseLoop(b.spec, arg)
	if err != nil {
		return err
	}
	b.spec = o.spec()
	if err := missing(b.spec, lacksRoot(), lacksLoop(), o.fs.lacks(), lacksRoom(b.opts.Temp, o.size)); err != nil {
		return err
	}
	if err := b.makeTemp(ctx); err != nil {
		return err
	}
	image := filepath.Join(b.temp.Path, "image")
	if err := makeImage(image, o.size); err != nil {
		return err
	}
	mkfs := slices.Concat(o.fs.mkfs[1:], strings.Fields(o.mkfs), []string{image})
	if _, err := runTool(ctx, o.fs.mkfs[0], mkfs...); err != nil {
		return err
	}
	mount := []string{"-t", o.fs.name, "-o", strings.TrimSuffix("loop,"+o.mount, ","), image}
	fsck := func(ctx context.Context) error {
		err := o.fs.check(ctx, b.spec, image)
		if !o.fs.unplayed(err) || b.replay(ctx, mount) != nil {
			return err
		}
		return o.fs.check(ctx, b.spec, image)
	}
	if err := b.mountTool(ctx, fsck, mount...); err != nil {
		return err
	}
	return b.settleOurs(ctx)
}

// replay mounts and unmounts once, so that the kernel plays the log.
func (b *local) replay(ctx context.Context, mount []string) error {
	if _, err := runTool(ctx, "mount", append(mount, b.point())...); err != nil {
		return err
	}
	_, err := b.unmountPatiently(ctx)
	return err
}

// makeImage makes a sparse file.
func makeImage(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make an image: %w", err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return fmt.Errorf("make an image: %w", err)
	}
	return nil
}
