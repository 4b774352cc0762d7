package target

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// newHome makes a folder of ours with some things in it.
func newHome(t *testing.T) home {
	t.Helper()
	g := gomega.NewWithT(t)
	owner, err := us()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	h, err := makeHome(t.TempDir(), owner)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(os.MkdirAll(filepath.Join(h.Path, "a/b/c"), 0o700)).To(gomega.Succeed())
	g.Expect(os.WriteFile(filepath.Join(h.Path, "a/b/file"), []byte("x"), 0o400)).To(gomega.Succeed())
	return h
}

func TestRemoveOursRemovesAll(t *testing.T) {
	g := gomega.NewWithT(t)
	h := newHome(t)
	for i := range 1000 {
		g.Expect(os.WriteFile(filepath.Join(h.Path, "a", fmt.Sprint(i)), nil, 0o600)).To(gomega.Succeed())
	}
	deep := filepath.Join(h.Path, strings.Repeat("deep/", 100))
	g.Expect(os.MkdirAll(deep, 0o700)).To(gomega.Succeed())
	g.Expect(unix.Mkfifo(filepath.Join(h.Path, "fifo"), 0o600)).To(gomega.Succeed())
	g.Expect(removeOurs(h)).To(gomega.Succeed())
	g.Expect(h.Path).NotTo(gomega.BeAnExistingFile())
	g.Expect(removeOurs(h)).To(gomega.Succeed(), "what is gone is no error")
}

func TestRemoveOursDoesNotFollowLinks(t *testing.T) {
	g := gomega.NewWithT(t)
	outside := t.TempDir()
	precious := filepath.Join(outside, "precious")
	g.Expect(os.WriteFile(precious, nil, 0o600)).To(gomega.Succeed())
	h := newHome(t)
	g.Expect(os.Symlink(outside, filepath.Join(h.Path, "a/out"))).To(gomega.Succeed())
	g.Expect(os.Symlink("..", filepath.Join(h.Path, "a/up"))).To(gomega.Succeed())
	g.Expect(removeOurs(h)).To(gomega.Succeed())
	g.Expect(precious).To(gomega.BeAnExistingFile())
}

// Each danger makes a folder that must not be deleted; the message says why.
func TestRemoveOursRefuses(t *testing.T) {
	sentinel := func(h home) string { return filepath.Join(h.Path, sentinelName) }
	for _, danger := range []struct {
		name, why string
		plant     func(g *gomega.WithT, h *home)
	}{
		{"no sentinel", "it has no sentinel of ours", func(g *gomega.WithT, h *home) {
			g.Expect(os.Remove(sentinel(*h))).To(gomega.Succeed())
		}},
		{"an empty sentinel", "this is not a sentinel of ours", func(g *gomega.WithT, h *home) {
			g.Expect(os.Truncate(sentinel(*h), 0)).To(gomega.Succeed())
		}},
		{"a sentinel of another run", `its sentinel names another owner \(process 77, id abc\)`, func(g *gomega.WithT, h *home) {
			other := mark{ID: "abc", Owner: owner{"host", "boot", "ns", 77, 1}}
			g.Expect(os.WriteFile(sentinel(*h), []byte(other.text()), 0o600)).To(gomega.Succeed())
		}},
		{"a sentinel behind a link", "open its sentinel: too many levels of symbolic links", func(g *gomega.WithT, h *home) {
			g.Expect(os.Rename(sentinel(*h), h.Path+"-moved")).To(gomega.Succeed())
			g.Expect(os.Symlink(h.Path+"-moved", sentinel(*h))).To(gomega.Succeed())
		}},
		{"another folder in its place", "it is not the folder that we made", func(g *gomega.WithT, h *home) {
			g.Expect(os.Rename(h.Path, h.Path+"-moved")).To(gomega.Succeed())
			g.Expect(os.Mkdir(h.Path, 0o700)).To(gomega.Succeed())
			g.Expect(os.WriteFile(sentinel(*h), []byte(h.Mark.text()), 0o600)).To(gomega.Succeed())
			g.Expect(os.Mkdir(filepath.Join(h.Path, "a"), 0o700)).To(gomega.Succeed())
		}},
		{"another st_dev", "it is not the folder that we made", func(_ *gomega.WithT, h *home) { h.Dev++ }},
	} {
		t.Run(danger.name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			h := newHome(t)
			danger.plant(g, &h)
			g.Expect(removeOurs(h)).To(gomega.MatchError(gomega.MatchRegexp("^" + h.Path + " is left alone: " + danger.why + "$")))
			g.Expect(filepath.Join(h.Path, "a")).To(gomega.BeADirectory())
		})
	}
	t.Run("a link in its place", func(t *testing.T) {
		g := gomega.NewWithT(t)
		h := newHome(t)
		g.Expect(os.Rename(h.Path, h.Path+"-moved")).To(gomega.Succeed())
		g.Expect(os.Symlink(h.Path+"-moved", h.Path)).To(gomega.Succeed())
		g.Expect(removeOurs(h)).To(gomega.MatchError(gomega.MatchRegexp("not a directory$")))
		g.Expect(h.Path + "-moved/a/b/file").To(gomega.BeAnExistingFile())
	})
}

// A mount inside is refused before anything is deleted, of whatever kind it is: a bind mount has the same st_dev.
func TestRemoveOursRefusesMountsInside(t *testing.T) {
	if err := missing("mounts", lacksRoot()); err != nil {
		t.Skip(err)
	}
	for _, inside := range []struct {
		name, source, fs string
		flags            uintptr
	}{
		{"a bind mount", "", "", unix.MS_BIND},
		{"another file system", "none", "tmpfs", 0},
	} {
		t.Run(inside.name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			outside := t.TempDir()
			h := newHome(t)
			point := filepath.Join(h.Path, "a/b/c")
			source := inside.source
			if source == "" {
				source = outside
			}
			g.Expect(unix.Mount(source, point, inside.fs, inside.flags, "")).To(gomega.Succeed())
			defer unix.Unmount(point, unix.MNT_DETACH)
			precious := filepath.Join(point, "precious")
			g.Expect(os.WriteFile(precious, nil, 0o600)).To(gomega.Succeed())

			g.Expect(removeOurs(h)).To(gomega.MatchError(gomega.MatchRegexp("^" + h.Path + ` is left alone: \w+ is mounted on ` + point + "$")))
			g.Expect(precious).To(gomega.BeAnExistingFile())
			g.Expect(filepath.Join(h.Path, "a/b/file")).To(gomega.BeAnExistingFile(), "refused before anything is deleted")

			dir, err := openDir(unix.AT_FDCWD, h.Path)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			defer dir.Close()
			// The second line of defence, had the mount come later.
			g.Expect(emptyDir(dir, h.Dev, sentinelName)).NotTo(gomega.Succeed())
			if inside.fs != "" {
				g.Expect(precious).To(gomega.BeAnExistingFile())
			}
		})
	}
}

func TestMarkIsReadBack(t *testing.T) {
	g := gomega.NewWithT(t)
	owner, err := us()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(owner.PID).To(gomega.Equal(os.Getpid()))
	m := newMark(owner)
	g.Expect(parseMark(m.text())).To(gomega.Equal(m))
	g.Expect(newMark(owner).ID).NotTo(gomega.Equal(m.ID))
	for _, text := range []string{"", "x", sentinelTitle, m.text()[1:], strings.ReplaceAll(m.text(), "pid ", "pid x"), strings.ReplaceAll(m.text(), "id ", "i ")} {
		_, err := parseMark(text)
		g.Expect(err).To(gomega.MatchError("this is not a sentinel of ours"), text)
	}
}

func TestWhoIsDead(t *testing.T) {
	g := gomega.NewWithT(t)
	here, err := us()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	change := func(f func(o *owner)) owner {
		o := here
		f(&o)
		return o
	}
	for name, c := range map[string]struct {
		owner owner
		dead  bool
	}{
		"this process":           {here, false},
		"its number, used again": {change(func(o *owner) { o.Start++ }), true},
		"a number not in use":    {change(func(o *owner) { o.PID = 1 << 30 }), true},
		"before the last boot":   {change(func(o *owner) { o.Boot = "other"; o.Namespace = "other" }), true},
		"another namespace":      {change(func(o *owner) { o.Namespace = "other"; o.PID = 1 << 30 }), false},
		"another host":           {change(func(o *owner) { o.Host = "other"; o.Boot = "other" }), false},
	} {
		g.Expect(c.owner.dead()).To(gomega.Equal(c.dead), name)
	}
}

func TestMountinfo(t *testing.T) {
	g := gomega.NewWithT(t)
	all, err := parseMounts(strings.NewReader(`36 35 98:0 /mnt1 /mnt\0402\134x rw,noatime master:1 shared:2 - fuse.ssh\040fs /dev/root rw,errors=continue,noatime`))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(all).To(gomega.HaveLen(1))
	m := all[0]
	g.Expect(m).To(gomega.Equal(mountinfo{36, "98:0", "/mnt1", `/mnt 2\x`, "fuse.ssh fs", "/dev/root", "rw,noatime", "rw,errors=continue,noatime"}))
	g.Expect(m.options()).To(gomega.Equal("rw,noatime,errors=continue"))
	g.Expect(m.has("errors")).To(gomega.BeTrue())
	g.Expect(m.has("errors=continue")).To(gomega.BeTrue())
	g.Expect(m.has("continue")).To(gomega.BeFalse())
	g.Expect(m.readOnly()).To(gomega.BeEmpty())
	for _, options := range []string{"ro", "rw,emergency_ro", "rw,shutdown"} {
		g.Expect(mountinfo{Options: "rw", Super: options}.readOnly()).NotTo(gomega.BeEmpty())
	}
	for _, line := range []string{"36 35 98:0 / /mnt rw", "36 35 98:0 / /mnt rw - ext4"} {
		_, err := parseMounts(strings.NewReader(line))
		g.Expect(err).To(gomega.HaveOccurred(), line)
	}
	two := []mountinfo{{ID: 1, Point: "/a"}, {ID: 2, Point: "/a"}, {ID: 3, Point: "/a/b"}, {ID: 4, Point: "/ab"}}
	top, _ := mountAt(two, "/a")
	g.Expect(top.ID).To(gomega.Equal(2))
	g.Expect(mountsBelow(two, "/a")).To(gomega.Equal(two[:3]))
	g.Expect(mountsBelow(two, "/")).To(gomega.Equal(two))
}
