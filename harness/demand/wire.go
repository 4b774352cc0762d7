package demand

import (
	"encoding/binary"
	"errors"
)

// Names of the files of a space.
const (
	StopsName  = "stops"
	OrdersName = "orders"
)

// Stop says that somebody waits for a page.
type Stop struct {
	// File is the file's number, Page the page of the file, from 0.
	File, Page uint32
	// TID is the thread, in the server's namespace of process ids: the pid of the FUSE request's header, which is the task's own
	// number (fuse_get_req in fs/fuse/dev.c). It may be one that does the work of another, such as a worker of io_uring.
	TID int32
}

// StopBytes is the size of an encoded Stop.
const StopBytes = 12

// ParseStop is the inverse of Append, for what a read of stops has returned.
func ParseStop(b []byte) (Stop, error) {
	if len(b) != StopBytes {
		return Stop{}, errors.New("a stop has another size")
	}
	at := binary.NativeEndian.Uint32
	return Stop{at(b), at(b[4:]), int32(at(b[8:]))}, nil
}

// Append adds the stop's encoding.
func (s Stop) Append(b []byte) []byte {
	b = binary.NativeEndian.AppendUint32(b, s.File)
	b = binary.NativeEndian.AppendUint32(b, s.Page)
	return binary.NativeEndian.AppendUint32(b, uint32(s.TID))
}

// Do is what an order does to pages.
type Do uint32

const (
	// Serve gives pages their bytes, zeros without data. A page that has been answered before is EEXIST, and the pages behind it stay as they are.
	Serve Do = 1 + iota
	// Spoil makes pages bad: whoever touches one gets SIGBUS or EFAULT. It fails as Serve does.
	Spoil
	// Free gives zeros to the pages that have not been answered. It does not fail.
	Free
)

// Order is what is to be done with the pages From up to To of a file. ENOENT says that there is no such file, EINVAL that it has no such pages.
type Order struct {
	Do             Do
	File, From, To uint32
	// Data are the bytes of all those pages, or empty. An order is one FUSE request, which has room for 128 KiB.
	Data []byte
}

// orderBytes is the size of an order without data.
const orderBytes = 16

// Append adds the order's encoding.
func (o Order) Append(b []byte) []byte {
	for _, word := range []uint32{uint32(o.Do), o.File, o.From, o.To} {
		b = binary.NativeEndian.AppendUint32(b, word)
	}
	return append(b, o.Data...)
}

// parseOrder is the inverse of Append. The data lies in b.
func parseOrder(b []byte) (Order, error) {
	if len(b) < orderBytes {
		return Order{}, errors.New("an order is longer")
	}
	at := binary.NativeEndian.Uint32
	return Order{Do(at(b)), at(b[4:]), at(b[8:]), at(b[12:]), b[orderBytes:]}, nil
}
