package apt

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// grace is how long a cancelled command may take to end.
const grace = 5 * time.Second

// run starts one of apt's commands in dir with our settings, and returns what it said. It ends when ctx does, and when we do.
func (a *Apt) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(a.dir, "apt.conf"), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// complaint is the line that says best what went wrong in the output of apt: that of the first source that failed.
func complaint(out string) string {
	for _, mark := range []string{"Err:", "E: ", "W: Failed to fetch", "W: GPG error"} {
		lines := strings.Split(out, "\n")
		for i, line := range lines {
			if !strings.HasPrefix(line, mark) {
				continue
			}
			if mark == "Err:" && i+1 < len(lines) {
				return strings.Join(strings.Fields(line + ": " + lines[i+1])[1:], " ")
			}
			return strings.TrimSpace(line[strings.Index(line, " "):])
		}
	}
	return ""
}
