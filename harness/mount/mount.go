// Package mount serves a GFS2 image in a process of its own, which is our own binary in the role [Role]: in the background for a user, or for as
// long as its owner lives for a target. A server must never touch its own mount, and so it is never the process that uses it. It
// imports harness/self, targetfs/fused and what that is made of.
//
//	pid, err := mount.Background(mount.Args{Image: "gfs2.img", Dirs: []string{"/mnt"}, Options: "noatime"})
//	...use /mnt; umount(8) or SIGTERM ends the server
package mount

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"faultline/harness/self"
)

// Role is the name of the process that serves.
const Role = "gfs2-server"

func init() { self.Register(Role, main) }

// Ready is the line that a server writes to its standard output when the mounts are there.
const Ready = "mounted"

// Args say what a server mounts.
type Args struct {
	Image   string
	Dirs    []string // one for each node
	Options string   // as after -o
	Log     string   // file for errors of the image; empty for the system log, or standard error with Lease
	Lease   bool     // unmount and end when standard input closes: the owner is gone
}

// Strings are the arguments of the process.
func (a Args) Strings() []string {
	list := []string{"-o", a.Options, "-log", a.Log, fmt.Sprintf("-lease=%v", a.Lease), "--", a.Image}
	return append(list, a.Dirs...)
}

func parseArgs(list []string) (Args, error) {
	var a Args
	flags := flag.NewFlagSet(Role, flag.ContinueOnError)
	flags.StringVar(&a.Options, "o", "", "mount options")
	flags.StringVar(&a.Log, "log", "", "file for errors")
	flags.BoolVar(&a.Lease, "lease", false, "end with standard input")
	if err := flags.Parse(list); err != nil {
		return a, err
	}
	if flags.NArg() < 2 {
		return a, errors.New("want an image and the directories for its nodes")
	}
	a.Image, a.Dirs = flags.Arg(0), flags.Args()[1:]
	return a, nil
}

// absolute are the same arguments with paths that stay right when the server has another working directory.
func (a Args) absolute() (Args, error) {
	dirs := make([]string, len(a.Dirs))
	for i, dir := range a.Dirs {
		var err error
		if dirs[i], err = filepath.Abs(dir); err != nil {
			return a, err
		}
	}
	a.Dirs = dirs
	for _, path := range []*string{&a.Image, &a.Log} {
		if *path == "" {
			continue
		}
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return a, err
		}
	}
	return a, nil
}

// Background mounts and comes back with the process that serves from then on; it is in a session of its own and outlives us. The error is
// one line, as Explain has it.
func Background(a Args) (pid int, err error) {
	a, err = a.absolute()
	if err != nil {
		return 0, err
	}
	cmd := self.Command(Role, a.Strings()...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var said bytes.Buffer
	// A pipe, and not the buffer: nobody waits for the server, and it gives up this output when it has mounted.
	complaints, err := cmd.StderrPipe()
	if err != nil {
		return 0, err
	}
	ready, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start our own binary as %s: %w", Role, err)
	}
	line, readErr := bufio.NewReader(ready).ReadString('\n')
	if readErr == nil && line == Ready+"\n" {
		pid = cmd.Process.Pid
		return pid, cmd.Process.Release()
	}
	_, _ = io.Copy(&said, complaints) // what can be read of it
	err = cmd.Wait()
	if text := strings.TrimSpace(said.String()); text != "" {
		return 0, errors.New(text)
	}
	return 0, fmt.Errorf("the server ended before it had mounted: %w", err)
}

// main is the body of the role. Standard output and standard error are the parent's until the mounts are there.
func main(list []string) int {
	a, err := parseArgs(list)
	if err == nil {
		err = serve(a, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
