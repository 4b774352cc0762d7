// Package lock names the lock that a thread waits for, from its kernel stack: the kernel has no interface that tells, but the function that sleeps and those that
// called it do. What a function waits for is known to package watch, the only one of ours that it imports; here stands which lock of several it is.
//
//	lock.Name([]string{"xfs_ilock+0xf7/0x100", "xfs_vn_fiemap+0x3d/0x90 [xfs]"}) // "the inode's lock (i_rwsem)"
package lock

import (
	"slices"
	"strings"

	"faultline/harness/watch"
)

// Name is the lock that a thread with the kernel stack waits for. The stack has the lines of /proc/PID/stack, or functions only, innermost first.
// A stack that no table knows gives "unknown, in FUNCTION", and one that says nothing "".
func Name(stack []string) string {
	all := taker(stack)
	for _, r := range rules {
		if r.fits(all) {
			return r.name
		}
	}
	what, where := watch.WaitsFor(stack)
	switch {
	case where == "":
		return ""
	case what == "":
		return "unknown, in " + where
	}
	for _, known := range terms {
		if what == known.words || strings.HasPrefix(what, known.words+" (") {
			return known.name
		}
	}
	return what
}

// Trim leaves out what the stacks of all sleepers begin with, the scheduler.
func Trim(stack []string) []string {
	for i, line := range stack {
		if len(watch.Functions([]string{line})) > 0 {
			return stack[i:]
		}
	}
	return nil
}

// primitives are functions of locks themselves, which stand in the stacks of kernels that know no __sched functions (User Mode Linux).
var primitives = strings.Fields(`rwsem_down_read_slowpath rwsem_down_write_slowpath down_read down_read_killable down_write down_write_killable percpu_down_write
	wait_on_bit`)

// taker is the stack from the function on that takes the lock.
func taker(stack []string) []string {
	all := watch.Functions(stack)
	for i, name := range all {
		if !slices.Contains(primitives, name) {
			return watch.Functions(all[i:])
		}
	}
	return nil
}

// fits reports that the rule is about a stack.
func (r rule) fits(stack []string) bool {
	if len(stack) == 0 || !slices.Contains(strings.Fields(r.in), stack[0]) {
		return false
	}
	callers := strings.Fields(r.under)
	return len(callers) == 0 || slices.ContainsFunc(stack[1:], func(name string) bool { return slices.Contains(callers, name) })
}
