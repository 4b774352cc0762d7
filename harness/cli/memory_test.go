package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/onsi/gomega"
)

func TestJobsFitIntoMemory(t *testing.T) {
	for _, c := range []struct {
		jobs   int
		chosen bool
		specs  []string
		mib    int
		want   int
		err    string
	}{
		{8, true, []string{"fuse"}, 1, 8, ""},
		{4, true, []string{"uml:6.1"}, 2048, 4, ""},
		{8, false, []string{"uml:6.1"}, 2048, 4, ""},
		{8, true, []string{"uml:6.1"}, 2048, 0, "--jobs 8: guests of 512 MiB do not all fit into the 2048 MiB of memory that are available; at most 4 do, or less mem="},
		{8, false, []string{"uml:6.1,mem=256M", "qemu:6.1,mem=1G", "fuse"}, 4096, 3, ""},
		{1, true, []string{"uml:6.1", "uml:7.2"}, 600, 0, "the guests of the targets take 1024 MiB, and 600 MiB of memory are available: fewer targets, or less mem="},
	} {
		g := gomega.NewWithT(t)
		meminfo := filepath.Join(t.TempDir(), "meminfo")
		text := fmt.Sprintf("MemTotal: 99999999 kB\nMemAvailable:   %d kB\n", c.mib<<10)
		g.Expect(os.WriteFile(meminfo, []byte(text), 0o600)).To(gomega.Succeed())
		got, err := fitJobs(c.jobs, c.chosen, c.specs, meminfo)
		g.Expect(got).To(gomega.Equal(c.want))
		if c.err == "" {
			g.Expect(err).NotTo(gomega.HaveOccurred())
		} else {
			g.Expect(err).To(gomega.MatchError(c.err))
		}
	}
	g := gomega.NewWithT(t)
	g.Expect(fitJobs(8, true, []string{"uml:6.1"}, "/no/meminfo")).To(gomega.Equal(8), "where nobody knows")
}
