package model

import (
	"errors"

	"faultline/generators/prog"
)

// Requests of f2fs (fs/f2fs/file.c), besides f2fsMove and f2fsDefragment.

// secTrim overwrites a range with zeros, on the disk too.
func (r *request) secTrim() (*value, error) {
	const zeroOut = 2 // F2FS_TRIM_FILE_ZEROOUT
	n, err := r.numbers("start", "len", "flags")
	if err == nil {
		err = r.pages(n[:2]...)
	}
	if err != nil {
		return nil, err
	}
	if i := r.m.view(r.fd.ino); n[1] == 0 || n[2] != zeroOut || !r.fd.write || !i.known() || n[0]+n[1] > i.maxSize() {
		return nil, errors.New("the model overwrites some pages within a file that is open for writing, with zeros: flags=2")
	}
	r.m.blank(r.fd.ino, n[0], n[0]+n[1])
	return nil, nil
}

// collect cleans a segment, if there is one to clean.
func (r *request) collect() (*value, error) {
	r.others = prog.Expect{prog.Fails("EAGAIN"), prog.Fails("ENODATA")}
	return nil, r.wholeFS("waits for what is cleaned", "n", 1)
}

// collectRange cleans a range of blocks, which must not begin before those of data.
func (r *request) collectRange() (*value, error) {
	n, err := r.numbers("sync", "start", "len")
	if err == nil && (n[1] != 0 || n[2] != 1) {
		err = errors.New("the model asks for the first block, which is refused: start=0, len=1")
	}
	r.failed = fails("EINVAL")
	return nil, err
}

// setCompression is for files without data.
func (r *request) setCompression() (*value, error) {
	if r.m.view(r.fd.ino).minSize() == 0 || !r.fd.write {
		return nil, errors.New("the model asks it for a file that has data, and is open for writing")
	}
	r.failed = prog.Expect{prog.Fails("EFBIG"), prog.Fails("EBUSY")}
	return nil, nil
}

// setPin unpins what is not pinned.
func (r *request) setPin() (*value, error) {
	n, err := r.get("n")
	if err == nil && (n != 0 || !r.fd.write) {
		err = errors.New("the model unpins files, which are open for writing: n=0")
	}
	return nil, err
}
