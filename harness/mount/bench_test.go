package mount_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"golang.org/x/sys/unix"

	"faultline/harness/self"
	"faultline/targetfs/connection"
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
		fmt.Println("mounted")
		server.Wait()
		return 0
	})
}

// What is compared. Both file systems are mounted with their defaults, as a user would: we let the kernel keep names, attributes and pages for
// as long as it likes, because nobody else changes the image, and the peers have their own timeouts. Neither we nor fuse2fs have permissions
// checked where only root gets in. Rows are work through system calls on both mounts in turn, each ending when the work is durable: with fsync(2)
// of what was written, and after unlink with statfs(2) first, for the space of deleted files to be free. Every round begins with nothing dirty.
// Mounting and unmounting are not measured. The cache of the host has the images; that of the mount has names and attributes, as the work before
// left them, and for the rows that read, no pages and no listing, but for readdir-again.
var rows = []struct {
	name         string
	prepare, run func(b *testing.B, dir string) // prepare is not measured
}{
	{"write-seq", removed, func(b *testing.B, dir string) { writeFile(b, seq(dir), 1<<20, seqSize>>20) }},
	{"read-seq", uncached, func(b *testing.B, dir string) { readFile(b, seq(dir), 1<<20, seqSize>>20, false) }},
	{"write-4k", written, randomWrites},
	{"read-4k", uncached, func(b *testing.B, dir string) { readFile(b, seq(dir), 4096, manyPages, true) }},
	{"create", without, func(b *testing.B, dir string) { eachFile(b, dir, create); durable(b, dir) }},
	{"stat", with, func(b *testing.B, dir string) {
		eachFile(b, dir, func(path string) error { _, err := os.Lstat(path); return err })
	}},
	{"unlink", with, func(b *testing.B, dir string) {
		eachFile(b, dir, os.Remove)
		must(b, unix.Statfs(dir, &unix.Statfs_t{}))
		durable(b, dir)
	}},
	{"readdir-10k", unlisted, func(b *testing.B, dir string) { list(b, many(dir)) }},
	{"readdir-again", relisted, func(b *testing.B, dir string) { list(b, many(dir)) }},
}

// The work of a round.
const (
	seqSize   = 64 << 20 // of a file
	manyPages = 4096     // read and written at random
	manyFiles = 2000     // created, removed and asked for
	manyNames = 10_000   // listed
	rounds    = 5
)

func seq(dir string) string  { return filepath.Join(dir, "seq") }
func many(dir string) string { return filepath.Join(dir, "many") }

// durable waits for what was done in the directory.
func durable(b *testing.B, dir string) {
	d, err := os.Open(dir)
	must(b, err)
	must(b, errors.Join(d.Sync(), d.Close()))
}

func removed(b *testing.B, dir string) {
	if err := os.Remove(seq(dir)); !errors.Is(err, os.ErrNotExist) {
		must(b, err)
	}
	must(b, unix.Statfs(dir, &unix.Statfs_t{}))
}

func written(b *testing.B, dir string) {
	if _, err := os.Stat(seq(dir)); err != nil {
		writeFile(b, seq(dir), 1<<20, seqSize>>20)
	}
}

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
	written(b, dir)
	f, err := os.Open(seq(dir))
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
			at = i * 7919 % (seqSize / size)
		}
		_, err := f.ReadAt(p, int64(at*size))
		must(b, err)
	}
}

func randomWrites(b *testing.B, dir string) {
	f, err := os.OpenFile(seq(dir), os.O_RDWR, 0)
	must(b, err)
	defer f.Close()
	p := make([]byte, 4096)
	for i := range manyPages {
		_, err := f.WriteAt(p, int64(i*7919*4096%seqSize))
		must(b, err)
	}
	must(b, f.Sync())
}

// unlisted makes the directory that is listed, and changes it, so that the kernel has no listing of it.
func unlisted(b *testing.B, dir string) {
	if os.Mkdir(many(dir), 0o755) == nil {
		for i := range manyNames {
			must(b, create(filepath.Join(many(dir), fmt.Sprint("name", i))))
		}
	}
	extra := filepath.Join(many(dir), "extra")
	must(b, errors.Join(os.Mkdir(extra, 0o755), os.Remove(extra)))
}

// relisted lists the directory, which nothing changes, as often as a file system may want before it remembers.
func relisted(b *testing.B, dir string) {
	unlisted(b, dir)
	for range 3 {
		list(b, many(dir))
	}
}

func list(b *testing.B, dir string) {
	d, err := os.Open(dir)
	must(b, err)
	defer d.Close()
	names, err := d.Readdirnames(-1)
	must(b, err)
	if len(names) != manyNames {
		b.Fatalf("%d names, want %d", len(names), manyNames)
	}
}

// compare reports for every row how many times as fast as each peer we are: by the medians of rounds that take turns, for the machine may be
// busy with something else for a while.
func compare(b *testing.B, ours string, peers ...peer) {
	all := append([]peer{{dir: ours}}, peers...)
	for _, row := range rows {
		b.Run(row.name, func(b *testing.B) {
			took := make([][]time.Duration, len(all))
			for b.Loop() {
				for range rounds {
					for i, p := range all {
						row.prepare(b, p.dir)
						durable(b, p.dir)
						began := time.Now()
						row.run(b, p.dir)
						took[i] = append(took[i], time.Since(began))
					}
				}
			}
			us := median(took[0]).Seconds()
			b.ReportMetric(us*1000, "ms-ours")
			for i, p := range all[1:] {
				b.ReportMetric(median(took[i+1]).Seconds()/us, "x-"+p.name)
			}
		})
	}
}

// peer is another file system, mounted on a directory.
type peer struct{ name, dir string }

// serving starts a role that serves on a mount point until it is told to end, and says when it has mounted.
func serving(b *testing.B, role, dir string, args ...string) {
	b.Helper()
	server := self.Command(role, append(args, dir)...)
	ready, err := server.StdoutPipe()
	must(b, err)
	// As the other servers: the scheduler shares the machine between sessions (sched(7), autogrouping).
	server.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	must(b, server.Start())
	b.Cleanup(func() {
		must(b, connection.Abort(dir))
		_ = server.Wait() // however it ends
	})
	if _, err := ready.Read(make([]byte, 16)); err != nil {
		b.Fatal(err)
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

const benchSize = 1 << 30

// BenchmarkAgainstFuse2fs has both images on the disk of the temporary folder. A third file system, which does nothing, shows what the kernel and
// /dev/fuse leave to be gained: where every operation is a request, as those that change names are, no server is faster than x-fuse2fs / x-nothing
// times fuse2fs. Rows that read are as fast as the kernel reads ahead, of which it is told less there.
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
	idle := b.TempDir()
	serving(b, nothingRole, idle)
	compare(b, m.dir, peer{"fuse2fs", dir}, peer{"nothing", idle})
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
	serving(b, loopbackRole, dir, shown)
	compare(b, m.dir, peer{"loopback", dir})
}
