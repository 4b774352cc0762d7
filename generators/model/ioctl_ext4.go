package model

import (
	"fmt"

	"faultline/generators/prog"
)

// Requests of ext4 that make a file system larger (fs/ext4/ioctl.c, fs/ext4/resize.c). What they are given is read, and changes nothing.

// groupExtend makes the last group larger, up to so many blocks: 0 is as many as there are.
func (r *request) groupExtend() (*value, error) {
	return nil, r.wholeFS("leaves the last group as it is", "n", 0)
}

// groupAdd adds a group, which must be the one behind the last. Without room for its descriptor the error is EPERM.
func (r *request) groupAdd() (*value, error) {
	r.failed = prog.Expect{prog.Fails("EINVAL"), prog.Fails("EPERM")}
	return nil, r.wholeFS("adds the first group, which is there", "group", 0)
}

// resize makes the file system as large as that many blocks, never smaller.
func (r *request) resize() (*value, error) {
	r.failed = fails("EINVAL")
	return nil, r.wholeFS("asks for one block, which is refused", "blocks", 1)
}

// wholeFS notes that the request is about the whole file system, and wants a number in a field.
func (r *request) wholeFS(what, field string, want int64) error {
	r.m.prog.Need("own-mount")
	n, err := r.get(field)
	if err == nil && n != want {
		err = fmt.Errorf("the model %s: %s=%d", what, field, want)
	}
	return err
}
