package watch

// Functions are the functions of a kernel stack (lines of /proc/PID/stack, innermost first) as they are called in the source, from the one that the
// thread sleeps in outwards: what every sleeper has in common, the scheduler, is left out before it.
func Functions(stack []string) []string {
	all := names(stack)
	for i, name := range all {
		if lookUp(name).role != noise {
			return all[i:]
		}
	}
	return nil
}

// WaitsFor says what a thread with the kernel stack sleeps for, "the inode lock", and in which function. What is "" where no table knows the
// function, and where is "" if the stack says nothing.
func WaitsFor(stack []string) (what, where string) {
	all := Functions(stack)
	if len(all) == 0 {
		return "", ""
	}
	return waits(all)
}
