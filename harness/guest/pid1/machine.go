package pid1

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"faultline/harness/guest/initramfs"
)

// basic is what every machine has mounted. What a kernel does not know is left out, except where must says so.
var basic = []struct {
	Mount
	must bool
}{
	{Mount{Source: "proc", Point: "/proc", Type: "proc"}, true},
	{Mount{Source: "sys", Point: "/sys", Type: "sysfs"}, true},
	{Mount{Source: "dev", Point: "/dev", Type: "devtmpfs"}, true},
	{Mount{Source: "tmp", Point: "/tmp", Type: "tmpfs", Options: "mode=1777"}, true},
	{Mount{Source: "shm", Point: "/dev/shm", Type: "tmpfs", Options: "mode=1777"}, true},
	{Mount{Source: "debugfs", Point: "/sys/kernel/debug", Type: "debugfs"}, false},
}

// late is mounted after the modules are there.
var late = []Mount{
	{Source: "fusectl", Point: "/sys/fs/fuse/connections", Type: "fusectl"},
}

// sysctls make the kernel say at once, and in full, what is wrong with it (Documentation/admin-guide/sysctl). An oops ends the guest: what it has
// locked stays locked, so that no later program could be judged on it.
var sysctls = map[string]string{
	"kernel/printk":                    "7",
	"kernel/printk_devkmsg":            "on",
	"kernel/printk_ratelimit":          "0",
	"kernel/kptr_restrict":             "0",
	"kernel/panic":                     "-1",
	"kernel/panic_on_oops":             "1",
	"kernel/hung_task_timeout_secs":    "20",
	"kernel/hung_task_warnings":        "-1",
	"kernel/hung_task_panic":           "0",
	"kernel/watchdog_thresh":           "10",
	"kernel/softlockup_panic":          "0",
	"kernel/sysrq":                     "1",
	"kernel/core_pattern":              "core", // only for the step coredump: nobody else has a limit above 0
	"vm/unprivileged_userfaultfd":      "1",
	"vm/overcommit_memory":             "1",
	"fs/protected_regular":             "0",
	"kernel/perf_event_paranoid":       "-1",
	"kernel/io_uring_disabled":         "0",
	"kernel/unprivileged_bpf_disabled": "1",
}

// prepare mounts the basic file systems, inserts the modules and sets the kernel's limits.
func prepare() error {
	for _, m := range basic {
		if err := m.Do(); err != nil && m.must {
			return err
		}
	}
	if err := insertAll(initramfs.ModuleDir); err != nil {
		return err
	}
	for _, m := range late {
		_ = m.Do() // a kernel without it does without it
	}
	for name, value := range sysctls {
		_ = os.WriteFile("/proc/sys/"+name, []byte(value), 0) // which ones there are depends on the kernel's configuration
	}
	return nil
}

// Do mounts.
func (m Mount) Do() error {
	if err := os.MkdirAll(m.Point, 0o755); err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("mount %s: %w", m.Point, err)
	}
	set, data := splitOptions(m.Options)
	if err := unix.Mount(m.Source, m.Point, m.Type, set, data); err != nil {
		return fmt.Errorf("mount -t %s -o %q %s %s: %w", m.Type, m.Options, m.Source, m.Point, err)
	}
	for _, dir := range m.Make {
		if err := os.MkdirAll(filepath.Join(m.Point, dir), 0o755); err != nil {
			return fmt.Errorf("after mounting %s: %w", m.Point, err)
		}
	}
	return nil
}

// insertAll inserts the modules in dir in the order of their names.
func insertAll(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("insert modules: %w", err)
	}
	for _, e := range entries {
		if err := insert(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("insert %s: %w", e.Name(), err)
		}
		// Their memory is the guest's.
		_ = os.Remove(filepath.Join(dir, e.Name()))
	}
	return nil
}

func insert(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.FinitModule(int(f.Fd()), "", 0)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}
