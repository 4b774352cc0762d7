package apt

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode"
)

// ErrNoMirror says that this machine's apt has no source of Debian's.
var ErrNoMirror = errors.New("this machine's apt has no Debian mirror")

// Suites are Debian's suites that packages are looked for in, the oldest first.
var Suites = []string{"bullseye", "bookworm", "trixie", "forky", "sid"}

// aliases are other names of suites that tell a Debian mirror.
var aliases = []string{"oldoldstable", "oldstable", "stable", "testing", "unstable"}

// archiveKeys are where Debian's own key rings lie (package debian-archive-keyring).
var archiveKeys = []string{"/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"}

// Debian is where a machine gets Debian's packages from.
type Debian struct {
	main, security Source
}

// FindDebian picks the mirrors out of the machine's own sources: those of a suite of Debian's with component main. Others may use Debian's suite
// names, so a mirror whose path ends in "debian" comes first. A URI that is given as mirror replaces what was found.
func FindDebian(sources []Source, mirror string) (Debian, error) {
	var d Debian
	ranked := slices.Clone(sources)
	slices.SortStableFunc(ranked, func(a, b Source) int { return cmp.Compare(rank(a), rank(b)) })
	for _, s := range ranked {
		suite, isSecurity := strings.CutSuffix(s.Suite, "-security")
		switch {
		case strings.HasPrefix(s.URI, "cdrom:") || !slices.Contains(s.Components, "main") || !isDebian(suite):
		case isSecurity && d.security.URI == "":
			d.security = s
		case !isSecurity && d.main.URI == "":
			d.main = s
		}
	}
	if mirror != "" {
		if u, err := url.Parse(mirror); err != nil || u.Scheme == "" || strings.ContainsFunc(mirror, unicode.IsSpace) {
			return Debian{}, fmt.Errorf("mirror %q: wanted a URI, such as http://HOST/debian", mirror)
		}
		d.main.URI = mirror
	}
	if d.main.URI == "" {
		return Debian{}, ErrNoMirror
	}
	return d, nil
}

func isDebian(suite string) bool {
	return slices.Contains(Suites, suite) || slices.Contains(aliases, suite)
}

func rank(s Source) int {
	if strings.HasSuffix(strings.TrimRight(s.URI, "/"), "debian") || strings.HasSuffix(strings.TrimRight(s.URI, "/"), "debian-security") {
		return 0
	}
	return 1
}

// Suite returns the sources of a suite: the suite itself.
func (d Debian) Suite(name string) []Source {
	return []Source{d.source(d.main, name)}
}

// All returns the sources of all suites, with backports and security where there may be such. A mirror need not have all of them.
func (d Debian) All() []Source {
	var all []Source
	for _, suite := range Suites {
		all = append(all, d.source(d.main, suite))
		if suite == "sid" {
			continue
		}
		all = append(all, d.source(d.main, suite+"-backports"))
		if d.security.URI != "" {
			all = append(all, d.source(d.security, suite+"-security"))
		}
	}
	return all
}

func (d Debian) source(like Source, suite string) Source {
	s := Source{like.URI, suite, []string{"main"}, like.SignedBy}
	if s.SignedBy != "" {
		return s
	}
	for _, name := range archiveKeys {
		if _, err := os.Stat(name); err == nil {
			s.SignedBy = name
			break
		}
	}
	return s
}
