package kernels

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"faultline/harness/guest/apt"
)

// debPlan fetches a distribution kernel: the newest of a series, or that of a release.
type debPlan struct{ release string }

func (debPlan) sources(d apt.Debian) []apt.Source { return d.All() }

// imagePackage is the name of a package with a kernel for ordinary machines: not those for clouds and real time, which leave modules out or lock
// otherwise, no debugging symbols, and not the empty packages that stand for the newest of a series (linux-image-6.1-amd64).
var imagePackage = regexp.MustCompile(`^linux-image-(\d+\.\d+\.\d+.*-amd64)$`)

// parts are the packages of one release. Newer ones (7.2) have the boot image,
// the modules, and the lists of modules in packages of their own.
var parts = []string{"linux-image-", "linux-binary-", "linux-modules-", "linux-base-"}

func (p debPlan) choose(ctx context.Context, a *apt.Apt) (string, []string, error) {
	names, err := a.Names(ctx, "linux-")
	if err != nil {
		return "", nil, err
	}
	var releases []string
	for _, n := range names {
		m := imagePackage.FindStringSubmatch(n)
		if m != nil && !strings.Contains(n, "-cloud-") && !strings.Contains(n, "-rt-") {
			releases = append(releases, m[1])
		}
	}
	if len(releases) == 0 {
		return "", nil, fmt.Errorf("the mirror shows no kernel: %s", a.Trouble())
	}
	slices.SortFunc(releases, compareReleases)
	release, ok := newest(releases, p.release)
	if !ok {
		return "", nil, fmt.Errorf("the mirror has no release %s; the newest of each series are %s", p.release, strings.Join(heads(releases), ", "))
	}
	var packages []string
	for _, part := range parts {
		if slices.Contains(names, part+release) {
			packages = append(packages, part+release)
		}
	}
	return debPrefix + release, packages, nil
}

// newest is the last of sorted releases that is of a series, or is it.
func newest(releases []string, of string) (string, bool) {
	for _, r := range slices.Backward(releases) {
		if inSeries(r, of) {
			return r, true
		}
	}
	return "", false
}

// heads are the last of sorted releases in each series.
func heads(releases []string) []string {
	var all []string
	for i, r := range releases {
		if i+1 == len(releases) || !inSeries(releases[i+1], series.FindString(r)) {
			all = append(all, r)
		}
	}
	return all
}

// series is the beginning of a release that is its series.
var series = regexp.MustCompile(`^\d+\.\d+`)

// leftOut are folders of modules for hardware that no guest has. They are most of a distribution kernel's size.
var leftOut = []string{"sound/", "drivers/gpu/", "drivers/media/", "drivers/net/wireless/", "drivers/net/ethernet/", "drivers/infiniband/",
	"drivers/staging/", "drivers/iio/", "drivers/isdn/", "drivers/hwmon/", "drivers/usb/", "drivers/bluetooth/", "drivers/input/"}

func (p debPlan) place(file string) string {
	if strings.HasPrefix(file, "boot/vmlinuz-") {
		return linuxFile
	}
	rest, is := strings.CutPrefix(strings.TrimPrefix(file, "usr/"), "lib/modules/")
	if !is {
		return ""
	}
	if path.Base(rest) == "vmlinuz" {
		return linuxFile
	}
	_, module, _ := strings.Cut(rest, "/kernel/")
	if slices.ContainsFunc(leftOut, func(dir string) bool { return strings.HasPrefix(module, dir) }) {
		return ""
	}
	return path.Join(modulesDir, rest)
}

func (p debPlan) finish(dir, _ string) (Kernel, error) {
	img, err := identifyFile(filepath.Join(dir, linuxFile))
	if err != nil {
		return Kernel{}, fmt.Errorf("the package's boot image: %w", err)
	}
	k := Kernel{Kind: img.kind, Release: img.release, Linux: linuxFile, Modules: path.Join(modulesDir, img.release)}
	return k, completeModules(filepath.Join(dir, k.Modules))
}
