package watch

import (
	"fmt"
	"path/filepath"
	"strings"
)

// glockDumps are the lock dumps of all mounted gfs2 file systems (Documentation/filesystems/gfs2-glocks.rst). The folder is there
// only where debugfs is mounted and gfs2 is loaded.
const glockDumps = "/sys/kernel/debug/gfs2/*/glocks"

// Glocks is the lock dump of every gfs2 file system of this machine, empty if there is none. It comes back within seconds.
func Glocks() string { return dumps(glockDumps) }

func dumps(pattern string) string {
	paths, err := within(patience, pattern, func() ([]string, error) { return filepath.Glob(pattern) })
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, path := range paths {
		text, err := ask(path)
		if err != nil {
			text = fmt.Appendf(nil, "%v\n", err)
		}
		fmt.Fprintf(&b, "%s:\n%s\n", path, text)
	}
	return b.String()
}
