package kernels

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"faultline/harness/guest/apt"
	"faultline/harness/guest/unpack"
)

// Fetch downloads a kernel out of Debian's packages unless the store has it: uml-5.10, uml-6.1, uml-6.12, uml-7.2, or deb- and a release
// (deb-6.1.0-50-amd64) or a series, of which the newest is taken (deb-6.1). say gets a line for each thing it begins to do. mirror is the URI of a
// Debian mirror, or "" for the one of the machine's own apt.
func (s *Store) Fetch(ctx context.Context, name, mirror string, say func(line string)) (Kernel, error) {
	plan, err := planOf(name)
	if err != nil {
		return Kernel{}, err
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return Kernel{}, err
	}
	defer unlock()
	if k, ok := s.get(name); ok {
		say(fmt.Sprintf("%s is there: %s", name, k.Linux))
		return k, nil
	}
	k, err := s.fetch(ctx, plan, mirror, say)
	if err != nil {
		return Kernel{}, fmt.Errorf("fetch kernel %s: %w", name, err)
	}
	return k, nil
}

// plan is how a kernel is fetched.
type plan interface {
	// sources are where its packages may be.
	sources(d apt.Debian) []apt.Source
	// choose picks packages among those there are, and the name of the kernel.
	choose(ctx context.Context, a *apt.Apt) (name string, packages []string, err error)
	// place says where a file of the packages goes, "" for nowhere.
	place(file string) string
	// finish makes what was unpacked in dir a kernel. Its folder will be home.
	finish(dir, home string) (Kernel, error)
}

func planOf(name string) (plan, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	for _, u := range umlSuites {
		if name == umlPrefix+u.series {
			return umlPlan{u.series, u.suite}, nil
		}
	}
	if release, is := strings.CutPrefix(name, debPrefix); is && release != "" && '0' <= release[0] && release[0] <= '9' {
		return debPlan{release}, nil
	}
	return nil, fmt.Errorf("no kernel %q can be fetched; there are %s", name, strings.Join(Known(), ", "))
}

func (s *Store) fetch(ctx context.Context, p plan, mirror string, say func(string)) (Kernel, error) {
	work, err := os.MkdirTemp("", "faultline-apt-")
	if err != nil {
		return Kernel{}, fmt.Errorf("make a folder for apt: %w", err)
	}
	defer os.RemoveAll(work) // just made, by us
	a, err := openApt(work, p, mirror)
	if err != nil {
		return Kernel{}, err
	}
	say("asking the mirror what there is")
	if err := a.Update(ctx); err != nil {
		return Kernel{}, err
	}
	name, packages, err := p.choose(ctx, a)
	if err != nil {
		return Kernel{}, err
	}
	if k, ok := s.get(name); ok {
		say(fmt.Sprintf("%s is there: %s", name, k.Linux))
		return k, nil
	}
	say("downloading " + strings.Join(packages, " "))
	files, err := a.Download(ctx, packages...)
	if err != nil {
		return Kernel{}, err
	}
	say("unpacking")
	return s.install(name, func(dir string) (Kernel, error) {
		for _, f := range files {
			if err := unpackDeb(ctx, f, dir, p.place); err != nil {
				return Kernel{}, err
			}
		}
		k, err := p.finish(dir, s.path(name))
		k.From = strings.TrimSuffix(filepath.Base(files[0]), ".deb")
		return k, err
	})
}

// openApt prepares an apt that knows the sources of a plan.
func openApt(work string, p plan, mirror string) (*apt.Apt, error) {
	system, err := apt.System("/etc/apt")
	if err != nil {
		return nil, err
	}
	debian, err := apt.FindDebian(system, mirror)
	if errors.Is(err, apt.ErrNoMirror) {
		return nil, fmt.Errorf("%w; name one with --mirror", err)
	}
	if err != nil {
		return nil, err
	}
	a, err := apt.New(work, p.sources(debian))
	if errors.Is(err, apt.ErrNoApt) {
		return nil, fmt.Errorf("%w; add a kernel of your own with faultline kernel add", err)
	}
	return a, err
}

func unpackDeb(ctx context.Context, file, dir string, place func(string) string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("open a package: %w", err)
	}
	defer f.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the folder of a kernel: %w", err)
	}
	defer root.Close()
	if err := unpack.Deb(until{ctx, f}, root, place); err != nil {
		return fmt.Errorf("unpack %s: %w", filepath.Base(file), err)
	}
	return nil
}
