package target

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkCheck measures what the check after every program costs, against making and removing a file in the same place, which
// is the part of it that cannot be saved.
func BenchmarkCheck(b *testing.B) {
	tg, err := Open(b.Context(), "dir:"+b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer tg.Close(b.Context())
	path := filepath.Join(tg.Dir(), "file")
	var check, plain float64
	for b.Loop() {
		check += seconds(b, func() error { return tg.Check(b.Context()) })
		plain += seconds(b, func() error { return makeAndRemove(path) })
	}
	b.ReportMetric(check*1e6/float64(b.N), "µs/check")
	b.ReportMetric(check/plain, "check/file")
}

func makeAndRemove(path string) error {
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	unix.Close(fd)
	return unix.Unlink(path)
}

func seconds(b *testing.B, do func() error) float64 {
	began := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began).Seconds()
}
