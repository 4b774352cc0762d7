package watch

import (
	"fmt"
	"strconv"
	"strings"
)

// mount is a line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
type mount struct {
	major, minor uint32
	point        string
	fstype       string
}

// mounts reads our mounts, oldest first. Reading them touches no file system, but takes a lock that a hung mount(2) holds.
func mounts() ([]mount, error) {
	text, err := ask("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMountinfo(string(text))
}

// parseMountinfo reads "id parent major:minor root point options [tag...] - type source options".
func parseMountinfo(text string) ([]mount, error) {
	const dev, point = 2, 4
	var all []mount
	for line := range strings.Lines(text) {
		left, right, ok := strings.Cut(line, " - ")
		before, after := strings.Fields(left), strings.Fields(right)
		if !ok || len(before) <= point || len(after) == 0 {
			return all, fmt.Errorf("parse mountinfo line %q: fields are missing", line)
		}
		major, minor, err := parseDev(before[dev])
		if err != nil {
			return all, fmt.Errorf("parse mountinfo line %q: %w", line, err)
		}
		all = append(all, mount{major, minor, unescape(before[point]), after[0]})
	}
	return all, nil
}

func parseDev(text string) (major, minor uint32, err error) {
	left, right, _ := strings.Cut(text, ":")
	m, err := strconv.ParseUint(left, 10, 12)
	if err != nil {
		return 0, 0, fmt.Errorf("major number: %w", err)
	}
	n, err := strconv.ParseUint(right, 10, 20)
	if err != nil {
		return 0, 0, fmt.Errorf("minor number: %w", err)
	}
	return uint32(m), uint32(n), nil
}

// unescape undoes the octal escapes of space, tab, newline and backslash.
func unescape(text string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#").Replace(text)
}
