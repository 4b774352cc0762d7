package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"faultline/harness/machine"
)

// grace is how long we wait for a process that was told to end.
const grace = 2 * time.Second

// toolPatience is how long mkfs, mount(8) or fsck may take; the images are small.
const toolPatience = 5 * time.Minute

// toolError is a tool that ended with another code than 0.
type toolError struct {
	Command string
	Code    int // -1 if a signal ended it
	Output  string
}

func (e *toolError) Error() string {
	if last := lastLine(e.Output); last != "" {
		return fmt.Sprintf("%s ended with code %d: %s", e.Command, e.Code, last)
	}
	return fmt.Sprintf("%s ended with code %d and said nothing", e.Command, e.Code)
}

// runTool runs a program to its end and returns what it said on both outputs. The error is a *toolError if it failed. It does
// not run in our process group, so that a ^C is ours to handle. When ctx ends it is killed, and left behind if it is
// stuck in the kernel.
func runTool(ctx context.Context, name string, args ...string) (string, error) {
	path, err := findTool(name)
	if err != nil {
		return "", err
	}
	limited, cancel := context.WithTimeoutCause(ctx, toolPatience, fmt.Errorf("it took longer than %v", toolPatience))
	defer cancel()
	command := strings.Join(append([]string{name}, args...), " ")
	var said machine.Tail
	cmd := exec.Command(path, args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = grace
	if err := limited.Err(); err != nil {
		return "", fmt.Errorf("%s: %w", command, context.Cause(limited))
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	ended := make(chan struct{})
	var result error
	go func() {
		result = cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-limited.Done():
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		waitFor(ended, grace)
		return said.String(), fmt.Errorf("%s: %w", command, context.Cause(limited))
	}
	var exit *exec.ExitError
	if errors.As(result, &exit) {
		return said.String(), &toolError{Command: command, Code: exit.ExitCode(), Output: said.String()}
	}
	if result != nil {
		return said.String(), fmt.Errorf("%s: %w", command, result)
	}
	return said.String(), nil
}

// findTool looks in PATH, then where administrators' tools are: a user's PATH often lacks those.
func findTool(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if path, sbinErr := exec.LookPath(filepath.Join(dir, name)); sbinErr == nil {
			return path, nil
		}
	}
	return "", err
}

// waitFor reports whether the channel was closed within the time.
func waitFor(closed <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-closed:
		return true
	case <-timer.C:
	}
	select { // both may have been ready
	case <-closed:
		return true
	default:
		return false
	}
}
