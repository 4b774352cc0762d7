package target

import (
	"context"
	"time"

	"faultline/harness/machine"
	"faultline/targetfs/usercopy"
)

// Target is a file system to test. Its methods may be called from several goroutines, except Close.
type Target interface {
	// Spec is what was opened, in its canonical form: "loop:ext4", "dir:/mnt/x".
	Spec() string

	// FS is the type of the file system as mountinfo names it: "ext4", "fuse.planted".
	FS() string

	// Machine is where the file system is mounted, and where programs must run; all paths are its own.
	Machine() machine.Machine

	// Dir is a fresh folder of ours on the file system, where programs may make folders of their own.
	Dir() string

	// Other is a fresh folder of ours on another file system that is not under test, for files that programs want elsewhere.
	// It is empty if Lacks("other") has a reason.
	Other() string

	// Stalls is where files with pages on demand are made (package demand): stalls of programs are such files. It is empty where they are memory of a
	// userfaultfd.
	Stalls() string

	// Lacks says why a need of prog.Needs is not met: "punch: fallocate(PUNCH_HOLE): operation not supported (EOPNOTSUPP)".
	// Empty means that it is.
	Lacks(need string) string

	// Mount says what is mounted, for reports. It was read when the target was opened.
	Mount() Facts

	// Check says whether programs can go on: still mounted, not gone read-only, room left, server alive. It touches the
	// file system, from a child and with a deadline, and takes some tenths of a millisecond. The error is an *Unfit, or a *Hung if
	// the file system does not answer.
	Check(ctx context.Context) error

	// Servers are the processes that serve the file system, for a watcher to look at. Mostly there are none.
	Servers() []int

	// Locks is what the file system itself says of its locks: who holds which, who waits for whom. It is for when everything hangs, and touches
	// nothing of the mount. It is empty where there is nobody to ask.
	Locks(ctx context.Context) string

	// Copies is what the server of a bundled GFS2 has done to the buffers of its callers so far. It is nil on other file systems.
	Copies(ctx context.Context) (*usercopy.Counters, error)

	// Abort frees what hangs on the target; afterwards it is of no use and must be closed. Where nothing can be freed the
	// error wraps ErrNothingToAbort and says why.
	Abort() error

	// Close stops, unmounts, checks and removes what Open made. It always comes back: what hangs is unmounted lazily and left.
	// A finding of the file system's checker is a *CheckError; other errors say what could not be put back. When ctx ends,
	// Close leaves out what is not needed to clean up, such as fsck.
	Close(ctx context.Context) error
}

// Facts describe a mount.
type Facts struct {
	Point     string // where it is mounted
	Root      string // what part of the file system is mounted there: "/" or the folder of a bind mount
	Device    string // source of the mount: a device, "tmpfs", ...
	Number    string // major:minor of st_dev, as mountinfo has it
	Type      string // file-system type
	Options   string // of the mount and of the superblock, with commas
	BlockSize int    // bytes; f_bsize of statfs(2)
	DIOAlign  int    // bytes; stx_dio_offset_align of statx(2), 0 if the kernel does not say (before 6.1, or the type does not)
	Kernel    string // release of the kernel that has mounted it
	Guest     bool   // that kernel is a guest's; all paths and numbers here are the guest's own
	Stalls    string // how system calls are stopped: WithUserfaultfd or WithFUSE; empty if they cannot be
	Note      string // what is other than was to be expected, and why; mostly empty
}

// Options say where a target may put things and how patient it is. The zero value is fine.
type Options struct {
	Temp  string // folder for images and mount points; os.TempDir() if empty
	Other string // folder for Target.Other; if empty, /dev/shm or the temporary folder
	// StallWith forces a way to stop system calls: WithUserfaultfd or WithFUSE. If it is empty, StallWithEnv says, or else userfaultfd is used where it is there.
	StallWith string
	// Tell, if it is set, is called with what went wrong and was mended: a guest that did not come up, for which another was taken. It may be called by several goroutines.
	Tell     func(error)
	Patience time.Duration // how long one operation on the file system may take before it counts as hung; 30 s if 0. Close waits a tenth of it for users of the mount to end
}

func (o Options) tell(err error) {
	if o.Tell != nil {
		o.Tell(err)
	}
}

// room is the free space that a target needs, in bytes: many times what the largest programs use.
const room = 16 << 20

const defaultPatience = 30 * time.Second
