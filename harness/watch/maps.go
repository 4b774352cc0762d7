package watch

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Mapping is one line of /proc/PID/maps (proc_pid_maps(5)).
type Mapping struct {
	Start, End uint64 // addresses, End exclusive
	Perms      string // "rw-p"
	Offset     uint64 // of Start in the file, in bytes
	Dev        string // "fd:00", hexadecimal major and minor
	Inode      uint64 // 0: no file
	Path       string // raw; "[stack]" and the like for no file
}

// Maps reads the mappings of a process. The kernel takes the process's mmap lock for it, so a process that hangs with that
// lock held does not answer: the error then wraps ErrSilent, and says so.
func Maps(pid int) ([]Mapping, error) {
	path := fmt.Sprintf("/proc/%d/maps", pid)
	text, err := ask(path)
	if gone(err) {
		return nil, fmt.Errorf("read %s: %w", path, ErrGone)
	}
	if errors.Is(err, ErrSilent) {
		return nil, fmt.Errorf("%w: its mmap lock is held", err)
	}
	if err != nil {
		return nil, err
	}
	return parseMaps(string(text))
}

func parseMaps(text string) ([]Mapping, error) {
	var maps []Mapping
	for line := range strings.Lines(text) {
		m, err := parseMapping(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return maps, fmt.Errorf("parse maps line %q: %w", line, err)
		}
		maps = append(maps, m)
	}
	return maps, nil
}

// parseMapping reads "start-end perms offset dev inode   path". Five fields are separated by one space each; the path is
// padded on the left and may hold spaces.
func parseMapping(line string) (Mapping, error) {
	fields := strings.SplitN(line, " ", 6)
	if len(fields) < 5 {
		return Mapping{}, fmt.Errorf("%d fields", len(fields))
	}
	m := Mapping{Perms: fields[1], Dev: fields[3]}
	if len(fields) == 6 {
		m.Path = strings.TrimLeft(fields[5], " ")
	}
	start, end, _ := strings.Cut(fields[0], "-")
	for _, n := range []struct {
		text string
		base int
		to   *uint64
	}{{start, 16, &m.Start}, {end, 16, &m.End}, {fields[2], 16, &m.Offset}, {fields[4], 10, &m.Inode}} {
		value, err := strconv.ParseUint(n.text, n.base, 64)
		if err != nil {
			return Mapping{}, err
		}
		*n.to = value
	}
	return m, nil
}

// Touching returns the mappings that hold at least one of length bytes from addr.
func Touching(maps []Mapping, addr, length uint64) []Mapping {
	var found []Mapping
	for _, m := range maps {
		// Written so that addr+length cannot overflow.
		if addr < m.End && (m.Start <= addr || m.Start-addr < length) && length > 0 {
			found = append(found, m)
		}
	}
	return found
}
