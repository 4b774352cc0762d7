package kernels

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"faultline/harness/guest/elfpatch"
)

// Add copies the user's own kernel into the store: a UML program or an x86 boot image, and its modules. linux may be the folder of a built tree.
// modules is a folder with modules.dep, one that modules_install wrote into (INSTALL_MOD_PATH), or a built tree; with "" it is the tree that linux
// lies in, if it lies in one. A kernel of this name that was added before is replaced. One that was fetched is not.
func (s *Store) Add(ctx context.Context, name, linux, modules string) (Kernel, error) {
	if err := checkName(name); err != nil {
		return Kernel{}, err
	}
	if _, err := planOf(name); err == nil {
		return Kernel{}, fmt.Errorf("the name %s is kept for kernels that are fetched", name)
	}
	b, err := findBuild(linux, modules)
	if err != nil {
		return Kernel{}, fmt.Errorf("add kernel %s: %w", name, err)
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return Kernel{}, err
	}
	defer unlock()
	return s.copyIn(ctx, name, b)
}

// copyIn makes a kernel of the store from a build. The caller holds the lock.
func (s *Store) copyIn(ctx context.Context, name string, b build) (Kernel, error) {
	source, err := b.fingerprint()
	if err != nil {
		return Kernel{}, fmt.Errorf("add kernel %s: %w", name, err)
	}
	k, err := s.install(name, func(dir string) (Kernel, error) {
		k, err := b.copyTo(ctx, dir)
		if err != nil {
			return Kernel{}, err
		}
		k.Source = source
		// A build that changed under our hands is not what was looked at.
		if now, err := b.fingerprint(); err != nil || now != source {
			return Kernel{}, errors.Join(fmt.Errorf("%s changed while it was copied", b.linux), err)
		}
		return k, nil
	})
	if err != nil {
		return Kernel{}, fmt.Errorf("add kernel %s: %w", name, err)
	}
	return k, nil
}

// build is a user's own kernel.
type build struct {
	linux   string
	image   image
	modules moduleSource
}

func findBuild(linux, modules string) (build, error) {
	abs, err := filepath.Abs(linux)
	if err != nil {
		return build{}, err
	}
	if abs, err = inTree(abs); err != nil {
		return build{}, err
	}
	b := build{linux: abs}
	if b.image, err = identifyFile(abs); err != nil {
		return build{}, fmt.Errorf("%s: %w", linux, err)
	}
	if modules == "" {
		b.modules = besideLinux(abs)
		return b, nil
	}
	if modules, err = filepath.Abs(modules); err != nil {
		return build{}, err
	}
	b.modules, err = findModules(modules, b.image.release)
	return b, err
}

// bootImage is where a tree built for x86 has its boot image.
const bootImage = "arch/x86/boot/bzImage"

// inTree is the kernel in a built tree, or path itself where it is a file.
func inTree(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("find the kernel: %w", err)
	}
	if !info.IsDir() {
		return path, nil
	}
	for _, name := range []string{linuxFile, bootImage} {
		inside := filepath.Join(path, name)
		if info, err := os.Stat(inside); err == nil && info.Mode().IsRegular() {
			return inside, nil
		}
	}
	return "", fmt.Errorf("there is neither %s nor %s in %s: is it built?", linuxFile, bootImage, path)
}

// besideLinux are the modules of the tree that a kernel was built in, or none.
func besideLinux(linux string) moduleSource {
	tree := filepath.Dir(linux)
	if before, is := strings.CutSuffix(linux, "/"+bootImage); is {
		tree = before
	}
	if isFile(filepath.Join(tree, orderFile)) {
		return moduleSource{dir: tree, tree: true}
	}
	return moduleSource{}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// copyTo fills dir with the build.
func (b build) copyTo(ctx context.Context, dir string) (Kernel, error) {
	text, err := os.ReadFile(b.linux)
	if err != nil {
		return Kernel{}, fmt.Errorf("read the kernel: %w", err)
	}
	if b.image.kind == UML {
		text, _ = elfpatch.WidenXstate(text)
	}
	if err := os.WriteFile(filepath.Join(dir, linuxFile), text, 0o755); err != nil {
		return Kernel{}, fmt.Errorf("copy the kernel: %w", err)
	}
	k := Kernel{Kind: b.image.kind, Release: b.image.release, Linux: linuxFile, From: b.linux}
	if b.modules.dir == "" {
		return k, nil
	}
	k.Modules = filepath.Join(modulesDir, k.Release)
	to := filepath.Join(dir, k.Modules)
	if err := b.modules.copyTo(ctx, to); err != nil {
		return Kernel{}, fmt.Errorf("copy the modules: %w", err)
	}
	return k, completeModules(to)
}
