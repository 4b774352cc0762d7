package target

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
	"faultline/harness/guest"
	"faultline/harness/machine"
)

// local is a target on this machine, or on one that is ours. A kind builds it step by step, and each step leaves behind how it is undone.
type local struct {
	spec string
	opts Options
	// anywhere says that nobody chose the temporary folder.
	anywhere bool
	owner    owner
	on       machine.Machine
	hands    *hands
	undos    []undo

	temp   home      // for images and mount points; zero if the kind needs none
	mount  mountinfo // what programs run on, as it was at first
	home   home      // Dir
	other  home      // Other; zero if there is none
	facts  Facts
	lacks  map[string]string // need -> reason, beginning with the need
	server *server           // nil unless a process of ours serves it
	// stalls is where stalls are files, empty where they are not, and stallServer serves them.
	stalls      string
	stallServer *server
	base        Target       // what it is stacked on, or nil
	under       string       // the type that it is stacked on in a guest, or empty
	guest       *guest.Guest // nil unless it is in one
	batch       int          // programs between two checks; 0 for none
	// recheck checks between programs.
	recheck func(ctx context.Context) error
	silent  bool // Check must not make a file: that could set off a planted fault

	mu    sync.Mutex
	ruins *Unfit // why the mount is of no use any more, and fsck cannot look at it; nil if it is
}

// undo is how one step of Open is taken back.
type undo struct {
	what string
	do   func(ctx context.Context) error
}

func (b *local) Spec() string  { return b.spec }
func (b *local) FS() string    { return b.mount.Type }
func (b *local) Dir() string   { return b.home.Path }
func (b *local) Other() string { return b.other.Path }
func (b *local) Mount() Facts  { return b.facts }

func (b *local) Machine() machine.Machine { return b.on }

// liveOn says where the file system is, before anything is asked of it.
func (b *local) liveOn(m machine.Machine) {
	b.on, b.hands = m, &hands{on: m, patience: b.opts.Patience}
}

func (b *local) Lacks(need string) string {
	if !prog.KnownNeed(need) {
		return need + ": there is no such need"
	}
	return b.lacks[need]
}

func (b *local) Servers() []int {
	var pids []int
	if b.base != nil {
		pids = b.base.Servers()
	}
	if b.server != nil {
		pids = append(pids, b.server.PID())
	}
	return pids
}

func (b *local) Abort() error {
	if b.guest != nil {
		b.ruin(Died, "its guest was ended")
		b.guest.Kill()
		return nil
	}
	if b.server == nil {
		return fmt.Errorf("%s: %w: %s", b.spec, ErrNothingToAbort, b.whyNoAbort())
	}
	b.ruin(Died, "it was aborted")
	if err := b.server.connection.Abort(); err == nil {
		return nil
	}
	// Without fusectl a forced unmount does the same (fs/fuse/inode.c, fuse_umount_begin); it takes root.
	if _, err := ask[bool](context.Background(), b.hands, "unmount "+b.point()+" by force", "unmount", unmountArgs{Point: b.point(), Force: true}); err == nil {
		return nil
	}
	return b.server.end()
}

func (b *local) whyNoAbort() string {
	if !strings.HasPrefix(b.mount.Type, "fuse") {
		return "the kernel itself serves " + b.mount.Type
	}
	_, minor, _ := strings.Cut(b.mount.Number, ":")
	return fmt.Sprintf("the FUSE mount is not ours; to free what hangs there, as root: echo 1 > /sys/fs/fuse/connections/%s/abort", minor)
}

// Close takes back all steps, the last first. Every step is tried.
func (b *local) Close(ctx context.Context) error {
	var errs []error
	for len(b.undos) > 0 {
		last := b.undos[len(b.undos)-1]
		b.undos = b.undos[:len(b.undos)-1]
		if err := last.do(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %s: %w", b.spec, last.what, err))
		}
	}
	b.hands.close()
	return errors.Join(errs...)
}

func (b *local) later(what string, do func(ctx context.Context) error) {
	b.undos = append(b.undos, undo{what, do})
}

// ruin notes the first reason why the mount is of no use any more.
func (b *local) ruin(cause Cause, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ruins == nil {
		b.ruins = &Unfit{Spec: b.spec, Cause: cause, Detail: why}
	}
}

// noteHang ruins the target if err is a hang: Close must not wait for the same hang again.
func (b *local) noteHang(err error) {
	var hung *Hung
	if errors.As(err, &hung) {
		b.ruin(Hanging, "it hangs")
	}
}

func (b *local) ruined() *Unfit {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ruins
}

// makeTemp makes the folder for images and mount points. It holds an empty folder "mnt".
func (b *local) makeTemp(ctx context.Context) error {
	m, err := ask[made](ctx, b.hands, "make a folder in "+b.opts.Temp, "make", makeArgs{Base: b.opts.Temp, Owner: b.owner})
	if err != nil {
		return err
	}
	b.temp = m.Home
	b.laterRemove(m.Home)
	if err := os.Mkdir(b.point(), 0o755); err != nil {
		return err
	}
	return nil
}

// point is where a kind mounts.
func (b *local) point() string { return filepath.Join(b.temp.Path, "mnt") }

// mountTool mounts on point with mount(8). Undoing unmounts, and then does after if the mount ended well.
func (b *local) mountTool(ctx context.Context, after func(ctx context.Context) error, args ...string) error {
	// First the undo: mount(8) may have mounted although it was killed.
	b.later("unmount", func(ctx context.Context) error { return b.unmount(ctx, after) })
	if _, err := runTool(ctx, "mount", append(args, b.point())...); err != nil {
		return err
	}
	return nil
}

// unmount unmounts point, and then does after. If the mount is in use, does not come back, or is in ruins, it is unmounted lazily:
// it disappears from sight at once, and for good when its last user ends.
func (b *local) unmount(ctx context.Context, after func(ctx context.Context) error) error {
	if ruins := b.ruined(); ruins != nil {
		err := b.unmountLazily(ctx)
		if err == nil && after != nil {
			err = fmt.Errorf("it was unmounted lazily and not checked: %s", ruins.Detail)
		}
		return err
	}
	mounted, err := b.unmountPatiently(ctx)
	if err != nil {
		lazyErr := b.unmountLazily(ctx)
		return errors.Join(fmt.Errorf("it was unmounted lazily and not checked: %w", err), lazyErr)
	}
	if !mounted {
		return b.vanished()
	}
	if after == nil {
		return nil
	}
	return after(ctx)
}

func (b *local) unmountLazily(ctx context.Context) error {
	b.ruin(Vanished, "it had to be unmounted lazily")
	_, err := ask[bool](context.WithoutCancel(ctx), b.hands, "unmount "+b.point()+" lazily", "unmount", unmountArgs{Point: b.point(), Lazy: true})
	return err
}

// vanished says that somebody else has unmounted what we mounted. If the mount never came to be, that is no wonder.
func (b *local) vanished() error {
	if b.mount.ID == 0 {
		return nil
	}
	return errors.New("somebody else has unmounted it; it was not checked")
}

// unmountPatiently gives users of the mount (a worker on its way out) some time to end, a tenth of our patience.
func (b *local) unmountPatiently(ctx context.Context) (mounted bool, err error) {
	deadline := time.Now().Add(b.opts.Patience / 10)
	for {
		mounted, err = ask[bool](ctx, b.hands, "unmount "+b.point(), "unmount", unmountArgs{Point: b.point()})
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return mounted, err
		}
		select {
		case <-ctx.Done():
			return mounted, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// settle makes our folder in base and finds out what it is on. ours says that the mount is our own: then nothing has to be
// removed from it.
func (b *local) settle(ctx context.Context, args makeArgs, ours bool) error {
	m, err := ask[made](ctx, b.hands, "make a folder in "+args.Base, "make", args)
	if err != nil {
		return err
	}
	b.home, b.mount = m.Home, m.Mount
	if !ours {
		b.laterRemove(m.Home)
	}
	b.setLack("own-mount", whyNotOwn(ours, b.guest != nil || os.Geteuid() == 0))
	b.facts = Facts{
		Point: m.Mount.Point, Root: m.Mount.Root, Device: m.Mount.Source, Number: m.Mount.Number, Type: m.Mount.Type,
		Options: m.Mount.options(), BlockSize: m.Block, Kernel: b.on.Facts().Kernel, Guest: b.on.Facts().Disposable,
	}
	if m.Total > 0 && m.Free < room {
		return &UsageError{b.spec, noRoom(m.Mount.Point, m.Free)}
	}
	return nil
}

func whyNotOwn(ours, root bool) string {
	switch {
	case !ours:
		return "the file system is not ours, and is neither frozen nor unmounted"
	case !root:
		return "freezing and unmounting take root"
	}
	return ""
}

// settleOurs does all that is left to do once our own mount is there.
func (b *local) settleOurs(ctx context.Context) error {
	if err := b.settle(ctx, makeArgs{Base: b.point(), Owner: b.owner}, true); err != nil {
		return err
	}
	return b.inspect(ctx)
}

// setLack notes why a need is not met; no reason means that it is.
func (b *local) setLack(need, reason string) {
	if reason != "" {
		b.lacks[need] = need + ": " + strings.TrimPrefix(reason, need+": ")
	}
}

// laterRemove has a folder of ours deleted by Close. In a guest nothing is worth it.
func (b *local) laterRemove(h home) {
	if b.guest != nil {
		return
	}
	b.later("remove "+h.Path, func(ctx context.Context) error {
		if ruins := b.ruined(); ruins != nil && h == b.home {
			return fmt.Errorf("it is left behind: %s", ruins.Detail)
		}
		_, err := ask[none](context.WithoutCancel(ctx), b.hands, "remove "+h.Path, "remove", h)
		return err
	})
}

// inspect probes in our folder, adds what is promised by type, and finds a place for files elsewhere.
func (b *local) inspect(ctx context.Context) error {
	p, err := b.probe(ctx, nil)
	if err != nil {
		return err
	}
	b.declare(p)
	return b.makeOther(ctx)
}

// probe tries all needs but those that are known, one after the other: a machine that is slow needs long for all of them, and of one that hangs its name is told.
func (b *local) probe(ctx context.Context, known []string) (probed, error) {
	all, err := ask[probed](ctx, b.hands, "look at direct I/O in "+b.home.Path, "probe", probeArgs{Dir: b.home.Path})
	for _, row := range probes {
		if err != nil {
			return probed{}, err
		}
		if slices.Contains(known, row.need) {
			continue
		}
		var one probed
		one, err = ask[probed](ctx, b.hands, fmt.Sprintf("probe %s in %s", row.need, b.home.Path), "probe", probeArgs{b.home.Path, []string{row.need}})
		maps.Copy(all.Lacks, one.Lacks)
	}
	return all, err
}

// declare notes what was probed and what is promised.
func (b *local) declare(p probed) {
	b.facts.DIOAlign = p.DIOAlign
	for need, why := range p.Lacks {
		b.setLack(need, why)
	}
	for _, need := range guarantees() {
		if b.base != nil {
			b.setLack(need, b.base.Lacks(need)) // overlayfs hands reads and writes to the upper file (fs/backing-file.c)
			continue
		}
		m := b.mount
		if b.under != "" {
			m = mountinfo{Type: b.under}
		}
		b.setLack(need, unpromised(m, parseVersion(b.facts.Kernel), need))
	}
}

func noRoom(where string, free uint64) string {
	return fmt.Sprintf("%s has only %d MiB left; %d MiB are needed", where, free>>20, room>>20)
}
