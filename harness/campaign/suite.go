package campaign

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// RunSuite runs the Ginkgo suite in a folder of Go code on every target: "go test" builds and starts it, and it asks us to run its programs
// (package kit). Its output goes to suite-CLASS.log in the results folder.
func RunSuite(ctx, soft context.Context, dir string, targets []*Target, rec *Recorder, how Runs) error {
	chosen := newShrinks(how.Shrink)
	for _, t := range targets {
		if soft.Err() != nil {
			return nil
		}
		if err := suiteOn(ctx, soft, dir, t, rec, how, chosen); err != nil {
			return err
		}
	}
	return nil
}

func suiteOn(ctx, soft context.Context, dir string, t *Target, rec *Recorder, how Runs, chosen *shrinks) error {
	socket, remove, err := listen()
	if err != nil {
		return err
	}
	defer remove()
	path := filepath.Join(rec.dir, "suite-"+t.Class+".log")
	log, err := os.Create(path)
	if err != nil {
		return err
	}
	defer log.Close()
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(soft, "go", "test", "-count=1", "-timeout=0", ".")
	cmd.Dir = abs
	cmd.Env = append(os.Environ(), SocketEnv+"="+socket.Addr().String())
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own, so that the end of soft reaches what go test has started.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run the suite in %s: %w", dir, err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		socket.Close()
	}()
	desk := NewDesk(filepath.Base(abs), t, rec, how.Opts)
	desk.chosen = chosen
	conn, err := socket.Accept()
	asked := err == nil
	if asked {
		err = desk.Serve(ctx, conn)
		conn.Close()
	} else {
		err = nil
	}
	exit := <-ended
	var status *exec.ExitError
	switch {
	case soft.Err() != nil:
	case errors.As(exit, &status) && (!asked || !rec.sawBad()):
		desk.Died(fmt.Sprintf("%v without a failed program; its output is in %s", exit, path))
	case exit == nil && !asked:
		desk.Died(fmt.Sprintf("it has no specs of package kit; its output is in %s", path))
	}
	desk.Shrink(ctx, soft)
	return errors.Join(err, desk.Close(context.WithoutCancel(ctx)))
}

// sawBad reports whether a failure or a broken case was recorded.
func (r *Recorder) sawBad() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.summary.Totals()
	return t.Bad() > 0 || t.Broken > 0
}
