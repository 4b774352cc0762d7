// Package demandtest mounts files with pages on demand for the time of a test. It imports demand and self; the test's main function calls self.Dispatch.
//
//	dir, lease := demandtest.Mount(t)
package demandtest

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"faultline/harness/demand"
	"faultline/harness/self"
)

// Mount starts a server and returns its mount point, and what ends it when it is closed, at the latest with the test. It skips the test where there cannot be
// one, and fails it if the server complains or leaves its mount behind.
func Mount(t testing.TB) (dir string, lease io.Closer) {
	t.Helper()
	dir = t.TempDir()
	var said bytes.Buffer
	server := self.Command(demand.Role, dir)
	server.Stderr = &said
	stdin, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	if line == "" {
		_ = server.Wait() // what it said is the reason
		t.Skip("needs FUSE: ", said.String())
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := server.Wait(); err != nil {
			t.Errorf("the server: %v: %s", err, said.String())
		}
		if mounts, err := os.ReadFile("/proc/self/mounts"); err != nil || strings.Contains(string(mounts), dir) {
			t.Errorf("%s is still mounted (%v)", dir, err)
		}
	})
	return dir, stdin
}
