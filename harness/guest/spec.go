package guest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"faultline/harness/guest/kernels"
	"faultline/harness/guest/pid1"
)

// Spec is one guest.
type Spec struct {
	Kernel kernels.Kernel
	Initrd string // path of an archive of package initramfs
	Memory int64  // bytes
	// Disks are images that the guest gets as disks, in this order: /dev/ubda, /dev/ubdb, ... or /dev/vda, ...: see Device. Each guest works on a sparse
	// copy of its own, which goes when it is closed.
	Disks []string
	Order pid1.Order
	// Temp is where the guest's folder is made; os.TempDir() if empty.
	Temp string
	// Patience is how long the guest may take to boot and mount; half a minute if 0, and two for QEMU, which may have to do without KVM.
	Patience time.Duration
	KVM      KVM // of QEMU; Auto if empty

	kvm bool
}

// Some User Mode Linux boots in half a second, and some QEMU without KVM in ten, on a machine that has nothing else to do.
const (
	umlPatience  = 30 * time.Second
	qemuPatience = 2 * time.Minute
)

// Device is the name of a disk in the guest.
func Device(kind kernels.Kind, disk int) string {
	if kind == kernels.UML {
		return "/dev/ubd" + string(rune('a'+disk))
	}
	return "/dev/vd" + string(rune('a'+disk))
}

func (s Spec) filled() (Spec, error) {
	if s.Temp == "" {
		s.Temp = os.TempDir()
	}
	if s.Patience == 0 && s.Kernel.Kind == kernels.UML {
		s.Patience = umlPatience
	} else if s.Patience == 0 {
		s.Patience = qemuPatience
	}
	if s.KVM == "" {
		s.KVM = Auto
	}
	if s.Kernel.Kind != kernels.UML && s.Kernel.Kind != kernels.BzImage {
		return s, fmt.Errorf("there is no kind of guest %q", s.Kernel.Kind)
	}
	if len(s.Disks) > 8 {
		return s, errors.New("a guest has at most 8 disks")
	}
	return s, nil
}

// kernelLine is what every kernel is told. After a panic it ends at once.
func kernelLine(channel string) []string {
	return []string{"panic=-1", "loglevel=7", "printk.time=1", "FAULTLINE_ROLE=" + pid1.Role, pid1.ChannelEnv + "=" + channel}
}

// Error is a guest that did not come up or has ended.
type Error struct {
	What    string // "boot", ...
	Err     error
	Console string // its last lines
	// Refused is set if the guest has come up and says itself why it is of no use: another one would say the same.
	Refused bool
}

func (e *Error) Error() string {
	text := e.What + ": " + e.Err.Error()
	if last := lastLines(e.Console, 3); last != "" {
		text += "; its console ends: " + last
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}
