package target

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapped maps the file for the time of use.
func (p *prober) mapped(use func(m []byte) error) error {
	m, err := unix.Mmap(p.fd(), 0, filePages*p.page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mmap(MAP_SHARED): %w", err)
	}
	defer unix.Munmap(m)
	return use(m)
}

// sharedMmap stores through a mapping and reads the byte back from the file.
func (p *prober) sharedMmap() error {
	return p.mapped(func(m []byte) error {
		m[p.page] = 'x'
		if err := unix.Msync(m, unix.MS_SYNC); err != nil {
			return fmt.Errorf("msync: %w", err)
		}
		var b [1]byte
		if _, err := p.file.ReadAt(b[:], int64(p.page)); err != nil {
			return err
		}
		if b[0] != 'x' {
			return errors.New("a byte stored through a shared mapping is not in the file after msync")
		}
		return nil
	})
}

func (p *prober) populate() error {
	return p.mapped(func(m []byte) error {
		if err := unix.Madvise(m, unix.MADV_POPULATE_READ); err != nil {
			return fmt.Errorf("madvise(MADV_POPULATE_READ): %w", err)
		}
		if err := unix.Madvise(m, unix.MADV_POPULATE_WRITE); err != nil {
			return fmt.Errorf("madvise(MADV_POPULATE_WRITE): %w", err)
		}
		return nil
	})
}

func (p *prober) pageout() error {
	return p.mapped(func(m []byte) error {
		if err := unix.Madvise(m, unix.MADV_PAGEOUT); err != nil {
			return fmt.Errorf("madvise(MADV_PAGEOUT): %w", err)
		}
		return nil
	})
}

func (p *prober) dropCaches() error { return openDropCaches() }

// protNone reads from a page that was written and then closed. User Mode Linux 6.1 finds the page and lets the read through.
func (p *prober) protNone() error {
	m, err := unix.Mmap(-1, 0, p.page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return fmt.Errorf("mmap(MAP_ANONYMOUS): %w", err)
	}
	defer unix.Munmap(m)
	m[0] = 'x'
	if err := unix.Mprotect(m, unix.PROT_NONE); err != nil {
		return fmt.Errorf("mprotect(PROT_NONE): %w", err)
	}
	if _, err := unix.Pwrite(p.fd(), m, 0); !errors.Is(err, unix.EFAULT) {
		return fmt.Errorf("a write from memory closed with PROT_NONE gives %v, not EFAULT: the kernel does not look at the protection of its caller's pages", err)
	}
	return nil
}

// mlock locks as many pages as programs do.
func (p *prober) mlock() error {
	if err := unix.Mlock(p.mem); err != nil {
		return fmt.Errorf("mlock of %d pages: %w", filePages, err)
	}
	if err := unix.Munlock(p.mem); err != nil {
		return fmt.Errorf("munlock of %d pages: %w", filePages, err)
	}
	return nil
}

// uffd opens a userfaultfd that takes faults of the kernel, and looks whether it has a feature (UFFDIO_API, include/uapi/linux/userfaultfd.h).
func uffd(name string, feature uint64) func(*prober) error {
	return func(*prober) error {
		fd, _, err := newUserfaultfd()
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		const uffdioAPI = 0xc018aa3f
		api := struct{ api, features, ioctls uint64 }{api: 0xaa}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uffdioAPI, uintptr(unsafe.Pointer(&api))); errno != 0 {
			return fmt.Errorf("ioctl(UFFDIO_API): %w", errno)
		}
		if api.features&feature != feature {
			return fmt.Errorf("userfaultfd has no %s", name)
		}
		return nil
	}
}
