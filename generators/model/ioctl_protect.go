package model

import (
	"errors"
	"fmt"

	"faultline/generators/prog"
)

// Requests that several file systems have: about files that are protected (fs/verity, fs/crypto), and about the whole file system.

// Of fs-verity: FS_VERITY_HASH_ALG_SHA256, the most that a salt has, and the kinds of metadata.
const (
	sha256       = 1
	maxSalt      = 32
	merkleTree   = 1
	descriptors  = 2
	descriptorOf = 256 // sizeof(struct fsverity_descriptor)
)

// verityEnable protects a file that nobody has open for writing. The salt is read before anything is done.
func (r *request) verityEnable() (*value, error) {
	n, err := r.numbers("version", "hash_algorithm", "block_size", "salt_size", "sig_size")
	switch {
	case err != nil:
		return nil, err
	case n[0] != 1 || n[1] != sha256 || n[2] != r.m.page || n[3] > maxSalt || n[4] != 0 || r.m.sec != nil:
		return nil, errors.New("the model protects a file with SHA-256 of pages, an optional salt and no signature, while nobody else runs")
	case r.fd.ino.verity:
		return nil, errors.New("the model protects a file once")
	case r.m.writable(r.fd.ino):
		r.failed = fails("ETXTBSY")
		return nil, nil
	}
	if n[3] > 0 {
		of, err := r.ref(r.step, "salt_ptr")
		if err != nil {
			return nil, err
		}
		salt, err := r.m.spanOf(r.step, of.(prog.Buf), 0, n[3], false)
		switch {
		case err != nil:
			return nil, err
		case salt.can < salt.n:
			r.failed = fails("EFAULT")
			return nil, nil
		case salt.sure < salt.n:
			return nil, errors.New("the model wants a salt that can be read for certain, or not at all")
		}
	}
	r.fd.ino.verity = true
	return nil, nil
}

// writable reports whether a descriptor of the file is open for writing, or may still be because of a mapping.
func (m *model) writable(i *inode) bool {
	for _, a := range m.areas {
		if a.ino == i {
			return true
		}
	}
	for key, sc := range m.scopes {
		for name, fd := range sc.fds {
			if fd.ino == i && fd.write && !m.closed(key, name) {
				return true
			}
		}
	}
	return false
}

// closed reports whether an earlier step has closed the descriptor.
func (m *model) closed(key, name string) bool {
	for k := range m.at {
		if s := &m.prog.Steps[k]; s.Op == "close" && process(s) == key && s.Args[0] == prog.Name(name) {
			return true
		}
	}
	return false
}

func (r *request) verityMeasure() (*value, error) {
	const size = 32 // of SHA-256
	n, err := r.get("digest_size")
	if err == nil && (n != size || !r.fd.ino.verity) {
		err = fmt.Errorf("the model measures a protected file: digest_size=%d", size)
	}
	return &value{record: r.record, fields: map[string]bounds{"digest_algorithm": exactly(sha256), "digest_size": exactly(size)}}, err
}

// verityMetadata reads of the tree, which is one page if the file has several, or of the descriptor.
func (r *request) verityMetadata() (*value, error) {
	n, err := r.numbers("metadata_type", "offset", "length")
	if err != nil {
		return nil, err
	}
	i := r.m.view(r.fd.ino)
	if !i.verity || !i.known() || n[1] != 0 || n[2] < 1 {
		return nil, errors.New("the model reads from the beginning of metadata, of a protected file")
	}
	there := int64(descriptorOf)
	switch pages := r.m.pagesOf(i.maxSize()); {
	case n[0] == merkleTree && pages > 1 && pages <= 64:
		there = r.m.page
	case n[0] != descriptors:
		return nil, errors.New("the model reads descriptors, and trees of one page")
	}
	of, err := r.ref(r.step, "buf_ptr")
	if err != nil {
		return nil, err
	}
	n[2] = min(n[2], there)
	r.more, err = r.m.spanOf(r.step, of.(prog.Buf), 0, n[2], true)
	r.moreSure, r.moreWhole = true, true
	r.moved = &bounds{prog.Bytes(n[2]), prog.Bytes(n[2])}
	return nil, err
}

// Kinds of keys (linux/fscrypt.h): FSCRYPT_KEY_SPEC_TYPE_DESCRIPTOR, FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER; and what they are long.
const (
	byDescriptor = 1
	byIdentifier = 2
	keySize      = 64
)

// cryptAdd adds a key and tells its identifier. It has been added where that cannot be told.
func (r *request) cryptAdd() (*value, error) {
	n, err := r.numbers("key_type", "raw_size")
	if err == nil && (n[0] != byIdentifier || n[1] != keySize || !r.zero(4, 8) || !r.zero(44, 80)) {
		err = fmt.Errorf("the model wants key_type=%d, raw_size=%d, and zeros besides", byIdentifier, keySize)
	}
	return &value{record: r.record, fields: map[string]bounds{"key_type": exactly(byIdentifier)}}, err
}

// zero reports whether words of the struct are.
func (r *request) zero(from, to int64) bool {
	const width = 4
	for ; from < to; from += width {
		if b, known := r.m.number(r.content, &prog.Field{At: from, Width: width}); !known || b != exactly(0) {
			return false
		}
	}
	return true
}

// cryptRemove removes a key that another program may have removed, and tells what is left of it in one number.
func (r *request) cryptRemove() (*value, error) {
	const flagsAt, width = 40, 4
	n, err := r.get("key_type")
	if err == nil && (n != byIdentifier || !r.zero(flagsAt+width, r.record.Size)) {
		err = fmt.Errorf("the model wants key_type=%d, and zeros in the end", byIdentifier)
	}
	if err != nil {
		return nil, err
	}
	r.more, err = r.m.spanOf(r.step, r.buf, flagsAt, flagsAt+width, true)
	r.moreWhole, r.others = true, fails("ENOKEY")
	return nil, err
}

// cryptStatus asks for a key that nobody has added.
func (r *request) cryptStatus() (*value, error) {
	const absent = 1 // FSCRYPT_KEY_STATUS_ABSENT
	n, err := r.get("key_type")
	if err == nil && (n != byDescriptor || !r.zero(4, 64)) {
		err = fmt.Errorf("the model wants key_type=%d, and zeros behind it", byDescriptor)
	}
	return &value{record: r.record, fields: map[string]bounds{"key_type": exactly(byDescriptor), "status": exactly(absent)}}, err
}

// cryptPolicy asks for the policy of a file that has none.
func (r *request) cryptPolicy() (*value, error) {
	r.failed = fails("ENODATA")
	return nil, nil
}

// maxLabel is what the file system with the least room for a label has.
const maxLabel = 11

// setLabel names the file system, which is one for programs alone (need own-mount). Some read the name, others all of the memory for it.
func (r *request) setLabel() (*value, error) {
	name, bad, err := r.m.text(r.step, r.buf)
	switch {
	case bad != nil || err != nil:
		r.failed = bad
		return nil, err
	case len(name) > maxLabel:
		return nil, fmt.Errorf("found label %q, wanted %d bytes at most", name, maxLabel)
	}
	in, err := r.m.spanOf(r.step, r.buf, 0, r.record.Size, false)
	if err != nil {
		return nil, err
	}
	r.failed = r.m.perhapsFault(r.m.counts(0, 0), in)
	return nil, nil
}

// goingDown refuses what is no way to shut down. It is tried on a file system for programs alone (need own-mount): what is read may be wrong.
func (r *request) goingDown() (*value, error) {
	const unknown = 99
	if n, err := r.get("flags"); err != nil || n != unknown {
		return nil, fmt.Errorf("the model shuts nothing down: flags=%d, which is refused", unknown)
	}
	r.failed = fails("EINVAL")
	return nil, nil
}
