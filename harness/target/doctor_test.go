package target

import (
	"context"
	"os"
	"testing"

	"github.com/onsi/gomega"
)

func TestDoctorLooksAtEverything(t *testing.T) {
	g := gomega.NewWithT(t)
	seen := map[string]Finding{}
	for _, f := range Doctor(t.Context()) {
		g.Expect(seen).NotTo(gomega.HaveKey(f.Name))
		g.Expect(f.Detail).NotTo(gomega.BeEmpty(), f.Name)
		g.Expect(f.Skips).NotTo(gomega.BeEmpty(), f.Name)
		seen[f.Name] = f
	}
	for _, row := range fsTypes {
		g.Expect(seen).To(gomega.HaveKey("loop:" + row.name))
		g.Expect(seen["loop:"+row.name].OK).To(gomega.Equal(len(row.lacks()) == 0))
	}
	for _, name := range []string{
		"root", "room", "loop devices", "tmpfs", "overlay", "fuse", "fsck.gfs2", "fusectl", "userfaultfd", "kernel stacks", "kernel log",
		"locked memory", "drop_caches", "STATX_DIOALIGN",
	} {
		g.Expect(seen).To(gomega.HaveKey(name))
	}
	g.Expect(seen["root"].OK).To(gomega.Equal(os.Geteuid() == 0))
}

func TestDoctorTellsLacksFromMends(t *testing.T) {
	g := gomega.NewWithT(t)
	e := examination{"name", "skips", func() (string, []lack) { return "fine", []lack{{"a", "b"}, {"c", ""}, {"d", "e"}} }}
	g.Expect(e.finding()).To(gomega.Equal(Finding{Name: "name", Detail: "a; c; d", Mend: "b; e", Skips: "skips"}))
	e.look = func() (string, []lack) { return "fine", nil }
	g.Expect(e.finding()).To(gomega.Equal(Finding{Name: "name", OK: true, Detail: "fine", Skips: "skips"}))
}

func TestDoctorStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	gomega.NewWithT(t).Expect(Doctor(ctx)).To(gomega.BeEmpty())
}
