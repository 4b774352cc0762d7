package guest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
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
