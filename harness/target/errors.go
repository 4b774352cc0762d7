package target

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// ErrNothingToAbort means that Abort can do nothing for this target.
var ErrNothingToAbort = errors.New("nothing to abort")

// UsageError is a target that was asked for wrongly: an unknown kind or option, a path that cannot be used.
type UsageError struct {
	Spec    string // as it was given
	Problem string // what is wrong and how to mend it
}

func (e *UsageError) Error() string { return fmt.Sprintf("target %q: %s", e.Spec, e.Problem) }

// Missing is a target that this machine cannot have as it is: callers skip, or tell the user.
type Missing struct {
	Spec string
	What []string // each with how to get it: "mkfs.xfs is not installed (package xfsprogs)"
}

func (e *Missing) Error() string { return e.Spec + ": " + strings.Join(e.What, "; ") }

// Hung is an operation on a file system that did not come back.
type Hung struct {
	What string // "probe /mnt/x/faultline-1234"
	For  time.Duration
	PID  int // the process that is left in it; it has been sent SIGKILL
}

func (e *Hung) Error() string {
	return fmt.Sprintf("%s has not come back for %v: the file system hangs (in process %d)", e.What, e.For, e.PID)
}

// Cause is why a target is unfit.
type Cause string

// The causes that Check tells apart.
const (
	Vanished Cause = "vanished"  // not mounted any more, or something else is mounted there
	ReadOnly Cause = "read-only" // remounted, or gone read-only after an error
	Full     Cause = "full"      // no room for the next program
	Failing  Cause = "failing"   // operations that must work return errors such as EIO
	Died     Cause = "died"      // its server has ended, or it was aborted
	Hanging  Cause = "hanging"   // it did not answer once, and is not asked again
)

// Unfit is a target on which programs cannot go on.
type Unfit struct {
	Spec   string
	Cause  Cause
	Detail string
	Err    error // the errno behind it, if there is one
}

func (e *Unfit) Error() string { return e.Spec + ": " + e.Detail }
func (e *Unfit) Unwrap() error { return e.Err }

// CheckError is damage that the file system's own checker found.
type CheckError struct {
	Spec    string
	Command string // what was run
	Code    int    // its exit code
	Output  string // all it said
}

func (e *CheckError) Error() string {
	return fmt.Sprintf("%s: the file system is damaged: %s ended with code %d: %s", e.Spec, e.Command, e.Code, firstComplaint(e.Output))
}

// lastLine is the last line of a tool's output that says something: most tools put the reason there.
func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// complaint matches the words with which checkers say that something is wrong.
var complaint = regexp.MustCompile(`(?i)\b(error|bad|corrupt|invalid|mismatch|wrong|inconsistent|damage|assert|fail|fix\?|clear\?|should be|would )`)

// firstComplaint is the line of a checker's output where the trouble begins: the last line is often a farewell.
func firstComplaint(output string) string {
	for line := range strings.Lines(output) {
		if complaint.MatchString(line) {
			return strings.TrimSpace(line)
		}
	}
	return lastLine(output)
}
