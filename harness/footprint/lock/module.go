package lock

import (
	"slices"
	"strings"

	"faultline/harness/watch"
)

// Trim leaves out what the stacks of all sleepers begin with, the scheduler.
func Trim(stack []string) []string {
	for i, line := range stack {
		if unnamed(line) != "" || len(watch.Functions([]string{line})) > 0 {
			return stack[i:]
		}
	}
	return nil
}

// unnamed is the module of a line that has no function: User Mode Linux does not know the symbols of modules, and writes "[gfs2]".
func unnamed(line string) string {
	words := strings.Fields(line)
	if len(words) == 0 || strings.Contains(line, "+0x") || len(watch.Functions([]string{line})) > 0 {
		return ""
	}
	last := words[len(words)-1]
	if !strings.HasPrefix(last, "[") || !strings.HasSuffix(last, "]") {
		return ""
	}
	return strings.Trim(last, "[]")
}

// inModule names a lock that functions of gfs2 without names wait for, from the functions around them. gfs2 waits for a bit of a holder in
// gfs2_glock_wait. What takes an rwsem and is called by the VFS itself, takes the inode's lock: gfs2_file_write_iter, gfs2_fallocate, gfs2_fiemap
// (fs/gfs2/file.c, fs/gfs2/inode.c). So does gfs2_seek_data, which gfs2_llseek calls.
func inModule(stack []string) string {
	at := slices.IndexFunc(stack, func(line string) bool { return unnamed(line) == "gfs2" })
	if at < 1 {
		return ""
	}
	inner := strings.Join(stack[:at], " ")
	direct := at+1 < len(stack) && unnamed(stack[at+1]) == ""
	switch {
	case strings.HasSuffix(inner, "wait_on_bit"):
		return "a glock (gfs2_glock_nq)"
	case strings.Contains(inner, "rwsem_down_") && (direct || outer(stack[at:]) == "vfs_llseek"):
		return inode
	}
	return ""
}

// outer is the first function with a name that called those without.
func outer(stack []string) string {
	for _, line := range stack {
		if names := watch.Functions([]string{line}); len(names) > 0 {
			return names[0]
		}
	}
	return ""
}
