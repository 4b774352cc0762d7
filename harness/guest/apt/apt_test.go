package apt

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/onsi/gomega"
)

const oneLine = `# The distribution's
deb http://one.example/debian/ bookworm main contrib # and more
deb-src http://one.example/debian/ bookworm main
#deb http://off.example/debian sid main
deb [ arch=amd64,i386 Signed-By=/keys/a.gpg trusted=yes ] https://two.example/debian trixie-backports main
deb http://short.example/ flat/

`

func TestParseList(t *testing.T) {
	gomega.NewWithT(t).Expect(parseList(oneLine)).To(gomega.Equal([]Source{
		{"http://one.example/debian/", "bookworm", []string{"main", "contrib"}, ""},
		{"https://two.example/debian", "trixie-backports", []string{"main"}, "/keys/a.gpg"},
	}))
}

const stanzas = `# A comment
Types: deb deb-src
URIs: http://one.example/debian
 http://two.example/debian
Suites: bookworm bookworm-updates
# in between
Components: main
	non-free
Signed-By: /keys/a.gpg, /keys/b.pgp

Types: deb-src
URIs: http://source.example/debian
Suites: sid
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: sid
Components: main


Types: deb
URIS: http://three.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS/xcRfwEQWzr
 -----END PGP PUBLIC KEY BLOCK-----
`

func TestParseStanzas(t *testing.T) {
	both := []string{"main", "non-free"}
	gomega.NewWithT(t).Expect(parseStanzas(stanzas)).To(gomega.Equal([]Source{
		{"http://one.example/debian", "bookworm", both, "/keys/a.gpg,/keys/b.pgp"},
		{"http://one.example/debian", "bookworm-updates", both, "/keys/a.gpg,/keys/b.pgp"},
		{"http://two.example/debian", "bookworm", both, "/keys/a.gpg,/keys/b.pgp"},
		{"http://two.example/debian", "bookworm-updates", both, "/keys/a.gpg,/keys/b.pgp"},
		{"http://three.example/debian-security", "bookworm-security", []string{"main"}, ""},
	}))
}

func TestSystem(t *testing.T) {
	g := gomega.NewWithT(t)
	etc := t.TempDir()
	g.Expect(System(etc)).To(gomega.BeEmpty())
	g.Expect(os.Mkdir(etc+"/sources.list.d", 0o755)).To(gomega.Succeed())
	for name, text := range map[string]string{"sources.list": oneLine, "sources.list.d/a.sources": stanzas, "sources.list.d/b.list": "deb http://b.example b c\n", "sources.list.d/c.disabled": oneLine} {
		g.Expect(os.WriteFile(filepath.Join(etc, name), []byte(text), 0o644)).To(gomega.Succeed())
	}
	all, err := System(etc)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(all).To(gomega.HaveLen(2 + 5 + 1))
}

func TestFindDebian(t *testing.T) {
	g := gomega.NewWithT(t)
	other := []Source{
		{"https://tools.example/apt", "bookworm", []string{"stable"}, "/keys/tools"}, // no component main
		{"https://tools.example/linux", "bookworm", []string{"main"}, "/keys/tools"}, // a suite name of Debian's
		{"https://cloud.example/apt", "cloud-bookworm", []string{"main"}, ""},
		{"cdrom:[Debian]/debian", "bookworm", []string{"main"}, ""},
	}
	_, err := FindDebian(append(other[2:3:3], other[0], other[3]), "")
	g.Expect(err).To(gomega.MatchError(ErrNoMirror))

	mirror := Source{"http://one.example/debian/", "bookworm", []string{"main"}, "/keys/debian"}
	security := Source{"http://one.example/debian-security", "bookworm-security", []string{"main"}, "/keys/debian"}
	d, err := FindDebian(append(other, security, mirror), "")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(d.Suite("sid")).To(gomega.Equal([]Source{{mirror.URI, "sid", []string{"main"}, "/keys/debian"}}))
	g.Expect(d.All()).To(gomega.ContainElements(
		Source{mirror.URI, "bullseye", []string{"main"}, "/keys/debian"}, Source{mirror.URI, "trixie-backports", []string{"main"}, "/keys/debian"},
		Source{security.URI, "bullseye-security", []string{"main"}, "/keys/debian"}, Source{mirror.URI, "sid", []string{"main"}, "/keys/debian"}))

	d, err = FindDebian(nil, "http://mine.example/debian")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(d.Suite("sid")[0].URI).To(gomega.Equal("http://mine.example/debian"))
	for _, wrong := range []string{"mine", "http://a b", "http://a\ndeb [trusted=yes] http://b sid main"} {
		_, err = FindDebian(nil, wrong)
		g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("wanted a URI")), wrong)
	}
}

func TestComplaint(t *testing.T) {
	for out, want := range map[string]string{
		"Get:1 http://a sid\nReading package lists...\n":                                                            "",
		"Ign:1 http://a sid InRelease\nErr:1 http://a sid InRelease\n  Could not resolve 'a'\nW: Failed to fetch\n": "http://a sid InRelease: Could not resolve 'a'",
		"Hit:1\nE: The repository 'file:/x sid Release' is not signed.\n":                                           "The repository 'file:/x sid Release' is not signed.",
		"W: Download is performed unsandboxed\nE: Unable to locate package x\n":                                     "Unable to locate package x",
	} {
		gomega.NewWithT(t).Expect(complaint(out)).To(gomega.Equal(want))
	}
}

// The machine's settings neither turn the check of signatures off nor run their commands after our update.
func TestUnsignedSourcesAreRefused(t *testing.T) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("there is no apt-get here")
	}
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	repo := filepath.Join(dir, "repo")
	packages := filepath.Join(repo, "dists/sid/main/binary-amd64")
	g.Expect(os.MkdirAll(packages, 0o755)).To(gomega.Succeed())
	g.Expect(os.WriteFile(packages+"/Packages", []byte("Package: evil\nVersion: 1\nArchitecture: amd64\nFilename: evil.deb\nSize: 1\n"), 0o644)).To(gomega.Succeed())
	g.Expect(os.WriteFile(repo+"/dists/sid/Release", []byte("Suite: sid\nComponents: main\nArchitectures: amd64\n"), 0o644)).To(gomega.Succeed())
	ran := filepath.Join(dir, "ran")
	machine := filepath.Join(dir, "machine.conf")
	g.Expect(os.WriteFile(machine, fmt.Appendf(nil, `Acquire::AllowInsecureRepositories "true";
Acquire::http::Proxy "http://proxy.example:3128";
APT::Get::AllowUnauthenticated "true";
APT::Update::Post-Invoke { "touch %s"; };
`, ran), 0o644)).To(gomega.Succeed())
	t.Setenv("APT_CONFIG", machine)

	work := filepath.Join(dir, "work")
	g.Expect(os.Mkdir(work, 0o755)).To(gomega.Succeed())
	a, err := New(work, []Source{{URI: "file://" + repo, Suite: "sid", Components: []string{"main"}}})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(os.ReadFile(work+"/apt.conf")).To(gomega.ContainSubstring("proxy.example"), "proxies are kept")
	ctx := context.Background()
	g.Expect(a.Update(ctx)).To(gomega.Succeed())
	g.Expect(a.Trouble()).To(gomega.ContainSubstring("is not signed"))
	g.Expect(a.Names(ctx, "")).To(gomega.BeEmpty())
	_, err = a.Download(ctx, "evil")
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("is not signed")))
	g.Expect(ran).NotTo(gomega.BeAnExistingFile(), "a command after the update")
}

func TestNoApt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := New(t.TempDir(), nil)
	gomega.NewWithT(t).Expect(err).To(gomega.MatchError(ErrNoApt))
}

func TestCancelled(t *testing.T) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("there is no apt-get here")
	}
	g := gomega.NewWithT(t)
	a, err := New(t.TempDir(), nil)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	ctx, stop := context.WithCancel(context.Background())
	stop()
	g.Expect(a.Update(ctx)).To(gomega.MatchError(context.Canceled))
	_, err = a.Download(ctx, "x")
	g.Expect(err).To(gomega.MatchError(context.Canceled))
}
