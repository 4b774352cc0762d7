package model

import (
	"errors"

	"faultline/generators/prog"
)

// Requests of ext4 that make a file system larger (fs/ext4/ioctl.c, fs/ext4/resize.c). What they are given is read, and changes nothing.

// groupExtend makes the last group larger, up to so many blocks: 0 is as many as there are.
func (r *request) groupExtend() (*value, error) {
	n, err := r.get("n")
	if err == nil && n != 0 {
		err = errors.New("the model leaves the last group as it is: n=0")
	}
	r.m.prog.Need("own-mount")
	return nil, err
}

// groupAdd adds a group, which must be the one behind the last.
func (r *request) groupAdd() (*value, error) {
	n, err := r.get("group")
	if err == nil && n != 0 {
		err = errors.New("the model adds the first group, which is there: group=0")
	}
	r.m.prog.Need("own-mount")
	r.failed = prog.Expect{prog.Fails("EINVAL"), prog.Fails("EPERM")} // EPERM without room for its descriptor
	return nil, err
}

// resize makes the file system as large as that many blocks, never smaller.
func (r *request) resize() (*value, error) {
	n, err := r.get("blocks")
	if err == nil && n != 1 {
		err = errors.New("the model asks for one block, which is refused: blocks=1")
	}
	r.m.prog.Need("own-mount")
	r.failed = fails("EINVAL")
	return nil, err
}
