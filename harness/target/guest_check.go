package target

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"faultline/harness/guest"
	"faultline/harness/guest/pid1"
)

// Checkable is a target that can be checked between programs, and not only when it is closed.
type Checkable interface {
	// Batch is after how many programs it wants to be; 0 for never.
	Batch() int

	// Recheck unmounts, checks and mounts again. Nobody may use the target meanwhile. The error is a *CheckError if damage was found; after any error the
	// target is of no use.
	Recheck(ctx context.Context) error
}

var _ Checkable = (*local)(nil)

// parseCheck reads when the disk is checked.
func (o *guestOptions) parseCheck(spec, text string) error {
	number, isBatch := strings.CutPrefix(text, "batch=")
	n, err := strconv.Atoi(number)
	switch {
	case text == "end":
	case text == "off":
		o.check = false
	case text == "program":
		o.batch = 1
	case isBatch && err == nil && n > 0:
		o.batch = n
	default:
		return &UsageError{spec, fmt.Sprintf("check=%s is not one of end, program, batch=N, off", text)}
	}
	if o.batch > 0 && o.disk() == nil {
		return &UsageError{spec, fmt.Sprintf("check=%s takes a disk; %s has none", text, o.fs.name)}
	}
	return nil
}

// checkText is the inverse of parseCheck.
func (o guestOptions) checkText() string {
	switch {
	case !o.check:
		return "off"
	case o.batch == 1:
		return "program"
	case o.batch > 1:
		return fmt.Sprintf("batch=%d", o.batch)
	}
	return "end"
}

// Batch is that of the options; only disks of guests are checked between programs.
func (b *local) Batch() int { return b.batch }

// Recheck unmounts in the guest, checks the disk here, and mounts it in the guest again.
func (b *local) Recheck(ctx context.Context) error {
	if err := b.recheck(ctx); err != nil {
		err = fmt.Errorf("check %s between programs: %w", b.spec, err)
		b.ruin(Failing, err.Error())
		return err
	}
	return nil
}

// recheckGuest is Recheck of a guest.
func (b *local) recheckGuest(ctx context.Context, o guestOptions, vm *guest.Guest) error {
	if o.fs.served {
		b.server.Stdin().Close()
		if how, ended := b.server.ended(offPatience); !ended || b.server.State() != success {
			return fmt.Errorf("its server did not end well: %s", how)
		}
	}
	for _, m := range slices.Backward(o.own()) {
		if _, err := ask[bool](ctx, b.hands, "unmount "+m.Point+" of the guest", "unmount", unmountArgs{Point: m.Point}); err != nil {
			return err
		}
	}
	if err := b.checkDisk(ctx, o, vm); err != nil {
		return err
	}
	if o.fs.served {
		if err := b.startServed(ctx, o); err != nil {
			return err
		}
	} else if _, err := ask[none](ctx, b.hands, "mount again in the guest", "mount", o.own()); err != nil {
		return err
	}
	m, err := ask[made](ctx, b.hands, "look at "+b.home.Path, "find", b.home)
	if err != nil {
		return err
	}
	b.home, b.mount = m.Home, m.Mount
	return nil
}

// mountAll mounts, in the child.
func mountAll(mounts []pid1.Mount) (none, error) {
	for _, m := range mounts {
		if err := m.Do(); err != nil {
			return none{}, err
		}
	}
	return none{}, nil
}

// findAgain looks at a folder of ours on a mount that is new: its device may have another number.
func findAgain(h home) (made, error) {
	var st unix.Stat_t
	if err := unix.Lstat(h.Path, &st); err != nil {
		return made{}, &os.PathError{Op: "lstat", Path: h.Path, Err: err}
	}
	h.Dev, h.Ino = st.Dev, st.Ino
	return describe(h)
}
