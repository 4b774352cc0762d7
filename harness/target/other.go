package target

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// makeOther makes a folder of ours on a file system that is not under test: in the folder that the user gave, else in
// /dev/shm or the temporary folder. What lies below a stacked file system is under test too.
func (b *local) makeOther(ctx context.Context) error {
	if b.base != nil {
		b.other.Path = b.base.Other()
		b.setLack("other", b.base.Lacks("other"))
		return nil
	}
	places := []string{"/dev/shm", b.opts.Temp}
	if b.opts.Other != "" {
		places = []string{b.opts.Other}
	}
	var reasons []string
	for _, place := range places {
		err := b.makeOtherIn(ctx, place)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if death := b.on.Death(); death != nil {
			return death
		}
		reasons = append(reasons, err.Error())
	}
	if b.opts.Other != "" {
		return &UsageError{b.spec, "files cannot be put elsewhere: " + reasons[0]}
	}
	b.setLack("other", "no other file system will do: "+strings.Join(reasons, "; "))
	return nil
}

func (b *local) makeOtherIn(ctx context.Context, place string) error {
	m, err := ask[made](ctx, b.hands, "make a folder in "+place, "make", makeArgs{Base: place, Owner: b.owner})
	if err != nil {
		return err
	}
	switch {
	case b.underTest(m.Mount):
		err = fmt.Errorf("%s is on the file system under test", place)
	case m.Total > 0 && m.Free < room:
		err = errors.New(noRoom(place, m.Free))
	}
	if err != nil {
		_, removeErr := ask[none](ctx, b.hands, "remove "+m.Home.Path, "remove", m.Home)
		if removeErr != nil {
			return fmt.Errorf("%w, and: %w", err, removeErr)
		}
		return err
	}
	b.other = m.Home
	b.laterRemove(m.Home)
	return nil
}

// underTest reports whether a mount shows the file system under test. Two subvolumes of btrfs have different numbers and are
// one file system: then the device tells.
func (b *local) underTest(m mountinfo) bool {
	if m.Number == b.mount.Number {
		return true
	}
	return m.Type == b.mount.Type && m.Source == b.mount.Source && strings.HasPrefix(m.Source, "/")
}
