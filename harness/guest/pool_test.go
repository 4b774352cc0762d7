package guest_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/guest"
	"faultline/harness/guest/kernels"
)

// untold fails the test when a pool tells something.
func untold(t *testing.T) func(error) {
	return func(err error) { t.Error("told:", err) }
}

func TestPool(t *testing.T) {
	g := gomega.NewWithT(t)
	s := spec(t, kernels.UML, "7.2")
	p := guest.NewPool(s, untold(t))
	defer p.Close()
	first, err := p.Take(t.Context())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(ask(t, first, "write /fs/made/first")).To(gomega.Equal("<nil>"))
	first.Kill()
	second, err := p.Take(t.Context())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(ask(t, second, "read /fs/made/first")).To(gomega.ContainSubstring("no such file"), "a disk of its own")
	p.Put(first)
	p.Put(second)
	g.Eventually(func() ([]os.DirEntry, error) { return os.ReadDir(s.Temp) }, time.Minute, 50*time.Millisecond).
		Should(gomega.BeEmpty(), "without anyone in use the reserve is let go")
}

// A guest in reserve that has died is not given out, and one that cannot boot says why.
func TestPoolReplacesTheDead(t *testing.T) {
	g := gomega.NewWithT(t)
	s := spec(t, kernels.UML, "7.2")
	var told []error
	p := guest.NewPool(s, func(err error) { told = append(told, err) })
	defer p.Close()
	first, err := p.Take(t.Context())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer p.Put(first)
	// The processes that work in another folder than the first guest's are those of the one in reserve.
	killed := false
	g.Eventually(func() bool {
		for _, link := range running(s.Temp) {
			cwd, _ := os.Readlink(link)
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			if cwd != filepath.Dir(first.Disk(0)) && unix.Kill(pid, unix.SIGKILL) == nil {
				killed = true
			}
		}
		return killed
	}, time.Minute, 20*time.Millisecond).Should(gomega.BeTrue())
	second, err := p.Take(t.Context())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer p.Put(second)
	g.Expect(ask(t, second, "read /proc/uptime")).NotTo(gomega.BeEmpty())
	g.Expect(told).To(gomega.HaveLen(1))
	g.Expect(told[0]).To(gomega.MatchError(gomega.ContainSubstring("signal: killed")))

	s.Kernel.Linux = "/bin/false"
	broken := guest.NewPool(s, untold(t))
	_, err = broken.Take(t.Context())
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("it has ended (exit status 1)")))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Take(ctx)
	g.Expect(err).To(gomega.MatchError(context.Canceled))
}
