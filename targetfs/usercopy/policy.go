package usercopy

import (
	"fmt"
	"slices"
	"strings"
)

// Policy is how user buffers are treated at the start of a read or write.
type Policy uint8

// Policies.
const (
	// Kernel does nothing: the kernel copies when the server has answered, as on any FUSE file system.
	Kernel Policy = iota
	// Faulting takes the glock and touches every page of the buffer, as gfs2 did up to Linux 5.15. Where the kernel stops at the BUG of its
	// recursion trap, the task hangs here.
	Faulting
	// Recursive is the same, but a fault of the holder's own touch is granted where what it holds covers it, as the first proposal of 2021 did.
	// Where it does not cover it, the fault fails, and the glock is dropped to fault the page in.
	Recursive
	// NoFault takes the glock and copies only what is resident, as gfs2 does since Linux 5.16. If a page is missing, it drops the glock, faults
	// the page in, and tries again.
	NoFault
)

var policyNames = []string{Kernel: "kernel", Faulting: "faulting", Recursive: "recursive", NoFault: "nofault"}

// Policies lists all policies.
func Policies() []Policy { return []Policy{Kernel, Faulting, Recursive, NoFault} }

func (p Policy) String() string { return policyNames[p] }

// Parse reads the name of a policy.
func Parse(name string) (Policy, error) {
	i := slices.Index(policyNames, name)
	if i < 0 {
		return Kernel, fmt.Errorf("unknown user-copy policy %q; there are %s", name, strings.Join(policyNames, ", "))
	}
	return Policy(i), nil
}
