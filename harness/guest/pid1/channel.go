package pid1

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// openChannel opens the device that leads to the host. Its driver may still be looking for it.
func openChannel(path string, patience time.Duration) (*os.File, error) {
	deadline := time.Now().Add(patience)
	for {
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err == nil {
			makeRaw(fd)
			return os.NewFile(uintptr(fd), path), nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("open the channel to the host, %s: %w", path, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
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
