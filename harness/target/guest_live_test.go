package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/guest/kernels"
)

// inGuest opens a target in a guest, or skips the test if the kernel or a tool is not here. The test closes it.
func inGuest(t *testing.T, spec string) *local {
	t.Helper()
	tg, err := Open(t.Context(), spec, Options{Temp: t.TempDir()})
	skipMissing(t, err)
	if err != nil {
		t.Fatal(err)
	}
	return tg.(*local)
}

func TestGuestTargets(t *testing.T) {
	for _, c := range []struct{ spec, fs, kernel string }{
		{"uml:5.10", "gfs2", "5.10."}, {"uml:6.1", "gfs2", "6.1."}, {"uml:6.12", "gfs2", "6.12."}, {"uml:7.2", "gfs2", "7.2."},
		{"uml:5.10,fs=xfs", "xfs", "5.10."}, {"uml:6.1,fs=ext4,mount=data=journal", "ext4", "6.1."}, {"uml:7.2,fs=btrfs", "btrfs", "7.2."},
		{"uml:6.1,fs=f2fs", "f2fs", "6.1."}, {"uml:6.1,fs=ocfs2", "ocfs2", "6.1."}, {"uml:7.2,fs=tmpfs", "tmpfs", "7.2."},
		{"uml:6.12,fs=overlay,on=xfs", "overlay", "6.12."}, {"uml:6.1,fs=fuse", "fuse.gfs2", "6.1."}, {"uml:7.2,fs=ntfs3", "ntfs3", "7.2."},
		{"qemu:6.1,fs=ext4", "ext4", "6.1."}, {"qemu:6.1,fs=exfat", "exfat", "6.1."},
	} {
		t.Run(c.spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			b := inGuest(t, c.spec)
			g.Expect(b.FS()).To(gomega.Equal(c.fs))
			g.Expect(b.Mount().Kernel).To(gomega.HavePrefix(c.kernel))
			g.Expect(b.Mount().Point).To(gomega.Equal("/fs"))
			g.Expect(b.Dir()).To(gomega.HavePrefix("/fs/"))
			g.Expect(b.Other()).To(gomega.HavePrefix("/other/"))
			g.Expect(b.Lacks("odirect")).To(gomega.Or(gomega.BeEmpty(), gomega.ContainSubstring("O_DIRECT")))
			g.Expect(b.Check(t.Context())).To(gomega.Succeed())
			g.Expect(b.Close(t.Context())).To(gomega.Succeed())
		})
	}
}

// flaky puts a kernel into a store of its own that does not boot the first times.
func flaky(t *testing.T, times int) {
	t.Helper()
	store, err := kernels.Open()
	if err != nil {
		t.Skip(err)
	}
	k, err := store.Lookup(t.Context(), kernels.UML, "6.12")
	if err != nil {
		t.Skip(err)
	}
	cache := t.TempDir()
	t.Setenv(kernels.CacheEnv, cache)
	dir := filepath.Join(cache, "kernels", "uml-flaky")
	script := fmt.Sprintf("#!/bin/sh\nfor i in $(seq %d); do mkdir %s/tried-$i 2>/dev/null && exit 1; done\nexec %s \"$@\"\n", times, cache, k.Linux)
	description := fmt.Sprintf(`{"name": "uml-flaky", "kind": "uml", "release": %q, "linux": "linux", "modules": "modules", "from": "a test"}`, k.Release)
	for _, err := range []error{
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "linux"), []byte(script), 0o755),
		os.WriteFile(filepath.Join(dir, "kernel.json"), []byte(description), 0o644),
		os.Symlink(k.Modules, filepath.Join(dir, "modules")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A guest that does not come up costs another one, and is told; but not for ever, and not when it has said itself what is wrong.
func TestAGuestThatDoesNotComeUp(t *testing.T) {
	for _, c := range []struct {
		failures int
		options  string
		told     int
		problem  string
	}{
		{0, "", 0, ""},
		{1, "", 1, ""},
		{9, "", guestTries - 1, "(tried 3 times)"},
		{0, ",mount=nonsense", 0, "invalid argument"},
	} {
		t.Run(fmt.Sprint(c.failures, c.options), func(t *testing.T) {
			g := gomega.NewWithT(t)
			flaky(t, c.failures)
			var told []error
			tg, err := Open(t.Context(), "uml:flaky"+c.options, Options{Temp: t.TempDir(), Tell: func(err error) { told = append(told, err) }})
			g.Expect(told).To(gomega.HaveLen(c.told))
			if c.problem != "" {
				g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(c.problem)))
				return
			}
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(tg.Close(t.Context())).To(gomega.Succeed())
		})
	}
}

// Between programs the disk is checked, damage is found at once, and what is mounted again is as it was.
func TestRecheck(t *testing.T) {
	for _, spec := range []string{"uml:7.2,check=program", "uml:6.1,fs=overlay,on=xfs,check=batch=3", "uml:6.12,fs=fuse,check=program"} {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			b := inGuest(t, spec)
			g.Expect(b.Batch()).To(gomega.BeNumerically(">", 0))
			for range 2 {
				g.Expect(b.Recheck(t.Context())).To(gomega.Succeed())
				g.Expect(b.Check(t.Context())).To(gomega.Succeed())
			}
			if b.FS() != "overlay" {
				spoilGFS2(t, b.guest.Disk(1))
				_, is := errors.AsType[*CheckError](b.Recheck(t.Context()))
				g.Expect(is).To(gomega.BeTrue())
			}
			g.Expect(b.Close(t.Context())).To(gomega.Succeed())
		})
	}
}

// A policy that cannot be had in a guest is not taken for one that finds nothing.
func TestAGuestWhoseServerMayNotLook(t *testing.T) {
	g := gomega.NewWithT(t)
	b := inGuest(t, "uml:6.1,fs=fuse")
	g.Expect(b.Mount().Note).To(gomega.HavePrefix("copy=nofault must look at callers, and so copy=kernel is used: "))
	g.Expect(b.Locks(t.Context())).To(gomega.ContainSubstring("counters:"))
	g.Expect(b.Servers()).To(gomega.HaveLen(1))
	g.Expect(b.Close(t.Context())).To(gomega.Succeed())
	_, err := Open(t.Context(), "uml:6.1,fs=fuse,copy=faulting", Options{Temp: t.TempDir()})
	_, is := errors.AsType[*Missing](err)
	g.Expect(is).To(gomega.BeTrue(), "%v", err)
}

// What a dead guest leaves is no error of the target; the next one has a disk of its own.
func TestAGuestThatIsAborted(t *testing.T) {
	g := gomega.NewWithT(t)
	b := inGuest(t, "uml:7.2")
	g.Expect(b.Abort()).To(gomega.Succeed())
	<-b.guest.Exited()
	g.Expect(b.Check(t.Context())).NotTo(gomega.Succeed())
	g.Expect(b.Close(t.Context())).To(gomega.Succeed())
	next := inGuest(t, "uml:7.2")
	g.Expect(next.Check(t.Context())).To(gomega.Succeed())
	g.Expect(next.Close(t.Context())).To(gomega.Succeed())
}

// Damage of the disk is found when the guest was turned off, unless nobody asked for a check.
func TestDamageInAGuest(t *testing.T) {
	for spec, found := range map[string]bool{"uml:7.2": true, "uml:7.2,check=off": false} {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			b := inGuest(t, spec)
			spoilGFS2(t, b.guest.Disk(1))
			err := b.Close(context.Background())
			_, is := errors.AsType[*CheckError](err)
			g.Expect(is).To(gomega.Equal(found), "%v", err)
		})
	}
}
