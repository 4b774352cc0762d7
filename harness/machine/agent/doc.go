// Package agent is our side in a guest: it does there what a machine.Machine is asked for, and tells the host what happens. It imports
// harness/machine with credit and wire, harness/self, harness/watch, harness/worker and the standard library.
//
// It is a role of our binary with the channel as descriptor 3, started by the guest's first process; it ends when the host does, and with it all that
// it has started. It touches no file system under test.
//
// A guest may die in the middle of a program, and then the host must know which one that was. So the agent hands a worker one program at a time:
// the report of the one before is on its way to the host, as far as a write(2) takes it, before the next one begins, and so is the word that it
// begins. What the kernel has printed meanwhile goes ahead of the report.
//
//	cmd := self.Command(agent.Role) // with the channel as cmd.ExtraFiles[0]
package agent
