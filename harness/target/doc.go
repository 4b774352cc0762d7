// Package target gets a file system to test, says what it can do, and puts everything back. A target is a directory of the
// user, a loop-mounted image, a tmpfs, an overlay, or one of our own servers with a planted fault; each kind is one file
// here and one row of [Kinds].
//
// It imports generators/prog for the table of needs, harness/watch, harness/self, harness/demand, targetfs/planted, golang.org/x/sys and
// the standard library.
//
//	t, err := target.Open(ctx, "loop:ext4,size=1G,mount=noatime", target.Options{})
//	var missing *target.Missing
//	if errors.As(err, &missing) {
//		return skip(missing.Error()) // "loop:ext4: mkfs.ext4 is not installed (package e2fsprogs)"
//	}
//	defer t.Close(ctx)
//	run programs in t.Dir() unless t.Lacks("punch") says why not
//
// # Who touches what
//
// This process never touches a file system under test: a thread that does may never come back. A child (the role
// "target-hands" of our own binary) makes the folder, probes, looks and removes; it is asked over a pipe, with a deadline,
// and is killed and left behind when it does not answer. mkfs, mount(8) and fsck are processes anyway. What we ask of the
// mount itself comes from /proc/self/mountinfo, which does not touch it.
//
// # What is left when we die
//
// Close undoes every step in reverse order, also after a failed or cancelled Open. After a SIGKILL nothing can be undone, so
// everything is made to be found: whatever lives on a disk is below one folder whose sentinel file names its owner (host,
// boot, process, start time). Loop devices are set up by mount(8) with autoclear and vanish with their mount. A planted server
// unmounts and ends when the pipe to its owner closes. The next Open in the same place sweeps what a dead owner left: it
// unmounts below the folder, then removes it. [Sweep] does the same on request. Nothing without our sentinel is ever deleted, nor
// anything whose owner lives or cannot be told (another host, another PID namespace).
package target
