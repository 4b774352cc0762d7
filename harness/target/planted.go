package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"faultline/harness/self"
	"faultline/harness/watch"
	"faultline/targetfs/planted"
)

// plantedRole is the process that serves a planted file system: its arguments are the mount point and the fault.
const plantedRole = "target-planted"

func init() { self.Register(plantedRole, plantedMain) }

func plantedKind() Kind {
	return Kind{
		Name:  "planted",
		Usage: "planted:FAULT[,nth=N][,each=N][,rate=K][,seed=N][,delay=TIME], FAULT one of " + strings.Join(faultNames(), ", "),
		Doc:   "a file system of our own with one planted fault, to see whether it is found",
		Needs: []string{"/dev/fuse", "root or fusermount3"},
		open:  openPlanted,
	}
}

func faultNames() []string {
	var names []string
	for _, f := range planted.Faults {
		names = append(names, f.Name)
	}
	return names
}

// plantedMain serves until the mount is gone, or the owner: then standard input closes.
func plantedMain(args []string) int {
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "want a mount point and a fault")
		return 2
	}
	fault, err := planted.Parse(args[1])
	if err == nil {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			unix.Kill(os.Getpid(), unix.SIGTERM)
		}()
		err = planted.Serve(args[0], fault, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// openPlanted serves the fault from a child. Nothing reads or writes on the mount before the programs do: the folder for them
// carries no sentinel (nothing is ever deleted from this mount, it just ends), Check does no more than a statfs, and the
// probes are done on an instance without a fault.
func openPlanted(ctx context.Context, b *local, arg string) error {
	fault, err := planted.Parse(arg)
	if err != nil {
		return &UsageError{b.spec, err.Error()}
	}
	b.spec = "planted:" + fault.String()
	if err := missing(b.spec, lacksFuse()); err != nil {
		return err
	}
	abilities, err := plantedAbilities(ctx, b.opts)
	if err != nil {
		return fmt.Errorf("probe the planted file system without a fault: %w", err)
	}
	if err := b.mountPlanted(ctx, fault); err != nil {
		return err
	}
	b.declare(abilities)
	return b.makeOther(ctx)
}

// mountPlanted starts the server on our mount point and makes the folder for programs.
func (b *local) mountPlanted(ctx context.Context, fault planted.Fault) error {
	if err := b.makeTemp(ctx); err != nil {
		return err
	}
	b.silent = true
	b.later("unmount", func(ctx context.Context) error { return b.endPlanted(ctx) })
	server, err := startServer(ctx, b.opts.Patience, plantedRole, b.point(), fault.String())
	if err != nil {
		return err
	}
	b.server = server
	if b.server.connection, err = watch.FuseConnection(b.point()); err != nil {
		return err
	}
	return b.settle(ctx, makeArgs{Base: b.point(), Plain: true}, true)
}

// endPlanted unmounts, and ends the server. A server that hangs is aborted first, so that its mount can go.
func (b *local) endPlanted(ctx context.Context) error {
	err := b.unmount(ctx, nil)
	if b.server == nil {
		return err
	}
	return errors.Join(err, b.server.end())
}

// faultless keeps what the planted file system can do: it is the same for all faults.
var faultless struct {
	sync.Mutex
	probed *probed
}

func plantedAbilities(ctx context.Context, opts Options) (probed, error) {
	faultless.Lock()
	defer faultless.Unlock()
	if faultless.probed != nil {
		return *faultless.probed, nil
	}
	b, err := newLocal("planted:none", opts)
	if err != nil {
		return probed{}, err
	}
	p, err := b.probeFaultless(ctx)
	if err := errors.Join(err, b.Close(context.WithoutCancel(ctx))); err != nil {
		return probed{}, err
	}
	faultless.probed = &p
	return p, nil
}

func (b *local) probeFaultless(ctx context.Context) (probed, error) {
	right, err := planted.Parse(planted.None)
	if err != nil {
		return probed{}, err
	}
	if err := b.mountPlanted(ctx, right); err != nil {
		return probed{}, err
	}
	return b.probe(ctx, nil)
}
