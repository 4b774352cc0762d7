// Package apt downloads packages of any suite without touching the system: apt-get runs with a state, lists and a cache of its own, which end with the
// folder that they lie in. Signatures are checked by apt, always. Mirrors, proxies and logins are those of the machine's own apt. It imports
// nothing of ours.
//
//	sources, err := apt.System("/etc/apt")
//	debian, err := apt.FindDebian(sources, "")
//	a, err := apt.New(dir, debian.Suite("bookworm"))
//	err = a.Update(ctx)
//	files, err := a.Download(ctx, "user-mode-linux", "libc6")
package apt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Apt is an apt of its own.
type Apt struct {
	dir     string
	trouble string // what the last update could not get
}

// ErrNoApt says that there is no apt-get on this machine.
var ErrNoApt = errors.New("there is no apt-get on this machine")

// New sets up an apt in dir, an empty folder, that knows the given sources and no installed package. Packages are those of amd64.
func New(dir string, sources []Source) (*Apt, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil, ErrNoApt
	}
	for _, d := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, fmt.Errorf("make apt's folders: %w", err)
		}
	}
	network, err := networkSettings()
	if err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"status": "", "sources.list": list(sources), "apt.conf": settings(dir, network)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, fmt.Errorf("write apt's settings: %w", err)
		}
	}
	return &Apt{dir: dir}, nil
}

// list is a sources.list.
func list(sources []Source) string {
	var b strings.Builder
	for _, s := range sources {
		options := "arch=amd64"
		if s.SignedBy != "" {
			options += " signed-by=" + s.SignedBy
		}
		fmt.Fprintf(&b, "deb [%s] %s %s %s\n", options, s.URI, s.Suite, strings.Join(s.Components, " "))
	}
	return b.String()
}

// networkSettings are the machine's own settings of how to reach mirrors: proxies, timeouts. What else is configured stays out, above all the commands
// that run after an update, which would touch the system, and files beside the lists of packages.
func networkSettings() (string, error) {
	dump, err := exec.Command("apt-config", "dump").Output()
	if err != nil {
		return "", fmt.Errorf("read the machine's apt settings with apt-config: %w", err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(dump)) {
		if strings.HasPrefix(line, "Acquire::") && !strings.HasPrefix(line, "Acquire::IndexTargets") {
			b.WriteString(line)
		}
	}
	return b.String(), nil
}

// settings is an apt.conf. It is read first (APT_CONFIG), so the machine's own apt.conf and apt.conf.d are not read at all. Checks of signatures stay on
// whatever the machine's settings say.
func settings(dir, network string) string {
	return network + fmt.Sprintf(`Dir::State "%[1]s/state";
Dir::State::status "%[1]s/status";
Dir::Cache "%[1]s/cache";
Dir::Etc::sourcelist "%[1]s/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
Acquire::Languages "none";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
`, dir)
}

// Update gets the lists of packages. A source that cannot be had is no error yet: a mirror need not have every suite. Download tells.
func (a *Apt) Update(ctx context.Context) error {
	out, err := a.run(ctx, a.dir, "apt-get", "-q", "update")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	a.trouble = complaint(out)
	if err != nil && a.trouble == "" {
		return fmt.Errorf("run apt-get update: %w", err)
	}
	return nil
}

// Names lists the packages there are whose names begin with prefix, in no order.
func (a *Apt) Names(ctx context.Context, prefix string) ([]string, error) {
	out, err := a.run(ctx, a.dir, "apt-cache", "pkgnames", prefix)
	if err != nil {
		return nil, fmt.Errorf("list packages with apt-cache: %s: %w", complaint(out), err)
	}
	return strings.Fields(out), nil
}

// Download gets the newest version of each package and returns the paths of the files, in order.
func (a *Apt) Download(ctx context.Context, packages ...string) ([]string, error) {
	var files []string
	for _, name := range packages {
		into, err := os.MkdirTemp(a.dir, "package-")
		if err != nil {
			return nil, fmt.Errorf("download %s: %w", name, err)
		}
		out, err := a.run(ctx, into, "apt-get", "-q", "download", name)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		found, _ := filepath.Glob(filepath.Join(into, "*.deb"))
		if err != nil || len(found) != 1 {
			return nil, fmt.Errorf("download package %s: %s", name, a.why(out))
		}
		files = append(files, found[0])
	}
	return files, nil
}

// Trouble is one line on what the last update could not get, or "".
func (a *Apt) Trouble() string { return a.trouble }

// why tells the cause of a failed download. That a package is not known has a cause of its own when a list could not be had.
func (a *Apt) why(out string) string {
	said := complaint(out)
	switch {
	case said == "":
		return "apt-get gave no file and no reason"
	case a.trouble != "" && strings.Contains(said, "Unable to locate"):
		return a.trouble
	}
	return said
}
