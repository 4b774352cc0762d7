package machine

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Pace is how long a fixed mix of system calls, page faults and arithmetic takes on this machine, at its best of some rounds. Two machines that
// measure it know how much slower one of them is. It takes some milliseconds, once.
var Pace = sync.OnceValue(func() time.Duration {
	best := time.Duration(1<<63 - 1)
	for range 8 {
		began := time.Now()
		paceSteps()
		best = min(best, time.Since(began))
	}
	return best
})

// paceSink keeps the compiler from leaving arithmetic out.
var paceSink uint64

func paceSteps() {
	const rounds, pages = 4, 16
	size := unix.Getpagesize()
	for range rounds {
		mem, err := unix.Mmap(-1, 0, pages*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			continue
		}
		x := uint64(88172645463325252)
		for i := range pages {
			mem[i*size] = 1
			unix.Getppid()
			for range 500 {
				x ^= x << 13
				x ^= x >> 7
				x ^= x << 17
			}
		}
		paceSink += x
		_ = unix.Munmap(mem) // the address is right
	}
}
