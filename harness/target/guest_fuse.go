package target

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"faultline/harness/guest"
	"faultline/harness/mount"
	"faultline/targetfs/usercopy"
)

// mostNodes is how many nodes a guest may have.
const mostNodes = 8

// parseServed reads what only our own server knows.
func (o *guestOptions) parseServed(spec string, values map[string]string) (err error) {
	for _, key := range []string{"copy", "nodes"} {
		if _, given := values[key]; given && !o.fs.served {
			return &UsageError{spec, fmt.Sprintf("%s= is for fs=fuse, our own server; %s is the kernel's", key, o.fs.name)}
		}
	}
	if name, given := values["copy"]; given {
		if o.copy, err = usercopy.Parse(name); err != nil {
			return &UsageError{spec, err.Error()}
		}
		o.chosen = true
	}
	if text, given := values["nodes"]; given {
		if o.nodes, err = strconv.Atoi(text); err != nil || o.nodes < 1 || o.nodes > mostNodes {
			return &UsageError{spec, fmt.Sprintf("nodes=%s is not a number from 1 to %d", text, mostNodes)}
		}
	}
	return nil
}

// serveInGuest has our own server mount the guest's disk. It is a process of the guest, and goes with it. The note says which policy is used if it is not that
// of the options.
func (b *local) serveInGuest(ctx context.Context, o *guestOptions, vm *guest.Guest) (note string, err error) {
	var forbidden error
	if why, err := ask[string](ctx, b.hands, "ask what the guest allows", "allowed", none{}); err != nil {
		return "", err
	} else if why != "" {
		forbidden = errors.New(why)
	}
	note, lacks := allow(&o.copy, o.chosen, forbidden)
	if err := missing(b.spec, lacks); err != nil {
		return "", err
	}
	if _, err := ask[none](ctx, b.hands, "make the mount points in the guest", "mkdirs", o.points()); err != nil {
		return "", err
	}
	if err := b.startServed(ctx, *o); err != nil {
		return "", err
	}
	b.later("end the server", func(ctx context.Context) error { return b.endServed(ctx, vm) })
	return note, nil
}

// points are where the nodes of a served disk are mounted.
func (o guestOptions) points() []string {
	dirs := []string{guestPoint}
	for i := 1; i < o.nodes; i++ {
		dirs = append(dirs, guestPoint+strconv.Itoa(i))
	}
	return dirs
}

// startServed starts the server.
func (b *local) startServed(ctx context.Context, o guestOptions) (err error) {
	options := both(fmt.Sprintf("copy=%v,nodes=%d", o.copy, o.nodes), o.mount)
	a := mount.Args{Image: guest.Device(o.kind, 1), Dirs: o.points(), Options: options, Lease: true}
	b.server, err = startServerOn(ctx, b.on, b.opts.Patience, mount.Role, a.Strings()...)
	return err
}

// allowed says why a server here may not look at its callers; empty if it may.
func allowed(none) (why string, err error) {
	if err := usercopy.Allowed(); err != nil {
		why = err.Error()
	}
	return why, nil
}

// endServed lets the server unmount and close the disk, when it still can. One that cannot makes the guest's end that of a machine that lost power: what is
// on the disk is then no worse than after a crash.
func (b *local) endServed(ctx context.Context, vm *guest.Guest) error {
	if b.ruined() != nil || b.on.Death() != nil || ctx.Err() != nil {
		return nil
	}
	b.hands.close()
	b.server.Stdin().Close()
	how, ended := b.server.ended(offPatience)
	if ended && b.server.State() == success {
		return nil
	}
	b.ruin(Died, "its server did not end well")
	vm.Kill()
	if !ended {
		return errors.New("the server in the guest did not end, and the disk was not checked")
	}
	return fmt.Errorf("the server in the guest ended with %s, and the disk was not checked", how)
}
