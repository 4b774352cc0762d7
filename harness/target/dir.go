package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

func dirKind() Kind {
	return Kind{
		Name:  "dir",
		Usage: "dir:PATH, or just /PATH or ./PATH",
		Doc:   "any directory on any mounted file system; we work in a folder of our own there",
		open:  openDirTarget,
	}
}

func openDirTarget(ctx context.Context, b *local, arg string) error {
	if arg == "" {
		return &UsageError{b.spec, "a path is missing: " + dirKind().Usage}
	}
	path, err := filepath.Abs(arg)
	if err != nil {
		return err
	}
	b.spec = "dir:" + path
	if err := b.settle(ctx, makeArgs{Base: path, Owner: b.owner}, false); err != nil {
		return b.explain(path, err)
	}
	return b.explain(path, b.inspect(ctx))
}

// explain turns the errno of a path that cannot be used into a line for its user.
func (b *local) explain(path string, err error) error {
	var remote *remoteError
	if !errors.As(err, &remote) {
		return err
	}
	problem := remote.Text
	switch remote.Errno {
	case unix.ENOENT:
		problem = fmt.Sprintf("%s does not exist", path)
	case unix.ENOTDIR:
		problem = fmt.Sprintf("%s is not a directory", path)
	case unix.EACCES, unix.EPERM:
		problem = fmt.Sprintf("user %d may not make a folder in %s (%v)", os.Geteuid(), path, remote.Errno)
	case unix.EROFS:
		problem = fmt.Sprintf("%s is on a read-only file system", path)
	case unix.ENOSPC, unix.EDQUOT:
		problem = fmt.Sprintf("there is no room in %s (%v)", path, remote.Errno)
	}
	return &UsageError{b.spec, problem}
}
