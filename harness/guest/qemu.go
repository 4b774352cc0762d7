package guest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"

	"faultline/harness/guest/pid1"
)

// qemuProgram runs the kernels of this machine's architecture.
const qemuProgram = "qemu-system-x86_64"

// portName is that of the virtio-serial port.
const portName = "faultline"

// qemuMachine is how QEMU is started (qemu-system-x86_64(1)). The channel is a virtio-serial port on one inherited socket, the console the first serial
// line on QEMU's standard output.
func qemuMachine(s Spec) (machine, error) {
	program, err := exec.LookPath(qemuProgram)
	if err != nil {
		return machine{}, fmt.Errorf("%s is not installed (package qemu-system-x86)", qemuProgram)
	}
	accelerator := []string{"-accel", "tcg,thread=multi", "-cpu", "max"}
	line := append([]string{"console=ttyS0"}, kernelLine(pid1.VirtioPort+portName)...)
	if s.kvm {
		accelerator = []string{"-accel", "kvm", "-cpu", "host"}
	} else {
		// Interrogate sends the interrupt. Real processors also send such for events that they count, and some of those nobody claims.
		line = append(line, "unknown_nmi_panic")
	}
	args := append(accelerator,
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-smp", "2", "-m", fmt.Sprintf("%dM", s.Memory>>20),
		"-object", fmt.Sprintf("memory-backend-memfd,id=memory,size=%dM,share=on", s.Memory>>20),
		"-machine", fmt.Sprintf("memory-backend=memory,max-ram-below-4g=%d", holeFrom),
		"-chardev", "socket,id=monitor,server=on,wait=off,path="+monitorName, "-mon", "chardev=monitor,mode=readline",
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-device", "virtio-serial-pci", "-chardev", "socket,id=channel,fd=3", "-device", "virtserialport,chardev=channel,name="+portName,
		"-kernel", s.Kernel.Linux, "-initrd", s.Initrd,
		"-append", strings.Join(line, " "),
	)
	for i := range s.Disks {
		args = append(args, "-drive", "if=virtio,format=raw,cache=unsafe,file="+diskName(i))
	}
	m := machine{order: keepOrder{Path: program, Args: args, Env: []string{"HOME=.", "TMPDIR=.", "PATH=/usr/bin:/bin"}}}
	return m, m.join()
}

// join makes the socket.
func (m *machine) join() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make a channel: %w", err)
	}
	_ = unix.SetNonblock(fds[0], true) // without it there would be no deadlines, which the handshake would notice
	ours := os.NewFile(uintptr(fds[0]), "channel")
	m.theirs = []*os.File{os.NewFile(uintptr(fds[1]), "channel")}
	m.channel = ours
	return nil
}
