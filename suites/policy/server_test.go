package policy_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/self"
	"faultline/targetfs/control"
	"faultline/targetfs/fused"
	"faultline/targetfs/image"
	"faultline/targetfs/usercopy"
)

// patience is how long a thing that must happen may take on a busy machine.
const patience = time.Minute

const (
	imageSize   = 64 << 20
	journalSize = 8 << 20
)

// mount is a fresh image on a folder, served by a process of its own under a policy. Nothing in this process touches the folder while
// something may hang there.
type mount struct {
	home   string // a folder of ours, with what follows in it
	image  string
	dir    string
	server *process
	// seen is what the server said before it was killed.
	seen evidence
}

// evidence is what a server says about a hang.
type evidence struct{ cycle, glocks, counters string }

// process is a child, which may never end.
type process struct {
	*exec.Cmd
	stdout *bufio.Reader
	stderr *bytes.Buffer // valid when ended
	ended  chan struct{}
}

// start starts our own binary in a role and reads the first line that it says.
func start(role string, args ...string) (*process, string, error) {
	p := &process{Cmd: self.Command(role, args...), stderr: new(bytes.Buffer), ended: make(chan struct{})}
	p.Stderr = p.stderr
	read, write, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	p.Stdout, p.stdout = write, bufio.NewReader(read)
	err = p.Start()
	write.Close()
	if err != nil {
		return nil, "", err
	}
	go func() {
		p.Wait()
		close(p.ended)
	}()
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		p.Process.Kill()
		<-p.ended
		return nil, "", fmt.Errorf("%s: %w: %s", role, err, p.stderr)
	}
	return p, line[:len(line)-1], nil
}

// kill ends the process. It comes back when it has ended, which what hangs on another server may keep it from.
func (p *process) kill() {
	p.Process.Kill()
	<-p.ended
}

func init() { self.Register("policy-server", serverMain) }

// serverMain serves an image: arguments are the image, the directory and the policy.
func serverMain(args []string) int {
	policy, err := usercopy.Parse(args[2])
	var server *fused.Server
	if err == nil {
		server, err = fused.Mount(fused.Options{Image: args[0], Dirs: args[1:2], Copy: policy, CheckOrder: true, AllowOther: true})
	}
	if err == nil {
		fmt.Println("mounted")
		err = server.Wait()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// newMount formats an image and mounts it.
func newMount(policy usercopy.Policy) (*mount, error) {
	home, err := os.MkdirTemp("", "policy")
	if err != nil {
		return nil, err
	}
	m := &mount{home: home, image: filepath.Join(home, "image"), dir: filepath.Join(home, "gfs2")}
	if err := errors.Join(os.Mkdir(m.dir, 0o755), m.format()); err != nil {
		return nil, err
	}
	return m, m.serve(policy)
}

func (m *mount) format() error {
	f, err := os.Create(m.image)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(imageSize); err != nil {
		return err
	}
	return image.Format(f, imageSize, image.FormatOptions{JournalBytes: journalSize})
}

func (m *mount) serve(policy usercopy.Policy) error {
	server, line, err := start("policy-server", m.image, m.dir, policy.String())
	if err == nil && line != "mounted" {
		err = fmt.Errorf("the server says %q", line)
	}
	m.server = server
	return err
}

// ask asks the server, whatever hangs.
func (m *mount) ask(command ...string) string {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	text, err := control.Ask(ctx, m.dir, command...)
	Expect(err).NotTo(HaveOccurred())
	return text
}

// witness notes what the server says.
func (m *mount) witness() {
	GinkgoHelper()
	m.seen = evidence{m.ask("cycle"), m.ask("glocks"), m.ask("counters")}
}

// kill ends the server, which frees everybody who is stuck, and takes the mount away.
func (m *mount) kill() {
	m.server.kill()
	unix.Unmount(m.dir, unix.MNT_DETACH)
}

// unmount ends the mount in good order.
func (m *mount) unmount() {
	GinkgoHelper()
	Eventually(func() error { return unix.Unmount(m.dir, 0) }, patience).Should(Succeed())
	Eventually(m.server.ended, patience).Should(BeClosed())
	Expect(m.server.ProcessState.ExitCode()).To(BeZero(), m.server.stderr.String())
}

// recover mounts the image again, which replays its journal.
func (m *mount) recover() {
	GinkgoHelper()
	Expect(m.serve(usercopy.Kernel)).To(Succeed())
	m.unmount()
}

// scrap is for a spec that failed: it ends the server and takes the mount away. The image is left for people to look at.
func (m *mount) scrap() {
	if m.server != nil {
		m.server.kill()
	}
	for unix.Unmount(m.dir, unix.MNT_DETACH) == nil { // whatever is mounted on top of each other
	}
}

// clean has fsck.gfs2 and our own check look at the image, and removes all that is ours.
func (m *mount) clean() {
	GinkgoHelper()
	f, err := os.Open(m.image)
	Expect(err).NotTo(HaveOccurred())
	defer f.Close()
	var findings []string
	Expect(image.Check(f, imageSize, func(f image.Finding) { findings = append(findings, f.String()) })).To(Succeed())
	Expect(findings).To(BeEmpty())
	if _, err := exec.LookPath("fsck.gfs2"); err == nil {
		out, err := exec.Command("fsck.gfs2", "-n", m.image).CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(out))
	}
	for _, ours := range []string{m.dir, m.image, m.home} { // not recursively: nothing else is to be there
		Expect(os.Remove(ours)).To(Succeed())
	}
}
