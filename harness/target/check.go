package target

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Check looks from the outside in: what we know, mountinfo, the server, and at last the file system itself.
func (b *local) Check(ctx context.Context) error {
	if ruins := b.ruined(); ruins != nil {
		return ruins
	}
	if b.server != nil {
		if how, ended := b.server.ended(0); ended {
			return b.unfit(Died, nil, "its server has ended: %s", how)
		}
	}
	if b.stallServer != nil {
		if how, ended := b.stallServer.ended(0); ended {
			return b.unfit(Vanished, nil, "the server of the files that stalls are has ended: %s", how)
		}
	}
	s, err := ask[sight](ctx, b.hands, "check "+b.home.Path, "look", lookArgs{b.home, b.mount, b.silent})
	if err != nil {
		return b.explainCheck(err)
	}
	if b.base != nil {
		if err := b.base.Check(ctx); err != nil {
			return fmt.Errorf("%s: below: %w", b.spec, err)
		}
	}
	return b.judge(s)
}

func (b *local) unfit(cause Cause, err error, format string, args ...any) error {
	return &Unfit{Spec: b.spec, Cause: cause, Detail: fmt.Sprintf(format, args...), Err: err}
}

// explainCheck tells the causes of an error apart.
func (b *local) explainCheck(err error) error {
	var remote *remoteError
	switch {
	case errors.Is(err, unix.ENOTCONN), errors.Is(err, unix.ECONNABORTED):
		return b.unfit(Died, err, "its server has ended: %s", b.howServerEnded(err))
	case errors.Is(err, unix.ENOENT):
		return b.unfit(Vanished, err, "our folder %s is gone", b.home.Path)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return b.unfit(Full, err, "%s is full: %v", b.mount.Point, err)
	case errors.Is(err, unix.EROFS):
		return b.unfit(ReadOnly, err, "%s on %s has become read-only: %v", b.mount.Type, b.mount.Point, err)
	case errors.As(err, &remote):
		return b.unfit(Failing, err, "%s on %s fails: %v", b.mount.Type, b.mount.Point, err)
	}
	b.noteHang(err)
	return fmt.Errorf("check %s: %w", b.spec, err)
}

// howServerEnded knows more than the errno if the server was ours. The kernel says that it is gone a moment before we do.
func (b *local) howServerEnded(err error) string {
	if b.server != nil {
		if how, ended := b.server.ended(grace); ended {
			return how
		}
	}
	return err.Error()
}

func (b *local) judge(s sight) error {
	option := s.Mount.readOnly()
	switch {
	case !s.Mounted:
		return b.unfit(Vanished, nil, "%s is not mounted on %s any more", b.mount.Type, b.mount.Point)
	case option != "":
		return b.unfit(ReadOnly, unix.EROFS, "%s on %s has become read-only (%s)", b.mount.Type, b.mount.Point, option)
	case b.silent:
		return nil
	case !s.SameHome:
		return b.unfit(Vanished, nil, "%s is not the folder that we made", b.home.Path)
	case s.Total > 0 && s.Free < room:
		return b.unfit(Full, unix.ENOSPC, "%s", noRoom(b.mount.Point, s.Free))
	case !s.Inodes:
		return b.unfit(Full, unix.ENOSPC, "%s has no free inode left", b.mount.Point)
	}
	return nil
}
