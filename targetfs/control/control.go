// Package control is a socket beside a mount on which its server can be asked while every access to the mount hangs: which glocks are held, who
// waits for whom, what the counters say. The address is made of the mount's device number, which mountinfo tells without touching the mount, in
// the abstract namespace of unix(7), where nothing is left behind by a server that dies.
//
// A request is one line: a command and its arguments, with spaces between them. The answer is a line "ok" or "error TEXT", and then the
// command's output up to the end of the connection.
//
//	l, err := control.Listen(dev, control.Commands{"glocks": func(w io.Writer, args []string) error { return server.Dump(w) }}) // the server
//	text, err := control.Ask(ctx, "/mnt/gfs2", "glocks")                                                                          // a client
//
// The package imports golang.org/x/sys only.
package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Commands are what a server can be asked, by name. They are called at the same time for several clients, and must not wait for the file
// system unless that is what they are for.
type Commands map[string]func(w io.Writer, args []string) error

// Listener answers clients.
type Listener struct {
	socket   *net.UnixListener
	commands Commands
}

// address is that of the server of a mount; dev is its device number as in mountinfo: "0:52".
func address(dev string) *net.UnixAddr {
	return &net.UnixAddr{Net: "unix", Name: "@faultline/targetfs/" + dev}
}

// handover is how long the server of a mount that is gone may go on to answer when its device number is used again.
const handover = 2 * time.Second

// Listen begins to answer the clients of the mount with device number dev ("0:52"): those of root and of the server's own user.
func Listen(dev string, commands Commands) (*Listener, error) {
	socket, err := net.ListenUnix("unix", address(dev))
	for end := time.Now().Add(handover); errors.Is(err, unix.EADDRINUSE) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
		socket, err = net.ListenUnix("unix", address(dev))
	}
	if err != nil {
		return nil, fmt.Errorf("control the mount %s: %w", dev, err)
	}
	l := &Listener{socket, commands}
	go l.accept()
	return l, nil
}

// Close stops answering. Answers that are under way are finished.
func (l *Listener) Close() error { return l.socket.Close() }

func (l *Listener) accept() {
	for {
		c, err := l.socket.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(time.Millisecond) // out of descriptors: some may be closed soon
			continue
		}
		go l.serve(c)
	}
}

const (
	// requestLength is the longest request, in bytes.
	requestLength = 4096
	// requestTime is how long a client may take to send it.
	requestTime = 10 * time.Second
)

// serve answers one client.
func (l *Listener) serve(c *net.UnixConn) {
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(requestTime))
	line, err := bufio.NewReader(io.LimitReader(c, requestLength)).ReadString('\n')
	if err != nil {
		fmt.Fprintln(c, "error no command")
		return
	}
	if err := allowed(c); err != nil {
		fmt.Fprintf(c, "error %v\n", err)
		return
	}
	var out bytes.Buffer
	if err := l.call(&out, strings.Fields(line)); err != nil {
		fmt.Fprintf(c, "error %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	fmt.Fprintf(c, "ok\n%s", out.Bytes())
}

func (l *Listener) call(w io.Writer, words []string) error {
	if len(words) > 0 {
		if command, ok := l.commands[words[0]]; ok {
			return command(w, words[1:])
		}
	}
	return fmt.Errorf("unknown command %q; there are %s", strings.Join(words, " "), strings.Join(slices.Sorted(maps.Keys(l.commands)), ", "))
}

// allowed tells whether the client at the other end may ask.
func allowed(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	controlErr := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(controlErr, err); err != nil {
		return fmt.Errorf("who asks: %w", err)
	}
	if peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		return errors.New("the mount is somebody else's")
	}
	return nil
}

// ErrNoServer says that nobody answers for a directory: no mount of ours is there, or its server is gone.
var ErrNoServer = errors.New("no server of a bundled GFS2 answers here")

// Ask sends a command to the server of the mount on dir and returns its output. It never touches dir, which may hang.
func Ask(ctx context.Context, dir string, command ...string) (string, error) {
	dev, err := Device(dir)
	if err != nil {
		return "", fmt.Errorf("ask the server of %s: %w", dir, err)
	}
	text, err := ask(ctx, dev, command)
	if err != nil {
		return "", fmt.Errorf("ask the server of %s: %w", dir, err)
	}
	return text, nil
}

func ask(ctx context.Context, dev string, command []string) (string, error) {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "unix", address(dev).Name)
	if errors.Is(err, unix.ECONNREFUSED) {
		return "", ErrNoServer
	}
	if err != nil {
		return "", err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })()
	if _, err := fmt.Fprintln(c, strings.Join(command, " ")); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(c)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", err
	}
	status, text, _ := strings.Cut(string(answer), "\n")
	if status == "ok" {
		return text, nil
	}
	if problem, is := strings.CutPrefix(status, "error "); is {
		return "", errors.New(problem)
	}
	return "", fmt.Errorf("the server ended in the middle of its answer: %q", status)
}
