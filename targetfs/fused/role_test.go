package fused_test

import (
	"bytes"
	"os/exec"

	"faultline/harness/self"
)

// role is a process of our own binary in one of its roles, which may never end.
type role struct {
	*exec.Cmd
	output *bytes.Buffer // valid when ended
	ended  chan struct{}
}

func startRole(name string, args ...string) (*role, error) {
	r := &role{Cmd: self.Command(name, args...), output: new(bytes.Buffer), ended: make(chan struct{})}
	r.Stdout, r.Stderr = r.output, r.output
	if err := r.Start(); err != nil {
		return nil, err
	}
	go func() {
		r.Wait()
		close(r.ended)
	}()
	return r, nil
}
