package target

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"faultline/harness/guest"
	"faultline/harness/guest/kernels"
	"faultline/harness/machine/credit"
	"faultline/harness/machine/remote"
)

// openGuest takes a guest from the pool. From then on everything is asked of the guest.
func openGuest(ctx context.Context, b *local, arg string) error {
	o, err := parseGuest(b.spec, arg)
	if err != nil {
		return err
	}
	b.spec = o.spec()
	if err := missing(b.spec, o.lacksMachine(runtime.GOARCH)); err != nil {
		return err
	}
	store, err := kernels.Open()
	if err != nil {
		return err
	}
	k, err := store.Lookup(ctx, o.kind, o.kernel)
	if err != nil {
		return &Missing{b.spec, []string{err.Error()}}
	}
	if err := missing(b.spec, o.lacks(), lacksRoom(b.opts.Temp, o.size)); err != nil {
		return err
	}
	others, err := b.alike(ctx, o, k)
	if err != nil {
		return err
	}
	vm, err := others.pool.Take(ctx)
	if err != nil {
		return err
	}
	b.later("end the guest", func(ctx context.Context) error { defer others.pool.Put(vm); return b.endGuest(ctx, o, vm) })
	if err := b.moveIn(ctx, vm); err != nil {
		return err
	}
	note := ""
	if o.fs.served {
		if note, err = b.serveInGuest(ctx, &o, vm); err != nil {
			return err
		}
	}
	if o.fs.stacked {
		b.under = o.on.name
	}
	if err := b.settle(ctx, makeArgs{Base: guestPoint, Owner: b.owner}, true); err != nil {
		return err
	}
	if err := b.inspectAs(ctx, others); err != nil {
		return err
	}
	b.setLack("eof-first", nodesLackEOFFirst(o.nodes))
	b.facts.Note = note
	b.batch, b.recheck = o.batch, func(ctx context.Context) error { return b.recheckGuest(ctx, o, vm) }
	if o.kind == kernels.UML {
		b.setLack("stall-poison", "User Mode Linux panics when a poisoned page is touched (arch/um/kernel/trap.c: handle_page_fault); seen on 7.2")
	}
	return nil
}

// Memory is how much of this machine's memory, in bytes, a target takes while it is open, apart from what every process takes: that of its guest. It is 0 for specs that
// cannot be meant.
func Memory(spec string) int64 {
	kind, arg, err := findKind(spec)
	if err != nil || kind.Name != umlKind().Name && kind.Name != qemuKind().Name {
		return 0
	}
	o, err := parseGuest(spec, arg)
	if err != nil {
		return 0
	}
	return o.memory
}

// lacksMachine says why a machine of that architecture (GOARCH) cannot run the guest: the kernels of the store and our own binary in them are x86's.
func (o guestOptions) lacksMachine(arch string) []lack {
	if o.kind != kernels.UML || arch == "amd64" {
		return nil
	}
	return []lack{{"User Mode Linux runs on amd64 only, and this machine is " + arch, ""}}
}

// lacks lists the tools that this machine lacks for the disk. Our own mkfs does for gfs2.
func (o guestOptions) lacks() []lack {
	lacks := otherType.disk().lacksTools()
	of := o.disk()
	if of == nil || of.name == "gfs2" && o.mkfs == "" && (!o.check || o.fs.served) {
		return lacks
	}
	return append(lacks, of.lacksTools()...)
}

// moveIn reaches the agent. The folders that the user named are not in the guest.
func (b *local) moveIn(ctx context.Context, vm *guest.Guest) error {
	mark := vm.Console().Mark()
	m, err := remote.Dial(ctx, credit.Host(vm.Channel()), remote.Options{
		PID: vm.PID(), Memory: vm.Memory(), Exited: vm.Exited(), How: vm.How, Console: func() string { return vm.Said(mark) },
		Interrogate: vm.Interrogate,
	})
	if err != nil {
		return &guest.Error{What: "move into a guest", Err: err, Console: vm.Said(mark)}
	}
	b.liveOn(m)
	b.guest = vm
	b.opts.Temp, b.opts.Other = "/tmp", guestOther
	return nil
}

// offPatience is how long a guest may take to write everything back and unmount.
const offPatience = 30 * time.Second

// endGuest turns the guest off in good order, if it can still be, and checks the disk that it leaves.
func (b *local) endGuest(ctx context.Context, o guestOptions, vm *guest.Guest) error {
	if b.guest == nil || b.ruined() != nil || b.on.Death() != nil || ctx.Err() != nil {
		return nil // it is killed, and its disk is no worse than any after a crash
	}
	b.hands.close()
	offCtx, cancel := context.WithTimeout(ctx, offPatience)
	defer cancel()
	if !vm.Off(offCtx) {
		return fmt.Errorf("it was not unmounted, and not checked: %s", lastLine(vm.Console().Text()))
	}
	return b.checkDisk(ctx, o, vm)
}

// checkDisk checks the disk that is mounted nowhere.
func (b *local) checkDisk(ctx context.Context, o guestOptions, vm *guest.Guest) error {
	switch of := o.disk(); {
	case of == nil || !o.check:
		return nil
	case o.fs.served:
		return b.checkImage(ctx, vm.Disk(1))
	default:
		return of.check(ctx, b.spec, vm.Disk(1))
	}
}
