package guest

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// KVM says whether QEMU uses the processor's support for guests.
type KVM string

// On some machines, themselves guests, /dev/kvm opens but what it runs never comes up: Auto asks for a sign of life first.
const (
	Auto KVM = "auto"
	On   KVM = "on"
	Off  KVM = "off"
)

// signPatience is how long a kernel under KVM may take for its first line, which is there after some tenths of a second.
const signPatience = 5 * time.Second

// kvmFails is set when it was tried in vain.
var kvmFails atomic.Bool

// launchQEMU starts QEMU with the best accelerator that works.
func launchQEMU(ctx context.Context, s Spec) (*Guest, error) {
	switch {
	case s.KVM == On:
		s.kvm = true
	case s.KVM == Off, kvmFails.Load(), unix.Access("/dev/kvm", unix.R_OK|unix.W_OK) != nil:
	default:
		s.kvm = true
		g, err := launch(s)
		if err == nil && g.firstLine(ctx, signPatience) {
			return g, nil
		}
		if err == nil {
			g.Close()
		}
		kvmFails.Store(true)
		s.kvm = false
	}
	return launch(s)
}

// firstLine waits until the console has one of the kernel's, which begins with its time: QEMU itself complains there, too. It waits in vain if the guest ends.
func (g *Guest) firstLine(ctx context.Context, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-g.exited:
			return false
		case <-time.After(10 * time.Millisecond):
			if slices.ContainsFunc(g.console.Since(0), func(l Line) bool { return strings.HasPrefix(l.Text, "[") }) {
				return true
			}
		}
	}
}
