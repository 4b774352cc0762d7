package guest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Meminfo is where the kernel tells of its memory (proc_meminfo(5)).
const Meminfo = "/proc/meminfo"

// Available is the memory in bytes that new guests may take, as a file like Meminfo says it.
func Available(meminfo string) (int64, error) {
	text, err := os.ReadFile(meminfo)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[0] == "MemAvailable:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no line MemAvailable", meminfo)
}

// openMemory opens the physical memory of a guest: a large file without a name that the guest's process has open. User Mode Linux always has one
// (arch/um/os-Linux/mem.c); QEMU is told to. There is nil where none is found: then the dead tell less.
func openMemory(pid int, size int64) *os.File {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		var st unix.Stat_t
		err := unix.Stat(link, &st)
		if err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 0 || st.Size < size {
			continue
		}
		if f, err := os.Open(link); err == nil {
			return f
		}
	}
	return nil
}

// What lies where in the physical memory of a PC that QEMU makes (hw/i386/pc_piix.c: pc_init1): from holeFrom to holeTo are devices, and the memory that has no place
// below goes on behind them. QEMU is told to begin the hole there whatever the size of the memory is.
const (
	holeFrom = 3 << 30
	holeTo   = 4 << 30
)

// pcMemory reads by physical address what QEMU keeps in a file without the hole.
type pcMemory struct{ file io.ReaderAt }

func (m pcMemory) ReadAt(b []byte, at int64) (int, error) {
	switch end := at + int64(len(b)); {
	case end <= holeFrom:
		return m.file.ReadAt(b, at)
	case at >= holeTo:
		return m.file.ReadAt(b, at-(holeTo-holeFrom))
	}
	return 0, fmt.Errorf("read %d bytes of a guest's memory at %#x: devices are there", len(b), at)
}
