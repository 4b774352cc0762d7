// Package self starts our own binary again in another role: worker, supervisor, server of a FUSE target.
// A stuck thread cannot watch itself, so everything that may hang lives in a process of its own; one binary
// plays all the parts, so that a guest needs no other file. It imports nothing of ours.
//
//	self.Register("worker", worker.Main)   // in the package that plays the part
//	self.Dispatch()                         // first line of main, and of the test mains
//	cmd := self.Command("worker", "-fd", "3")
package self

import (
	"fmt"
	"os"
	"os/exec"
	"sort"
)

// roleEnv names the role. An environment variable and not an argument: a test binary's own flags stay untouched.
const roleEnv = "FAULTLINE_ROLE"

var roles = map[string]func(args []string) int{}

// Register makes main the body of role. It is called from init functions; a name registered twice is a bug and panics.
func Register(role string, main func(args []string) int) {
	if _, taken := roles[role]; taken {
		panic("self: role " + role + " registered twice")
	}
	roles[role] = main
}

// Dispatch runs the role this process was started in and exits with its code. It returns when there is none: the process is
// the one the user started.
func Dispatch() {
	role, ok := os.LookupEnv(roleEnv)
	if !ok {
		return
	}
	// The role is not inherited by what this process starts.
	os.Unsetenv(roleEnv)
	main, ok := roles[role]
	if !ok {
		fmt.Fprintf(os.Stderr, "faultline: unknown role %q; this binary knows %v\n", role, names())
		os.Exit(2)
	}
	os.Exit(main(os.Args[1:]))
}

// Command prepares our own binary in the given role, with our environment. The caller sets files and starts it.
func Command(role string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "faultline-" + role
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	return cmd
}

func names() []string {
	var all []string
	for role := range roles {
		all = append(all, role)
	}
	sort.Strings(all)
	return all
}
