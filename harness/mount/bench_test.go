package mount_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"golang.org/x/sys/unix"

	"faultline/harness/self"
	"faultline/targetfs/image"
)

// loopbackRole is a process that serves go-fuse's loopback file system, as its example does: its arguments are the directory that is shown and
// the mount point.
const loopbackRole = "mount-loopback"

func init() {
	self.Register(loopbackRole, func(args []string) int {
		root, err := fs.NewLoopbackRoot(args[0])
		if err != nil {
			return 1
		}
		second := time.Second
		options := &fs.Options{AttrTimeout: &second, EntryTimeout: &second, NullPermissions: true}
		// A depth that the kernel does not take turns passthrough off (fs/fuse/inode.c, process_init_reply): with it the kernel reads and
		// writes the tmpfs by itself, and no server is measured.
		options.MaxStackDepth = -1
		server, err := fs.Mount(args[1], root, options)
		if err != nil {
			return 1
		}
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, unix.SIGTERM)
		go func() {
			<-signals
			_ = server.Unmount() // the end of the process does it otherwise
		}()
		fmt.Println("mounted")
		server.Wait()
		return 0
	})
}

// rows are what is measured: prepare is not.
var rows = []struct {
	name         string
	prepare, run func(b *testing.B, dir string)
}{
	{"write-seq", nothing, func(b *testing.B, dir string) { writeFile(b, filepath.Join(dir, "seq"), 1<<20, 64) }},
	{"read-seq", uncached, func(b *testing.B, dir string) { readFile(b, filepath.Join(dir, "seq"), 1<<20, 64, false) }},
	{"write-4k", nothing, randomWrites},
	{"read-4k", uncached, func(b *testing.B, dir string) { readFile(b, filepath.Join(dir, "seq"), 4096, 4096, true) }},
	{"create", without, func(b *testing.B, dir string) { eachFile(b, dir, create) }},
	{"stat", with, func(b *testing.B, dir string) {
		eachFile(b, dir, func(path string) error { _, err := os.Lstat(path); return err })
	}},
	{"unlink", with, func(b *testing.B, dir string) { eachFile(b, dir, os.Remove) }},
	{"readdir-10k", tenThousand, func(b *testing.B, dir string) { list(b, filepath.Join(dir, "many")) }},
}

func nothing(*testing.B, string) {}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func create(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return f.Close()
}

const manyFiles = 2000

// with makes the files that are not there, without removes those that are.
func with(b *testing.B, dir string) { eachFile(b, dir, create) }

func without(b *testing.B, dir string) {
	eachFile(b, dir, func(path string) error {
		if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	})
}

func eachFile(b *testing.B, dir string, do func(path string) error) {
	for i := range manyFiles {
		must(b, do(filepath.Join(dir, fmt.Sprint("file", i))))
	}
}

func writeFile(b *testing.B, path string, size, n int) {
	f, err := os.Create(path)
	must(b, err)
	defer f.Close()
	p := make([]byte, size)
	for range n {
		_, err := f.Write(p)
		must(b, err)
	}
	must(b, f.Sync())
}

// uncached takes the file's pages out of the kernel's cache, so that the server is asked.
func uncached(b *testing.B, dir string) {
	f, err := os.Open(filepath.Join(dir, "seq"))
	must(b, err)
	defer f.Close()
	must(b, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
}

func readFile(b *testing.B, path string, size, n int, random bool) {
	f, err := os.Open(path)
	must(b, err)
	defer f.Close()
	if random {
		must(b, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM))
	}
	p := make([]byte, size)
	for i := range n {
		at := i
		if random {
			at = i * 7919 % (64 << 20 / size)
		}
		_, err := f.ReadAt(p, int64(at*size))
		must(b, err)
	}
}

func randomWrites(b *testing.B, dir string) {
	f, err := os.OpenFile(filepath.Join(dir, "seq"), os.O_RDWR, 0)
	must(b, err)
	defer f.Close()
	p := make([]byte, 4096)
	for i := range 4096 {
		_, err := f.WriteAt(p, int64(i*7919%16384*4096))
		must(b, err)
	}
	must(b, f.Sync())
}

func tenThousand(b *testing.B, dir string) {
	many := filepath.Join(dir, "many")
	if os.Mkdir(many, 0o755) != nil {
		return // it was made before
	}
	for i := range 10_000 {
		must(b, create(filepath.Join(many, fmt.Sprint("name", i))))
	}
}

func list(b *testing.B, dir string) {
	d, err := os.Open(dir)
	must(b, err)
	defer d.Close()
	names, err := d.Readdirnames(-1)
	must(b, err)
	if len(names) != 10_000 {
		b.Fatalf("%d names, want 10000", len(names))
	}
}

// compare reports for every row how many times as fast as the peer we are.
func compare(b *testing.B, ours, theirs, peer string) {
	for _, row := range rows {
		b.Run(row.name, func(b *testing.B) {
			var took [2]time.Duration
			for b.Loop() {
				for i, dir := range []string{ours, theirs} {
					row.prepare(b, dir)
					began := time.Now()
					row.run(b, dir)
					took[i] += time.Since(began)
				}
			}
			b.ReportMetric(float64(took[0].Milliseconds())/float64(b.N), "ms-ours")
			b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "x-"+peer)
		})
	}
}

const benchSize = 1 << 30

// BenchmarkAgainstFuse2fs has both images on the disk of the temporary folder.
func BenchmarkAgainstFuse2fs(b *testing.B) {
	needMount(b)
	for _, name := range []string{"fuse2fs", "mkfs.ext4"} {
		if _, err := exec.LookPath(name); err != nil {
			b.Skip(err)
		}
	}
	m := mountImage(b, formatted(b, benchSize, image.FormatOptions{}), "")
	path, dir := filepath.Join(b.TempDir(), "ext4"), b.TempDir()
	must(b, os.WriteFile(path, nil, 0o600))
	must(b, os.Truncate(path, benchSize))
	for _, command := range [][]string{{"mkfs.ext4", "-q", "-F", path}, {"fuse2fs", path, dir}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			b.Fatalf("%v: %v: %s", command, err, out)
		}
	}
	b.Cleanup(func() { must(b, unix.Unmount(dir, unix.MNT_DETACH)) })
	compare(b, m.dir, dir, "fuse2fs")
}

// BenchmarkAgainstLoopback has our image, and what go-fuse's loopback shows, in memory.
func BenchmarkAgainstLoopback(b *testing.B) {
	needMount(b)
	const memory = "/dev/shm"
	temp, err := os.MkdirTemp(memory, "faultline-bench-")
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() {
		must(b, errors.Join(os.Remove(filepath.Join(temp, "image")), os.RemoveAll(filepath.Join(temp, "shown")), os.Remove(temp)))
	})
	shown, dir := filepath.Join(temp, "shown"), b.TempDir()
	must(b, os.Mkdir(shown, 0o755))
	m := mountImage(b, formattedIn(b, temp, benchSize, image.FormatOptions{}), "")
	loopback := self.Command(loopbackRole, shown, dir)
	ready, err := loopback.StdoutPipe()
	must(b, err)
	must(b, loopback.Start())
	b.Cleanup(func() {
		_ = loopback.Process.Signal(unix.SIGTERM) // it has ended otherwise
		_ = loopback.Wait()
	})
	if _, err := ready.Read(make([]byte, 16)); err != nil {
		b.Fatal(err)
	}
	compare(b, m.dir, dir, "loopback")
}
