package worker

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"faultline/harness/uring"
)

// Each actor has an io_uring of its own, which it sets up when it first needs one: the kernel wants one thread at a time. The result of a step is that of
// the request.

// withRing calls do with the actor's ring.
func (a *actor) withRing(do func(r *uring.Ring) (int32, unix.Errno)) result {
	if a.ring == nil {
		r, err := uring.New()
		if err != nil {
			return because(err)
		}
		a.ring = r
	}
	n, errno := do(a.ring)
	return result{value: int64(n), errno: errno}
}

// uringOp hands over one range.
func uringOp(op uint8) func(*actor, *call) result {
	return func(a *actor, c *call) result {
		return a.withRing(func(r *uring.Ring) (int32, unix.Errno) {
			return r.Do(op, int(c.fd()), c.base(), uint32(c.length()), c.sizes[0])
		})
	}
}

func uringVectorOp(op uint8) func(*actor, *call) result {
	return func(a *actor, c *call) result {
		return a.withRing(func(r *uring.Ring) (int32, unix.Errno) {
			iov, n := c.vector()
			return r.Do(op, int(c.fd()), iov, uint32(n), c.sizes[0])
		})
	}
}

// uringCommandOp hands over a request as ioctl(2) has it: its number stands where others have the offset.
func uringCommandOp(a *actor, c *call) result {
	return a.withRing(func(r *uring.Ring) (int32, unix.Errno) {
		return r.Do(uring.Command, int(c.fd()), c.base(), 0, int64(c.flags[0]))
	})
}

// uringFixedOp registers the range as a buffer, does the request, and gives the buffer up.
func uringFixedOp(op uint8) func(*actor, *call) result {
	return func(a *actor, c *call) result {
		return a.withRing(func(r *uring.Ring) (int32, unix.Errno) {
			return r.DoFixed(op, int(c.fd()), unsafe.SliceData(c.iov), c.sizes[0])
		})
	}
}
