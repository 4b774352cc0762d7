package pid1

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// VirtioPort begins the name of a channel that is a virtio-serial port: "virtio:faultline". Its device has a number that nobody can foretell.
const VirtioPort = "virtio:"

// openChannel opens the device that leads to the host. Its driver may still be looking for it.
func openChannel(name string, patience time.Duration) (*os.File, error) {
	deadline := time.Now().Add(patience)
	for {
		path := devicePath(name)
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err == nil {
			makeRaw(fd)
			return os.NewFile(uintptr(fd), path), nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("open the channel to the host, %s: %w", name, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// devicePath finds the device of a channel, as far as it is there: ports have their names in sysfs (drivers/char/virtio_console.c).
func devicePath(name string) string {
	port, is := strings.CutPrefix(name, VirtioPort)
	if !is {
		return name
	}
	files, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(text)) == port {
			return filepath.Join("/dev", filepath.Base(filepath.Dir(file)))
		}
	}
	return name
}

// makeRaw lets every byte through a serial line as it is. Other channels have no terminal to set.
func makeRaw(fd int) {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B38400
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	_ = unix.IoctlSetTermios(fd, unix.TCSETS, t) // then the first line does not come through, and the host says so
}
