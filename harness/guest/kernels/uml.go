package kernels

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"faultline/harness/guest/apt"
	"faultline/harness/guest/elfpatch"
)

// Where things lie in the folder of a kernel.
const (
	linuxFile  = "linux"
	modulesDir = "modules"
	libDir     = "lib"
)

// loader is the dynamic loader of x86-64's C library.
const loader = "ld-linux-x86-64.so.2"

// umlPlan fetches a packaged UML kernel and the C library of its suite, so that it runs whatever the machine's own library is.
type umlPlan struct{ series, suite string }

func (p umlPlan) sources(d apt.Debian) []apt.Source { return d.Suite(p.suite) }

func (p umlPlan) choose(context.Context, *apt.Apt) (string, []string, error) {
	return umlPrefix + p.series, []string{"user-mode-linux", "libc6"}, nil
}

// place takes the program, its modules, and of the C library the loader and the libraries that the program is linked with.
func (umlPlan) place(file string) string {
	if file == "usr/bin/linux.uml" {
		return linuxFile
	}
	if rest, is := strings.CutPrefix(file, "usr/lib/uml/modules/"); is {
		return path.Join(modulesDir, rest)
	}
	dir, name := path.Split(strings.TrimPrefix(file, "usr/"))
	if dir != "lib/x86_64-linux-gnu/" {
		return ""
	}
	for _, lib := range []string{"ld-", "libc.", "libc-", "libm.", "libm-", "libpthread", "librt", "libutil", "libdl"} {
		if strings.HasPrefix(name, lib) {
			return path.Join(libDir, name)
		}
	}
	return ""
}

func (p umlPlan) finish(dir, home string) (Kernel, error) {
	k := Kernel{Kind: UML, Linux: linuxFile, Home: home}
	program := filepath.Join(dir, linuxFile)
	image, err := os.ReadFile(program)
	if err != nil {
		return Kernel{}, fmt.Errorf("the package has no program: %w", err)
	}
	img, err := identify(image)
	if err != nil {
		return Kernel{}, fmt.Errorf("the package's program: %w", err)
	}
	if k.Release = img.release; !inSeries(k.Release, p.series) {
		return Kernel{}, fmt.Errorf("suite %s has %s now, and no %s any more", p.suite, k.Release, p.series)
	}
	image, _ = elfpatch.WidenXstate(image)
	if image, err = elfpatch.SetLoader(image, filepath.Join(home, libDir, loader), "$ORIGIN/"+libDir); err != nil {
		return Kernel{}, fmt.Errorf("make the program use its own C library: %w", err)
	}
	if err := os.WriteFile(program, image, 0o755); err != nil {
		return Kernel{}, fmt.Errorf("write the program: %w", err)
	}
	k.Modules = path.Join(modulesDir, k.Release)
	return k, completeModules(filepath.Join(dir, k.Modules))
}
