package pid1

import (
	"strings"

	"golang.org/x/sys/unix"
)

// flags are the options of mount(8) that are flags of mount(2); those with clear take the flag away. All others go to the file system.
var flags = map[string]struct {
	flag  uintptr
	clear bool
}{
	"defaults": {0, false}, "rw": {unix.MS_RDONLY, true}, "ro": {unix.MS_RDONLY, false},
	"noatime": {unix.MS_NOATIME, false}, "atime": {unix.MS_NOATIME, true},
	"nodiratime": {unix.MS_NODIRATIME, false}, "diratime": {unix.MS_NODIRATIME, true},
	"relatime": {unix.MS_RELATIME, false}, "norelatime": {unix.MS_RELATIME, true}, "strictatime": {unix.MS_STRICTATIME, false},
	"lazytime": {unix.MS_LAZYTIME, false}, "nolazytime": {unix.MS_LAZYTIME, true},
	"sync": {unix.MS_SYNCHRONOUS, false}, "async": {unix.MS_SYNCHRONOUS, true}, "dirsync": {unix.MS_DIRSYNC, false},
	"nosuid": {unix.MS_NOSUID, false}, "suid": {unix.MS_NOSUID, true}, "nodev": {unix.MS_NODEV, false}, "dev": {unix.MS_NODEV, true},
	"noexec": {unix.MS_NOEXEC, false}, "exec": {unix.MS_NOEXEC, true},
	"mand": {unix.MS_MANDLOCK, false}, "nomand": {unix.MS_MANDLOCK, true},
	"iversion": {unix.MS_I_VERSION, false}, "noiversion": {unix.MS_I_VERSION, true},
}

// splitOptions separates the flags of mount(2) from what the file system reads itself.
func splitOptions(options string) (set uintptr, data string) {
	var rest []string
	for _, option := range strings.Split(options, ",") {
		f, known := flags[option]
		switch {
		case option == "":
		case !known:
			rest = append(rest, option)
		case f.clear:
			set &^= f.flag
		default:
			set |= f.flag
		}
	}
	return set, strings.Join(rest, ",")
}
