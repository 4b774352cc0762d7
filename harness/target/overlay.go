package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func overlayKind() Kind {
	return Kind{
		Name:  "overlay",
		Usage: "overlay:[TARGET], TARGET what its layers lie on: dir:PATH, loop:TYPE or tmpfs: (the default)",
		Doc:   "an overlay mount with an empty lower layer; all that programs make is in the upper one",
		Needs: []string{"root", "what the target below needs"},
		open:  openOverlay,
	}
}

// openOverlay opens the target below first and makes the layers in its folder.
func openOverlay(ctx context.Context, b *local, arg string) error {
	if arg == "" {
		arg = "tmpfs:"
	}
	below, _, err := findKind(arg)
	if err != nil {
		return err
	}
	if below.Name == "overlay" {
		return &UsageError{b.spec, "an overlay does not lie on another one here: " + overlayKind().Usage}
	}
	b.spec = "overlay:" + arg
	if err := missing(b.spec, lacksRoot(), lacksType("overlay")); err != nil {
		return err
	}
	if err := b.openBelow(ctx, arg); err != nil {
		return err
	}
	if err := b.makeTemp(ctx); err != nil {
		return err
	}
	options, err := b.makeLayers(ctx)
	if err != nil {
		return err
	}
	if err := b.mountTool(ctx, nil, "-t", "overlay", "-o", options, "faultline"); err != nil {
		return err
	}
	return b.settleOurs(ctx)
}

func (b *local) openBelow(ctx context.Context, spec string) error {
	opts := b.opts
	opts.StallWith = WithUserfaultfd // no program runs there
	base, err := Open(ctx, spec, opts)
	var missing *Missing
	if errors.As(err, &missing) {
		return &Missing{b.spec, missing.What}
	}
	if err != nil {
		return err
	}
	b.base = base
	b.spec = "overlay:" + base.Spec()
	b.later("close what is below", base.Close)
	return nil
}

// makeLayers makes the folders and returns the mount options that name them.
func (b *local) makeLayers(ctx context.Context) (string, error) {
	dir := b.base.Dir()
	if strings.ContainsAny(dir, `,:\`) {
		return "", &UsageError{b.spec, fmt.Sprintf("the path %s holds a comma, a colon or a backslash, which mount options of overlayfs cannot", dir)}
	}
	layers := []string{filepath.Join(dir, "lower"), filepath.Join(dir, "upper"), filepath.Join(dir, "work")}
	if _, err := ask[none](ctx, b.hands, "make the layers in "+dir, "mkdirs", layers); err != nil {
		return "", err
	}
	return fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", layers[0], layers[1], layers[2]), nil
}

// mkdirs makes folders, in the child.
func mkdirs(paths []string) (none, error) {
	for _, path := range paths {
		if err := os.Mkdir(path, 0o755); err != nil {
			return none{}, err
		}
	}
	return none{}, nil
}
