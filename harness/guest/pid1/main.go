package pid1

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"faultline/harness/self"
)

// Role is that of the first process. The kernel hands what it does not know of its command line to its first process as environment
// (Documentation/admin-guide/kernel-parameters.rst), so that "FAULTLINE_ROLE=guest-init" there chooses it.
const Role = "guest-init"

// ChannelEnv names the device of the channel, on the kernel's command line.
const ChannelEnv = "FAULTLINE_CHANNEL"

// channelPatience is how long the device of the channel may take to appear.
const channelPatience = 20 * time.Second

// Unmounted and NotUnmounted begin the last line on the console of a guest that was turned off in good order: whether all that
// it had mounted could be unmounted.
const (
	Unmounted    = "faultline: unmounted"
	NotUnmounted = "faultline: not unmounted"
)

func init() { self.Register(Role, main) }

// main never returns in a guest: the kernel panics when its first process ends.
func main([]string) int {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "faultline: the role", Role, "is for the first process of a guest only")
		return 2
	}
	if err := serve(); err != nil {
		fmt.Println("faultline: init:", err)
	}
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	return 1
}

// lastWords is how long the host has to read why the guest cannot be used; then it ends the guest. Power off takes unread bytes along.
const lastWords = 5 * time.Second

func serve() error {
	if err := prepare(); err != nil {
		return err
	}
	channel, err := openChannel(os.Getenv(ChannelEnv), channelPatience)
	if err != nil {
		return err
	}
	if err := Send(channel, hello()); err != nil {
		return err
	}
	order, err := Receive[Order](channel)
	if err != nil {
		return err
	}
	ready := Ready{}
	if err := order.carryOut(); err != nil {
		ready.Error = err.Error()
	}
	if err := Send(channel, ready); err != nil {
		return err
	}
	if ready.Error != "" {
		time.Sleep(lastWords)
		return nil
	}
	agent, err := startAgent(order.Agent, channel)
	if err != nil {
		return err
	}
	reap(agent)
	farewell(order.Mounts)
	return nil
}

func hello() Hello {
	h := Hello{Protocol: Protocol}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		h.Release, h.Version = unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Version[:])
	}
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) == nil {
		h.Uptime = time.Duration(now.Nano())
	}
	return h
}

func (o Order) carryOut() error {
	if err := stir(o.Seed); err != nil {
		return err
	}
	for _, m := range o.Mounts {
		if err := m.Do(); err != nil {
			return err
		}
	}
	return nil
}

// urgent is the nice value of the agent: it must be able to tell what threads do that never let go of the processor for long.
const urgent = -20

// startAgent hands the channel over.
func startAgent(role string, channel *os.File) (pid int, err error) {
	cmd := self.Command(role)
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{channel}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	runtime.LockOSThread() // whose nice value the agent takes over
	defer runtime.UnlockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, urgent) // without it the agent only answers later
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start the agent %s: %w", role, err)
	}
	channel.Close()
	return cmd.Process.Pid, nil
}

// reap waits for all children, ours and those of the dead, until the agent has ended.
func reap(agent int) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return
		case pid == agent:
			if status.Signaled() || status.ExitStatus() != 0 {
				fmt.Printf("faultline: the agent ended: exit code %d, signal %v\n", status.ExitStatus(), status.Signal())
			}
			return
		}
	}
}

// farewell ends everybody and unmounts, the last mount first. The host gives it some seconds.
func farewell(mounts []Mount) {
	_ = unix.Kill(-1, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, unix.EINTR) {
			break
		}
	}
	for _, m := range slices.Backward(mounts) {
		if err := unix.Unmount(m.Point, 0); err != nil {
			fmt.Printf("%s: %s: %v\n", NotUnmounted, m.Point, err)
			return
		}
	}
	fmt.Println(Unmounted)
}
