package kernels

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// inside lists what a store holds, hidden things too.
func inside(t *testing.T, s *Store) []string {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != lockName {
			names = append(names, e.Name())
		}
	}
	return names
}

func names(all []Kernel) []string {
	var names []string
	for _, k := range all {
		names = append(names, k.Name)
	}
	return names
}

func TestOpenFollowsTheEnvironment(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	t.Setenv(CacheEnv, dir+"/own")
	s, err := Open()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(s.dir).To(gomega.Equal(dir + "/own/kernels"))
	t.Setenv(CacheEnv, "")
	t.Setenv("XDG_CACHE_HOME", dir)
	s, err = Open()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(s.dir).To(gomega.Equal(dir + "/faultline/kernels"))
}

func TestAddListRemove(t *testing.T) {
	g := gomega.NewWithT(t)
	ctx := context.Background()
	s := store(t)
	g.Expect(s.List()).To(gomega.BeEmpty())
	work := t.TempDir()
	for name, text := range map[string][]byte{"twelve": uml("6.12.1"), "ten": uml("5.10.46-mine"), "one": boot("6.1.0-50-amd64 (me@here) #1")} {
		k, err := s.Add(ctx, name, put(t, work, name, text), "")
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(k.Modules).To(gomega.BeEmpty())
		g.Expect(os.ReadFile(k.Linux)).To(gomega.Equal(text))
	}
	all, err := s.List()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(names(all)).To(gomega.Equal([]string{"ten", "one", "twelve"}), "by release")
	g.Expect(all[1].Kind).To(gomega.Equal(BzImage))
	g.Expect(all[1].Release).To(gomega.Equal("6.1.0-50-amd64"))
	g.Expect(all[0].Kind).To(gomega.Equal(UML))

	g.Expect(s.Remove(ctx, "ten")).To(gomega.Succeed())
	g.Expect(inside(t, s)).To(gomega.ConsistOf("one", "twelve"))
	g.Expect(s.Remove(ctx, "ten")).To(gomega.MatchError(`there is no kernel "ten"; there are one, twelve`))
	for _, wrong := range []string{"", "../one", ".lock", "a/b", "-x", "."} {
		g.Expect(s.Remove(ctx, wrong)).To(gomega.MatchError(gomega.ContainSubstring("is no name of a kernel")), wrong)
	}
}

// What was not made by us is neither removed nor replaced, and nothing behind a link is touched.
func TestOnlyOursIsRemoved(t *testing.T) {
	g := gomega.NewWithT(t)
	ctx := context.Background()
	s := store(t)
	work := t.TempDir()
	precious := put(t, s.dir, "mine/precious", []byte("x"))
	linux := put(t, work, "linux", uml("6.1.1"))

	g.Expect(s.Remove(ctx, "mine")).To(gomega.MatchError(gomega.ContainSubstring("was not made by faultline")))
	_, err := s.Add(ctx, "mine", linux, "")
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("was not made by faultline")))
	g.Expect(precious).To(gomega.BeAnExistingFile())
	g.Expect(inside(t, s)).To(gomega.ConsistOf("mine"), "nothing half done is left")

	marked := put(t, work, "elsewhere/"+sentinel, nil)
	g.Expect(os.Symlink(filepath.Dir(marked), s.dir+"/link")).To(gomega.Succeed())
	g.Expect(s.Remove(ctx, "link")).To(gomega.MatchError(gomega.ContainSubstring("was not made by faultline")))

	// A link inside of a kernel goes; what it leads to stays.
	k, err := s.Add(ctx, "good", linux, "")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(os.Symlink(work, filepath.Dir(k.Linux)+"/out")).To(gomega.Succeed())
	g.Expect(s.Remove(ctx, "good")).To(gomega.Succeed())
	g.Expect(linux).To(gomega.BeAnExistingFile())
}

// What a killed process left half done goes when the next one writes; what only looks like it stays.
func TestSweep(t *testing.T) {
	g := gomega.NewWithT(t)
	s := store(t)
	put(t, s.dir, newPrefix+"1/"+sentinel, nil)
	put(t, s.dir, newPrefix+"1/linux", nil)
	put(t, s.dir, newPrefix+"2/not-ours", nil)
	g.Expect(os.Mkdir(s.dir+"/"+newPrefix+"3", 0o700)).To(gomega.Succeed())
	g.Expect(s.List()).To(gomega.BeEmpty())
	unlock, err := s.lock(context.Background())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	unlock()
	g.Expect(inside(t, s)).To(gomega.ConsistOf(newPrefix + "2"))
}

// A kernel that cannot be finished never appears, and leaves nothing.
func TestInstallIsWholeOrNothing(t *testing.T) {
	g := gomega.NewWithT(t)
	s := store(t)
	fail := errors.New("no more room")
	_, err := s.install("k", func(dir string) (Kernel, error) {
		put(t, dir, "linux", nil)
		g.Expect(s.List()).To(gomega.BeEmpty(), "not before it is whole")
		return Kernel{}, fail
	})
	g.Expect(err).To(gomega.MatchError(fail))
	g.Expect(inside(t, s)).To(gomega.BeEmpty())
}

// Writers take turns, each with an open file of its own as two processes have.
func TestLock(t *testing.T) {
	g := gomega.NewWithT(t)
	a := store(t)
	var within, most, turns atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := At(a.dir)
			if err != nil {
				t.Error(err)
				return
			}
			unlock, err := s.lock(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			if n := within.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Millisecond) // room for another one to come in, if it could
			turns.Add(1)
			within.Add(-1)
			unlock()
		})
	}
	all.Wait()
	g.Expect(turns.Load()).To(gomega.BeEquivalentTo(8))
	g.Expect(most.Load()).To(gomega.BeEquivalentTo(1))

	unlock, err := a.lock(context.Background())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer unlock()
	ctx, stop := context.WithCancel(context.Background())
	stop()
	_, err = a.Add(ctx, "x", put(t, t.TempDir(), "linux", uml("6.1.1")), "")
	g.Expect(err).To(gomega.MatchError(context.Canceled))
}

func TestLookup(t *testing.T) {
	g := gomega.NewWithT(t)
	ctx := context.Background()
	s := store(t)
	for name, text := range map[string][]byte{
		"uml-5.10": uml("5.10.46"), "uml-6.1": uml("6.1.176"), "mine": uml("6.1.200"), "new": uml("6.12.3"),
		"deb-6.1.0-9-amd64": boot("6.1.0-9-amd64 x"), "deb-6.1.0-50-amd64": boot("6.1.0-50-amd64 x"),
	} {
		_, err := s.install(name, func(dir string) (Kernel, error) {
			img, err := identify(text)
			put(t, dir, linuxFile, text)
			return Kernel{Kind: img.kind, Release: img.release, Linux: linuxFile}, err
		})
		g.Expect(err).NotTo(gomega.HaveOccurred())
	}
	for _, c := range []struct {
		kind       Kind
		word, want string
	}{
		{UML, "5.10", "uml-5.10"}, {UML, "uml-5.10", "uml-5.10"}, {UML, "6.1", "uml-6.1"}, {UML, "6.1.200", "mine"}, {UML, "mine", "mine"},
		{UML, "6.12", "new"}, {UML, "6", "new"}, {BzImage, "6.1", "deb-6.1.0-50-amd64"}, {BzImage, "deb-6.1", "deb-6.1.0-50-amd64"},
		{BzImage, "6.1.0-9-amd64", "deb-6.1.0-9-amd64"}, {BzImage, "deb-6.1.0-9-amd64", "deb-6.1.0-9-amd64"},
	} {
		k, err := s.Lookup(ctx, c.kind, c.word)
		g.Expect(err).NotTo(gomega.HaveOccurred(), c.word)
		g.Expect(k.Name).To(gomega.Equal(c.want), c.word)
		g.Expect(k.Linux).To(gomega.Equal(filepath.Join(s.dir, c.want, "linux")))
	}
	for _, c := range []struct {
		kind       Kind
		word, want string
	}{
		{UML, "7.2", "kernel 7.2 is not here yet: faultline kernel fetch uml-7.2"},
		{BzImage, "5.10", "kernel 5.10 is not here yet: faultline kernel fetch deb-5.10"},
		{UML, "4.4", `there is no kernel "4.4"; there are uml-5.10, deb-6.1.0-9-amd64, deb-6.1.0-50-amd64, uml-6.1, mine, new`},
		{UML, "", `there is no kernel ""`},
		{UML, "deb-6.1.0-9-amd64", "is of kind bzimage, wanted uml"},
		{BzImage, "mine", "is of kind uml, wanted bzimage"},
		{UML, "/no/such/linux", "no such file"},
	} {
		_, err := s.Lookup(ctx, c.kind, c.word)
		g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(c.want)), c.word)
	}
}

// A program that is bound to the folder it was made for says so when the store was moved.
func TestAMovedStore(t *testing.T) {
	g := gomega.NewWithT(t)
	ctx := context.Background()
	s := store(t)
	_, err := s.install("uml-6.1", func(dir string) (Kernel, error) {
		return Kernel{Kind: UML, Release: "6.1.1", Linux: linuxFile, Home: s.path("uml-6.1")}, nil
	})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	_, err = s.Lookup(ctx, UML, "6.1")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(os.Rename(s.dir, s.dir+"-moved")).To(gomega.Succeed())
	moved, err := At(s.dir + "-moved")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	_, err = moved.Lookup(ctx, UML, "6.1")
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("was moved here from")))
	g.Expect(moved.Remove(ctx, "uml-6.1")).To(gomega.Succeed())
}
