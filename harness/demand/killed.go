package demand

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// lookEvery is how often a thread that has got a signal is looked at.
const lookEvery = 20 * time.Millisecond

// dying reports whether a thread is gone or has SIGKILL before it: SigPnd and ShdPnd are the signals that wait, as bits, the first for signal 1
// (proc_pid_status(5)). A fatal signal is SIGKILL for every thread of its process (complete_signal in kernel/signal.c).
func dying(tid int32) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return true
	}
	for line := range bytes.Lines(status) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		if k := string(key); k != "SigPnd" && k != "ShdPnd" {
			continue
		}
		if bits, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 16, 64); err == nil && bits&(1<<(unix.SIGKILL-1)) != 0 {
			return true
		}
	}
	return false
}
