package machine

import (
	"fmt"
	"strings"

	"faultline/harness/watch"
)

// Evidence asks /proc about the processes, and debugfs for the glocks of all gfs2 file systems, if there are any.
func (Local) Evidence(pids, servers []int) []Text {
	var b strings.Builder
	seen := map[int]bool{}
	for _, pid := range pids {
		if !seen[pid] {
			seen[pid] = true
			fmt.Fprintf(&b, "%v\n", watch.Collect(pid))
		}
	}
	for _, pid := range servers {
		fmt.Fprintf(&b, "server of the target: %v\n", watch.Collect(pid))
	}
	all := []Text{{"processes.txt", b.String()}}
	if glocks := watch.Glocks(); glocks != "" {
		all = append(all, Text{"glocks.txt", glocks})
	}
	return all
}
