package planted_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/posixtest"
	"github.com/onsi/gomega"
)

func TestNothingIsWrongWithoutFault(t *testing.T) {
	for name := range userPrograms {
		if name == "random" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m := mounted(t, "none")
			gomega.NewWithT(t).Expect(m.use(t, name).says(t)).To(gomega.Equal("right"))
		})
	}
}

func TestRandomCallsWithoutFault(t *testing.T) {
	m := mounted(t, "none")
	for seed := range 4 {
		said := m.use(t, "random", fmt.Sprint(seed)).says(t)
		gomega.NewWithT(t).Expect(said).To(gomega.Equal("right"))
	}
}

func TestSparseFilesTakeNoMemory(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "none")
	before := m.server.residentKiB()
	g.Expect(before).To(gomega.BeNumerically(">", 0))
	g.Expect(m.use(t, "sparse").says(t)).To(gomega.Equal("right"))
	g.Expect(m.server.residentKiB() - before).To(gomega.BeNumerically("<", 64<<10))
}

// withoutSupport names the posixtest cases about what this file system does not have.
var withoutSupport = map[string]string{
	"SymlinkReadlink":     "symbolic links",
	"SetattrSymlink":      "symbolic links",
	"OpenSymlinkRace":     "symbolic links",
	"FcntlFlockLocksFile": "locks of its own: the kernel's are per process",
	"XAttr":               "extended attributes",
	"XAttrLarge":          "extended attributes",
}

// TestPosix runs go-fuse's own tests of a file system. They are system calls without mappings, so this process stays alive;
// should one hang, the end of the server ends it.
func TestPosix(t *testing.T) {
	m := mounted(t, "none")
	watchdog := time.AfterFunc(patience, func() { m.server.Process.Kill() })
	defer watchdog.Stop()
	for name, test := range posixtest.All {
		if withoutSupport[name] != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(m.dir, name)
			gomega.NewWithT(t).Expect(os.Mkdir(dir, 0755)).To(gomega.Succeed())
			test(t, dir)
		})
	}
}
