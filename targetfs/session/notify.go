package session

import (
	"encoding/binary"
	"fmt"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Notifications of the kernel (include/uapi/linux/fuse.h, enum fuse_notify_code). One may wait for pages that are locked, for example because
// they are being read: nothing may be held that the answer to a READ or a WRITE wants. That the kernel does not know the inode is ENOENT.
const (
	notifyInvalInode = 2
	notifyStore      = 4
	notifyPrune      = 9
)

// Invalidate makes the kernel write what is dirty, and forget attributes and pages of the inode from an offset on, length bytes of them or all when it is 0.
func (s *Session) Invalidate(nodeid uint64, off, length int64) error {
	return s.notify("invalidate", notifyInvalInode, &fuse.NotifyInvalInodeOut{Ino: nodeid, Off: off, Length: length}, nil)
}

// Store puts data into the kernel's cache of the inode, over what is there.
func (s *Session) Store(nodeid uint64, off int64, data []byte) error {
	return s.notify("store", notifyStore, &fuse.NotifyStoreOut{Nodeid: nodeid, Offset: uint64(off), Size: uint32(len(data))}, data)
}

// Prune asks the kernel to forget the inodes that nobody uses. Kernels before 6.18 answer EINVAL.
func (s *Session) Prune(nodeids []uint64) error {
	ids := make([]byte, 0, 8*len(nodeids))
	for _, id := range nodeids {
		ids = binary.NativeEndian.AppendUint64(ids, id)
	}
	return s.notify("prune", notifyPrune, &struct {
		Count, Padding uint32
		Spare          uint64
	}{Count: uint32(len(nodeids))}, ids)
}

// notify sends a notification: a header without a request's number, a struct, data.
func (s *Session) notify(what string, code uint32, body any, data []byte) error {
	length := outHeaderSize + binary.Size(body) + len(data)
	message := make([]byte, 0, outHeaderSize+binary.Size(body))
	message = binary.NativeEndian.AppendUint32(message, uint32(length))
	message = binary.NativeEndian.AppendUint32(message, code)
	message = binary.NativeEndian.AppendUint64(message, 0)
	message, err := binary.Append(message, binary.NativeEndian, body)
	if err == nil {
		err = s.send([][]byte{message, data})
	}
	if err != nil {
		return fmt.Errorf("%s pages of %s: %w", what, s.dir, err)
	}
	return nil
}

// send writes what has no request. The session may end meanwhile, but not the descriptor.
func (s *Session) send(pieces [][]byte) error {
	conn, err := s.file.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := conn.Control(func(fd uintptr) {
		for sent = unix.EINTR; sent == unix.EINTR; {
			_, sent = unix.Writev(int(fd), pieces)
		}
	}); err != nil {
		return err
	}
	return sent
}
