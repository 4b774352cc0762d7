package usercopy

import (
	"context"
	"os"
	"time"
)

// window is how much is faulted in at a time: 1 MiB in should_fault_in_pages of Linux 6.1, fs/gfs2/file.c. The kernel makes it smaller
// when much memory is dirty, which can't be seen from here.
const window = 1 << 20

// withoutFaults copies what is resident, in rounds, as gfs2_file_read_iter and its like do since Linux 5.18. What it calls a copy under the
// glock is a look at /proc/PID/pagemap: to touch a page that was resident a moment ago could fault. A buffered write faults the
// first window in before it takes the glock. Progress is certain: bytes that were copied are never looked at again, and after some rounds without
// any the rest is left to the kernel.
func (r *run) withoutFaults(ctx context.Context) error {
	rest := r.call.Buffers
	if !r.call.Read && !r.call.Direct && r.faultIn(rest, window) == 0 {
		return nil
	}
	for stuck := 0; stuck < rounds; {
		n, err := r.copyResident(ctx, rest)
		if err != nil {
			return err
		}
		rest = behind(rest, n)
		if len(rest) == 0 {
			return nil
		}
		size := window
		if stuck++; n > 0 {
			stuck = 0
		} else if stuck > 1 {
			size = os.Getpagesize()
		}
		r.counts.retries.Add(1)
		if r.faultIn(rest, size) == 0 {
			return nil
		}
	}
	r.counts.gaveUp.Add(1)
	return nil
}

// copyResident takes the glock and tells how many bytes from the start of the buffers are resident.
func (r *run) copyResident(ctx context.Context, buffers []Range) (n int, err error) {
	h, err := r.node.Lock(ctx, r.want)
	if err != nil {
		return 0, err
	}
	defer h.Unlock()
	size := os.Getpagesize()
	for _, b := range buffers {
		there := r.resident(b)
		r.counts.pages.Add(uint64((there + size - 1) / size))
		if n += there; there < b.Len {
			break
		}
	}
	return n, nil
}

// faultIn touches pages without the glock, up to size bytes counted from the start of the first page, and tells how many bytes of the buffers
// came in. It may wait for as long as the caller's own access would, but not beyond a signal for the caller: the caller may be
// killed then, and can't go before it has our answer, while who serves the fault waits for it to go.
func (r *run) faultIn(buffers []Range, size int) int {
	came := make(chan int, 1)
	go func() { came <- r.touchAll(buffers, size) }()
	select {
	case n := <-came:
		return n
	case <-r.call.Interrupt:
		return 0
	}
}

func (r *run) touchAll(buffers []Range, size int) (n int) {
	if len(buffers) == 0 {
		return 0
	}
	start := int(buffers[0].Addr % uintptr(os.Getpagesize()))
	for addr, part := range pages(buffers) {
		if start+n >= size || r.interrupted() || r.touch(addr, false) != nil {
			break
		}
		r.counts.faultsOutside.Add(1)
		n += part
	}
	return n
}

func (r *run) interrupted() bool {
	select {
	case <-r.call.Interrupt:
		return true
	default:
		return false
	}
}

// glance is how long a look at the page map may take with the glock held. It needs the lock of the caller's address space, for which another
// thread of the caller may wait, behind a fault that waits for the glock.
const glance = 50 * time.Millisecond

// resident is how many bytes from the start of b are resident; none when that can't be found out soon.
func (r *run) resident(b Range) int {
	found := make(chan int, 1)
	go func() {
		n, err := r.memory.resident(b)
		if err != nil {
			n = 0
		}
		found <- n
	}()
	timer := time.NewTimer(glance)
	defer timer.Stop()
	select {
	case n := <-found:
		return n
	case <-timer.C:
		return 0
	}
}
