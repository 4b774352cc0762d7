// Faultline finds the deadlocks, hangs, livelocks and corruptions that file systems show when a system call's user buffer is a mapping of a
// file and touching it faults.
package main

import (
	"os"

	"faultline/harness/cli"
	"faultline/harness/self"
)

func main() {
	self.Dispatch()
	os.Exit(cli.Main(os.Args[1:]))
}
