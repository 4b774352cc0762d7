package planted_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/self"
	"faultline/targetfs/planted"
)

// patience is how long a step that must end may take on a busy machine.
const patience = time.Minute

func init() {
	self.Register("planted-server", serverMain)
	self.Register("planted-user", userMain)
}

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

// serverMain is the process that serves: arguments are the directory and the spec.
func serverMain(args []string) int {
	fault, err := planted.Parse(args[1])
	if err == nil {
		err = planted.Serve(args[0], fault, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A mount is a planted file system served by a process of its own. Nothing in this process touches dir, for that may hang, but
// posixtest, where no fault can bite.
type mount struct {
	dir    string
	server *process
	// connection is the number of the FUSE connection, the minor of st_dev.
	connection string
}

// process is a child, which may not be waited for: it may never end.
type process struct {
	*exec.Cmd
	output *bytes.Buffer // of stderr, and of stdout where it is not read otherwise; valid when ended
	ended  chan struct{}
}

func start(cmd *exec.Cmd) (*process, error) {
	p := &process{Cmd: cmd, output: new(bytes.Buffer), ended: make(chan struct{})}
	cmd.Stderr = p.output
	if cmd.Stdout == nil {
		cmd.Stdout = p.output
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// mounted serves the spec until the test ends.
func mounted(t *testing.T, spec string) *mount {
	t.Helper()
	g := gomega.NewWithT(t)
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skipf("needs FUSE: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to end the connection of a mount that hangs")
	}
	// Not t.TempDir: that is deleted recursively, whatever is mounted there.
	dir, err := os.MkdirTemp("", "planted")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() { os.Remove(dir) })

	cmd := self.Command("planted-server", dir, spec)
	read, write, err := os.Pipe()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer read.Close()
	cmd.Stdout = write
	m := &mount{dir: dir}
	m.server, err = start(cmd)
	write.Close()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(m.end)

	read.SetReadDeadline(time.Now().Add(patience))
	line, err := bufio.NewReader(read).ReadString('\n')
	g.Expect(err).NotTo(gomega.HaveOccurred(), "the server did not come up")
	g.Expect(line).To(gomega.Equal("mounted " + dir + "\n"))
	m.connection = connection(dir)
	g.Expect(m.connection).NotTo(gomega.BeEmpty(), "no FUSE mount on "+dir)
	return m
}

// end frees everyone who is stuck, for the connection ends with its server, and takes the mount away.
func (m *mount) end() {
	m.server.Process.Kill()
	<-m.server.ended
	unix.Unmount(m.dir, unix.MNT_DETACH)
}

// abort ends the connection and leaves the server alone. It uses a fusectl file system of its own: not every machine has one
// mounted.
func (m *mount) abort() error {
	control, err := os.MkdirTemp("", "planted-control")
	if err != nil {
		return err
	}
	defer os.Remove(control)
	if err := unix.Mount("fusectl", control, "fusectl", 0, ""); err != nil {
		return err
	}
	defer unix.Unmount(control, unix.MNT_DETACH)
	return os.WriteFile(filepath.Join(control, m.connection, "abort"), []byte("1"), 0)
}

// connection is the number of the FUSE connection mounted on dir; empty without one. It asks mountinfo, for stat may hang.
func connection(dir string) string {
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for _, line := range strings.Split(string(mounts), "\n") {
		fields := strings.Fields(line)
		if len(fields) > 4 && fields[4] == dir && strings.Contains(line, "fuse.planted") {
			_, minor, _ := strings.Cut(fields[2], ":")
			return minor
		}
	}
	return ""
}

// use starts a program of userPrograms on the mount, in a process of its own.
func (m *mount) use(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p, err := start(self.Command("planted-user", append([]string{program, m.dir}, args...)...))
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() { p.Process.Kill() })
	return p
}

// says is what the program prints, once it has ended.
func (p *process) says(t *testing.T) string {
	t.Helper()
	gomega.NewWithT(t).Eventually(p.ended, patience).Should(gomega.BeClosed(), "%v does not end", p.Args)
	return p.output.String()
}

// stacks is what the kernel does for each thread of p.
func (p *process) stacks() string {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stack", p.Process.Pid))
	var all strings.Builder
	for _, file := range files {
		stack, _ := os.ReadFile(file)
		all.Write(stack)
	}
	return all.String()
}

// cpu is the time that p has used, in clock ticks: fields 14 and 15 of proc_pid_stat(5).
func (p *process) cpu() int {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	var user, system int
	for i, field := range strings.Fields(string(rest)) {
		switch i {
		case 11:
			fmt.Sscan(field, &user)
		case 12:
			fmt.Sscan(field, &system)
		}
	}
	return user + system
}

// residentKiB is the memory that p has.
func (p *process) residentKiB() (kib int) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	fmt.Sscan(rest, &kib)
	return kib
}

func (m *mount) terminate() { m.server.Process.Signal(syscall.SIGTERM) }
