package mount

import (
	"errors"
	"fmt"
	"io"
	"log"
	"log/syslog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"faultline/targetfs/fused"
)

// Foreground mounts and serves in this process until it is unmounted. SIGTERM and SIGINT unmount; while somebody uses the mount the first one
// is reported and the second one aborts it. Errors of the image go to standard error, or to the log file.
func Foreground(a Args) error {
	out, err := logger(a.Log, os.Stderr)
	if err != nil {
		return err
	}
	return run(a, out, func() error { return nil })
}

// serve is the work of the role: it says on ready that it has mounted, and leaves the parent's terminal alone from then on.
func serve(a Args, ready io.WriteCloser) error {
	out, err := logger(a.Log, nil)
	if a.Lease {
		out, err = logger(a.Log, os.Stderr)
	}
	if err != nil {
		return err
	}
	return run(a, out, func() error {
		if _, err := fmt.Fprintln(ready, Ready); err != nil {
			return err
		}
		if a.Lease {
			return nil
		}
		return errors.Join(ready.Close(), silence())
	})
}

// silence gives up the standard error that was the parent's.
func silence() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	return unix.Dup3(int(null.Fd()), int(os.Stderr.Fd()), 0)
}

// logger writes to a file; to out without one; to the system log without both, and nowhere when there is no such thing.
func logger(path string, out io.Writer) (*log.Logger, error) {
	switch {
	case path != "":
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
		if err != nil {
			return nil, fmt.Errorf("open the log: %w", err)
		}
		return log.New(f, "gfs2: ", log.LstdFlags), nil
	case out != nil:
		return log.New(out, "gfs2: ", 0), nil
	}
	w, err := syslog.New(syslog.LOG_DAEMON|syslog.LOG_ERR, Role)
	if err != nil {
		return log.New(io.Discard, "", 0), nil
	}
	return log.New(w, "", 0), nil
}

// lastWait is how long an aborted server waits for what is stuck in it, and to close the image. An owner that lives loses patience earlier.
const lastWait = 2 * time.Minute

// run mounts, says so, and serves to the end. The error is that of mounting, of closing the image, or of an end that had to be forced.
func run(a Args, out *log.Logger, mounted func() error) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT)
	defer signal.Stop(signals)
	server, err := start(a, out)
	if err != nil {
		return Explain(a.Image, err)
	}
	readersBesideWork()
	collectLess()
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	lost := make(chan struct{})
	if a.Lease {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // its end is all that counts
			close(lost)
		}()
	}
	if err := mounted(); err != nil {
		return errors.Join(err, abort(server, ended))
	}
	for busy := false; ; busy = true {
		select {
		case err := <-ended:
			return err
		case <-lost:
			if server.Unmount() != nil {
				return abort(server, ended)
			}
			return <-ended
		case <-signals:
		}
		if err := server.Unmount(); err == nil {
			return <-ended
		} else if busy {
			return abort(server, ended)
		} else {
			out.Printf("%v; a second signal ends it all the same", err)
		}
	}
}

// readersBesideWork makes room for the threads that wait in read(2) of /dev/fuse (package session). Go counts such a thread as running: one that gets a
// request while all places are taken waits until the scheduler notices that the others sleep.
func readersBesideWork() {
	runtime.GOMAXPROCS(2*runtime.GOMAXPROCS(0) + 1)
}

// Requests leave garbage and little else: with Go's default a tenth of the time of small ones goes into collecting it, because what stays is small.
// When as much has gathered as memoryGoal, which is more than the caches take, it is collected as ever (runtime/debug, SetMemoryLimit).
const (
	garbagePercent = 400
	memoryGoal     = 384 << 20
)

// collectLess trades memory for time. Whoever set GOGC or GOMEMLIMIT knows better.
func collectLess() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(garbagePercent)
		debug.SetMemoryLimit(memoryGoal)
	}
}

// start mounts.
func start(a Args, out *log.Logger) (*fused.Server, error) {
	opts, err := fused.ParseOptions(a.Options)
	if err != nil {
		return nil, err
	}
	opts.Image, opts.Dirs, opts.Log = a.Image, a.Dirs, out
	for _, dir := range a.Dirs {
		if info, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("the mount point: %w", err)
		} else if !info.IsDir() {
			return nil, fmt.Errorf("the mount point %s is not a directory", dir)
		}
	}
	var server *fused.Server
	err = Patiently(func() (err error) {
		server, err = fused.Mount(opts)
		return err
	})
	return server, err
}

// abort ends the mounts whoever uses them.
func abort(server *fused.Server, ended <-chan error) error {
	if err := server.Abort(); err != nil {
		return err
	}
	timer := time.NewTimer(lastWait)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		stacks := make([]byte, 1<<20)
		return fmt.Errorf("%s\nsomething is stuck in the server for %v; its process ends it", stacks[:runtime.Stack(stacks, true)], lastWait)
	}
}
