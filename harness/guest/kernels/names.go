package kernels

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// umlPrefix and debPrefix begin the names of kernels that are fetched: packaged UML kernels and distribution kernels.
const (
	umlPrefix = "uml-"
	debPrefix = "deb-"
)

// umlSuites are the UML kernels that Debian has packages of, by series, and the suite that has them.
var umlSuites = []struct{ series, suite string }{
	{"5.10", "bullseye"},
	{"6.1", "bookworm"},
	{"6.12", "trixie"},
	{"7.2", "sid"},
}

// Known are the names that Fetch takes, for help texts and errors.
func Known() []string {
	var all []string
	for _, u := range umlSuites {
		all = append(all, umlPrefix+u.series)
	}
	return append(all, debPrefix+"VERSION")
}

// wellFormed is what names look like: file names without surprises.
var wellFormed = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+_~-]*$`)

func checkName(name string) error {
	if !wellFormed.MatchString(name) {
		return fmt.Errorf("%q is no name of a kernel: wanted letters, digits and .+_~-", name)
	}
	return nil
}

// numbers splits a release into its numbers and what lies between them.
var numbers = regexp.MustCompile(`\d+|[^\d.-]+`)

// compareReleases orders releases as people read them: 5.10 before 6.1 before 6.12, 6.1.0-9 before 6.1.0-50. A number comes behind a word, so
// that 6.12.90+deb12-amd64 comes before 6.12.90+deb12.1-amd64.
func compareReleases(a, b string) int {
	return slices.CompareFunc(numbers.FindAllString(a, -1), numbers.FindAllString(b, -1), func(x, y string) int {
		i, xErr := strconv.Atoi(x)
		j, yErr := strconv.Atoi(y)
		switch {
		case xErr == nil && yErr == nil:
			return cmp.Compare(i, j)
		case xErr == nil:
			return 1
		case yErr == nil:
			return -1
		}
		return cmp.Compare(x, y)
	})
}

// inSeries reports whether a release is of a series or is it: 6.1.176 and 6.1.0-50-amd64 are of 6.1, 6.12.3 is not.
func inSeries(release, series string) bool {
	rest, is := strings.CutPrefix(release, series)
	return is && (rest == "" || strings.ContainsAny(rest[:1], ".-+"))
}
