package kernels

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

func TestIdentify(t *testing.T) {
	for _, c := range []struct {
		name string
		text []byte
		want string
	}{
		{"a shell script", []byte("#!/bin/sh\n"), "neither a UML program nor an x86 boot image"},
		{"nothing", nil, "neither a UML program nor an x86 boot image"},
		{"a vmlinux", program(0xffffffff81000000, "Linux version 6.1.1 (me)"), "it is a vmlinux"},
		{"another program", program(0x400000, "hello"), "no User Mode Linux"},
		{"half a program", uml("6.1.1")[:40], "read a program"},
		{"a boot image without a version", boot(""), "does not tell its version"},
		{"half a boot image", boot("6.1.1 x")[:0x210], "ends before its version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := identify(c.text)
			gomega.NewWithT(t).Expect(err).To(gomega.MatchError(gomega.ContainSubstring(c.want)))
		})
	}
}

// tree is a tree built with ARCH=um: what is in modules.order, in the three ways that releases write it.
func tree(t *testing.T, order string) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "linux", uml("6.19.0-rc1+"))
	put(t, dir, orderFile, []byte(order))
	put(t, dir, builtinFile, []byte("kernel/fs/ext4/ext4.ko\n"))
	put(t, dir, "fs/gfs2/gfs2.ko", ko("depends=dlm", "name=gfs2"))
	put(t, dir, "fs/dlm/dlm.ko", ko("depends=", "name=dlm"))
	put(t, dir, "fs/xfs/xfs.c", []byte("no module"))
	return dir
}

func TestAddABuiltTree(t *testing.T) {
	for name, order := range map[string]string{
		"of old":  "kernel/fs/dlm/dlm.ko\nkernel/fs/gfs2/gfs2.ko\n",
		"between": "fs/dlm/dlm.ko\nfs/gfs2/gfs2.ko\n",
		"of now":  "fs/dlm/dlm.o\nfs/gfs2/gfs2.o\n",
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			s, dir := store(t), tree(t, order)
			for _, linux := range []string{dir, dir + "/linux"} {
				k, err := s.Add(context.Background(), "mine", linux, "")
				g.Expect(err).NotTo(gomega.HaveOccurred())
				g.Expect(k.Release).To(gomega.Equal("6.19.0-rc1+"))
				g.Expect(k.Modules).To(gomega.HaveSuffix("/mine/modules/6.19.0-rc1+"))
				g.Expect(os.ReadFile(k.Modules + "/modules.dep")).To(gomega.BeEquivalentTo(
					"kernel/fs/dlm/dlm.ko:\nkernel/fs/gfs2/gfs2.ko: kernel/fs/dlm/dlm.ko\n"))
				g.Expect(k.Modules + "/kernel/fs/gfs2/gfs2.ko").To(gomega.BeAnExistingFile())
				g.Expect(k.Modules + "/modules.builtin").To(gomega.BeAnExistingFile())
				g.Expect(inside(t, s)).To(gomega.ConsistOf("mine"))
			}
		})
	}
}

// The daily cycle: a path is copied when it changed since, and only then.
func TestLookupOfAPathFollowsTheTree(t *testing.T) {
	g := gomega.NewWithT(t)
	ctx := context.Background()
	s, dir := store(t), tree(t, "fs/dlm/dlm.ko\nfs/gfs2/gfs2.ko\n")
	first, err := s.Lookup(ctx, UML, dir)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	was, err := os.Stat(first.Linux)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	again, err := s.Lookup(ctx, UML, dir+"/linux")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(again).To(gomega.Equal(first))
	is, err := os.Stat(again.Linux)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(os.SameFile(was, is)).To(gomega.BeTrue(), "not copied again")

	module := put(t, dir, "fs/gfs2/gfs2.ko", ko("depends=", "name=gfs2"))
	g.Expect(os.Chtimes(module, time.Time{}, time.Now().Add(time.Hour))).To(gomega.Succeed())
	changed, err := s.Lookup(ctx, UML, dir)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(os.ReadFile(changed.Modules + "/modules.dep")).To(gomega.ContainSubstring("gfs2.ko:\n"))
	g.Expect(inside(t, s)).To(gomega.ConsistOf(changed.Name))
	_, err = s.Lookup(ctx, BzImage, dir)
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("is of kind uml, wanted bzimage")))
}

func TestAddInstalledModules(t *testing.T) {
	g := gomega.NewWithT(t)
	s, dir := store(t), t.TempDir()
	linux := put(t, dir, "bzImage", boot("6.1.7-mine (me) #1"))
	put(t, dir, "installed/lib/modules/6.1.7-mine/modules.dep", []byte("kernel/a.ko:\n"))
	put(t, dir, "installed/lib/modules/6.1.7-mine/kernel/a.ko", []byte("a"))
	g.Expect(os.Symlink("/usr/src/linux", dir+"/installed/lib/modules/6.1.7-mine/build")).To(gomega.Succeed())
	for _, modules := range []string{"installed", "installed/lib/modules", "installed/lib/modules/6.1.7-mine"} {
		k, err := s.Add(context.Background(), "mine", linux, filepath.Join(dir, modules))
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(k.Kind).To(gomega.Equal(BzImage))
		g.Expect(filepath.Glob(k.Modules + "/*")).To(gomega.ConsistOf(k.Modules+"/modules.dep", k.Modules+"/kernel"))
	}
}

func TestWhatCannotBeAdded(t *testing.T) {
	dir := t.TempDir()
	linux := put(t, dir, "linux", uml("6.1.1"))
	text := put(t, dir, "text", []byte("hello"))
	hostile := tree(t, "../../../etc/passwd.ko\n")
	for _, c := range []struct{ name, linux, modules, want string }{
		{"uml-6.1", linux, "", "is kept for kernels that are fetched"},
		{"deb-6.1", linux, "", "is kept for kernels that are fetched"},
		{"a/b", linux, "", "is no name of a kernel"},
		{"x", dir + "/none", "", "no such file"},
		{"x", text, "", "neither a UML program nor an x86 boot image"},
		{"x", t.TempDir(), "", "is it built?"},
		{"x", linux, t.TempDir(), "there are no modules of 6.1.1 in"},
		{"x", hostile, "", "which leads outside"},
		{"x", tree(t, "fs/none/none.ko\n"), "", "no such file"},
	} {
		g := gomega.NewWithT(t)
		s := store(t)
		_, err := s.Add(context.Background(), c.name, c.linux, c.modules)
		g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(c.want)), "%+v", c)
		g.Expect(inside(t, s)).To(gomega.BeEmpty())
	}
}

func TestCompleteModules(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(ko("depends=dlm,lib-crc", "alias=fs-gfs2")); err != nil {
		t.Fatal(err)
	}
	g.Expect(z.Close()).To(gomega.Succeed())
	put(t, dir, "kernel/fs/gfs2.ko.gz", packed.Bytes())
	put(t, dir, "kernel/fs/dlm.ko", ko("depends=configfs"))
	put(t, dir, "kernel/fs/configfs.ko", ko("license=GPL"))
	put(t, dir, "kernel/lib/lib-crc.ko", ko("softdep=pre: crc32c post: other", "depends=built_in"))
	put(t, dir, "kernel/crypto/crc32c_generic.ko", ko("alias=crc32c"))
	put(t, dir, "kernel/crypto/crc32c_intel.ko", ko("alias=crc32c"))
	put(t, dir, "kernel/a.ko", ko("depends=b"))
	put(t, dir, "kernel/b.ko", ko("depends=a")) // no cycle of theirs hangs us
	g.Expect(completeModules(dir)).To(gomega.Succeed())
	text, err := os.ReadFile(dir + "/modules.dep")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(strings.Split(string(text), "\n")).To(gomega.ConsistOf(
		"kernel/fs/gfs2.ko.gz: kernel/lib/lib-crc.ko kernel/crypto/crc32c_generic.ko kernel/fs/dlm.ko kernel/fs/configfs.ko",
		"kernel/fs/dlm.ko: kernel/fs/configfs.ko", "kernel/fs/configfs.ko:", "kernel/lib/lib-crc.ko: kernel/crypto/crc32c_generic.ko",
		"kernel/crypto/crc32c_generic.ko:", "kernel/crypto/crc32c_intel.ko:", "kernel/a.ko: kernel/b.ko", "kernel/b.ko: kernel/a.ko", ""))

	g.Expect(os.WriteFile(dir+"/modules.dep", []byte("theirs"), 0o644)).To(gomega.Succeed())
	g.Expect(completeModules(dir)).To(gomega.Succeed())
	g.Expect(os.ReadFile(dir+"/modules.dep")).To(gomega.BeEquivalentTo("theirs"), "one that is there stays")
	for _, text := range []string{"", "no module", string(program(0, ""))} {
		bad := t.TempDir()
		put(t, bad, "kernel/x.ko", []byte(text))
		g.Expect(completeModules(bad)).NotTo(gomega.Succeed())
	}
}

func TestReleases(t *testing.T) {
	g := gomega.NewWithT(t)
	sorted := []string{"5.10.0-9-amd64", "5.10.0-46-amd64", "6.1.0-0.deb11.48-amd64", "6.1.0-9-amd64", "6.1.0-50-amd64", "6.12.90+deb12-amd64", "6.12.90+deb12.1-amd64", "6.12.101+deb12-amd64", "7.2.13+deb14-amd64"}
	for i, a := range sorted {
		for j, b := range sorted {
			g.Expect(compareReleases(a, b) < 0).To(gomega.Equal(i < j), "%s < %s", a, b)
		}
	}
	g.Expect(heads(sorted)).To(gomega.Equal([]string{"5.10.0-46-amd64", "6.1.0-50-amd64", "6.12.101+deb12-amd64", "7.2.13+deb14-amd64"}))
	for series, want := range map[string]string{"6.1": "6.1.0-50-amd64", "6": "6.12.101+deb12-amd64", "6.1.0-9-amd64": "6.1.0-9-amd64", "5.10.0": "5.10.0-46-amd64", "4.4": "", "6.": ""} {
		got, ok := newest(sorted, series)
		g.Expect(got).To(gomega.Equal(want), series)
		g.Expect(ok).To(gomega.Equal(want != ""))
	}
}
