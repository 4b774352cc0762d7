package pid1

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SeedSize is how many random bytes a guest gets, as many as a kernel wants before getrandom(2) answers.
const SeedSize = 64

// addEntropy is RNDADDENTROPY of include/uapi/linux/random.h, _IOW('R', 3, int[2]).
const addEntropy = 1<<30 | 8<<16 | 'R'<<8 | 3

// stir gives the kernel random bytes that count in full. A guest has hardly any events of its own: User Mode Linux 5.10 keeps callers of getrandom(2) waiting
// for some seven seconds.
func stir(seed []byte) error {
	if len(seed) == 0 {
		return nil
	}
	f, err := os.OpenFile("/dev/random", os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("give the kernel random bytes: %w", err)
	}
	defer f.Close()
	// struct rand_pool_info: the bits that count, the bytes, the data.
	pool := binary.NativeEndian.AppendUint32(nil, uint32(8*len(seed)))
	pool = append(binary.NativeEndian.AppendUint32(pool, uint32(len(seed))), seed...)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), addEntropy, uintptr(unsafe.Pointer(&pool[0]))); errno != 0 {
		return fmt.Errorf("give the kernel random bytes: %w", errno)
	}
	return nil
}
