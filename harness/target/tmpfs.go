package target

import (
	"context"
	"fmt"
	"strings"
)

func tmpfsKind() Kind {
	return Kind{
		Name:  "tmpfs",
		Usage: "tmpfs:[size=512M][,mount=OPTIONS]",
		Doc:   "a fresh tmpfs",
		Needs: []string{"root"},
		open:  openTmpfs,
	}
}

func openTmpfs(ctx context.Context, b *local, arg string) error {
	first, values, err := splitOptions(b.spec, arg, "size", "mount")
	if err != nil {
		return err
	}
	if first != "" {
		return &UsageError{b.spec, fmt.Sprintf("there is no option %q: %s", first, tmpfsKind().Usage)}
	}
	size := int64(defaultImageSize)
	if text, given := values["size"]; given {
		if size, err = parseSize(b.spec, text); err != nil {
			return err
		}
	}
	b.spec = tmpfsSpec(size, values["mount"])
	if err := missing(b.spec, lacksRoot()); err != nil {
		return err
	}
	if err := b.makeTemp(ctx); err != nil {
		return err
	}
	options := strings.TrimSuffix(fmt.Sprintf("size=%d,%s", size, values["mount"]), ",")
	if err := b.mountTool(ctx, nil, "-t", "tmpfs", "-o", options, "faultline"); err != nil {
		return err
	}
	return b.settleOurs(ctx)
}

func tmpfsSpec(size int64, mount string) string {
	var options []string
	if size != defaultImageSize {
		options = append(options, "size="+sizeText(size))
	}
	if mount != "" {
		options = append(options, "mount="+mount)
	}
	return "tmpfs:" + strings.Join(options, ",")
}
