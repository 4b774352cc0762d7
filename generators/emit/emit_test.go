package emit_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/generators/emit"
	"faultline/generators/prog"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// selfRead is five steps, as most bug reports are.
const selfRead = `# A page of data is read into the hole before it.
prog golden/self-read
file A = hole*1p + 'b'*1p
d = open(A, rdwr)
m = mmap(d, private, rw, 0, 2p)
pread(d, m[0:1p], 1p) -> 1p
check(m[0:1p], 'b'*1p)
check(A, hole*1p + 'b'*1p)
`

// goldens are programs of our own, by name, beside examples of operations.
var goldens = map[string]string{
	"self-read": selfRead,
	"elsewhere": `prog golden/elsewhere
needs other
file A = pat1*2p
file S on other = unwritten*1p + 'x'
d = open(S, rdwr|direct)
m = mmap(d, shared|populate, rw, 0, 1p)
pwrite(d, m, 0) -> 1p | EINVAL
unlink(S)
check(S) -> ENOENT
`,
	"names": `# Names that mean something in C, and a comment that goes on \
prog golden/names
file A = '\''*1p + '\\'*5 + '\x00'*3 + '\xff'*2p-8
if = open(A, rdonly)
read = mmap(if, private, rw, 0, 3p)
y1 = anon(zero*1p)
i = anon('i'*1p, 12)
readv(if, {read[0:10], y1[0:1]*3@1p-1!, i[0:1]*100@2}) -> 1..113 | EFAULT
# The end.
`,
	"perhaps": `prog golden/perhaps
file A = pat1*1p
unlink(A)
d = open(A, rdonly) -> ok | ENOENT
m = mmap(d, private, r, 0, 1p) -> any
load(m) -> 1p | SIGBUS
check(m, pat1*1p) -> ok | SIGBUS
`,
	"threads": `prog golden/threads
file A = pat1*2p
t1: d = open(A, rdonly)
t2: m = mmap(d, private, r, 0, 2p)
check(m, pat1*2p)
t1: close(d)
wait(t2)
t2: munmap(m)
`,
	"processes": `prog golden/processes
file A = pat1*2p
d = open(A, rdonly)
p1: d = open(A, rdwr)
p2: e = open(A, rdwr)
wait(p1)
p1: m = mmap(d, shared, rw, 0, 2p)
p1: store(m[0:3], 'x' + 'y'*2) -> 3
wait(p1)
wait(p2)
check(A, 'x' + 'y'*2 + pat1[3:2p])
`,
}

var goldenExamples = []string{"put", "extents", "wait", "mprotect", "writev", "check", "mremap", "stat", "store", "drop_caches", "anon", "fadvise", "preadv2"}

func parsed(t *testing.T, text string) *prog.Prog {
	t.Helper()
	p, err := prog.Parse(text)
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

func TestGoldenFiles(t *testing.T) {
	texts := map[string]string{}
	for name, text := range goldens {
		texts[name] = text
	}
	for _, name := range goldenExamples {
		texts["example-"+name] = prog.Example(name)
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			p := parsed(t, text)
			got := emit.C(p)
			g.Expect(emit.C(p)).To(gomega.Equal(got), "always the same")
			golden := filepath.Join("testdata", name+".c")
			if *update {
				g.Expect(os.WriteFile(golden, []byte(got), 0o644)).To(gomega.Succeed())
			}
			want, err := os.ReadFile(golden)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(got).To(gomega.Equal(string(want)))
			compile(t, got)
		})
	}
}

func TestShortProgramsAreShort(t *testing.T) {
	g := gomega.NewWithT(t)
	g.Expect(strings.Count(emit.C(parsed(t, selfRead)), "\n")).To(gomega.BeNumerically("<", 60))
	shrunk := "prog x\nfile A = 'a'*1p\nd = open(A, rdwr)\nm = mmap(d, private, rw, 0, 1p)\npread(d, m, 0) -> 1p\n"
	g.Expect(strings.Count(emit.C(parsed(t, shrunk)), "\n")).To(gomega.BeNumerically("<", 40))
}

func TestEveryOperationCanBeWritten(t *testing.T) {
	for _, op := range prog.OpNames() {
		if !emit.Knows(op) {
			t.Errorf("%s cannot be written as C", op)
		}
	}
	gomega.NewWithT(t).Expect(emit.Knows("nonsense")).To(gomega.BeFalse())
}

// The table of structs and requests says what the kernel's headers say.
func TestStructsAreThoseOfTheHeaders(t *testing.T) {
	var c strings.Builder
	c.WriteString("#define _GNU_SOURCE\n#include <fcntl.h>\n#include <stddef.h>\n#include <sys/ioctl.h>\n#include <sys/stat.h>\n#include <sys/statfs.h>\n#include <sys/uio.h>\n")
	for _, header := range []string{"aio_abi", "btrfs", "f2fs", "fiemap", "fs", "fsmap", "fsverity", "fuse", "quota"} {
		fmt.Fprintf(&c, "#include <linux/%s.h>\n", header)
	}
	same := func(expression string, n int64) { fmt.Fprintf(&c, "_Static_assert(%s == %d, \"\");\n", expression, n) }
	for _, s := range prog.Structs {
		if s.Header == "" {
			continue
		}
		same("sizeof("+s.C+")", s.Size)
		for _, f := range s.Fields {
			same("offsetof("+s.C+", "+f.Name+")", f.At)
			same("sizeof((("+s.C+" *)0)->"+f.Name+")", f.Width)
		}
	}
	dedupe := prog.Structs["dedupe_range"]
	same("sizeof(struct file_dedupe_range) + sizeof(struct file_dedupe_range_info)", dedupe.Size)
	for _, name := range []string{"dest_fd", "dest_offset", "bytes_deduped", "status"} {
		same("sizeof(struct file_dedupe_range) + offsetof(struct file_dedupe_range_info, "+name+")", dedupe.Field(name).At)
	}
	for _, f := range prog.Structs["btrfs_search"].Fields {
		name := f.Name
		if name != "buf_size" {
			name = "key." + name
		}
		same("offsetof(struct btrfs_ioctl_search_args_v2, "+name+")", f.At)
	}
	for name, c := range map[string]string{
		"btrfs_vol": "vol_args_v2", "btrfs_ino_lookup_user": "ino_lookup_user_args", "btrfs_received": "received_subvol_args", "btrfs_send": "send_args", "btrfs_balance": "balance_args",
		"btrfs_qgroup": "qgroup_create_args", "btrfs_qgroup_assign": "qgroup_assign_args", "btrfs_limit": "qgroup_limit_args",
	} {
		same("sizeof(struct btrfs_ioctl_"+c+")", prog.Structs[name].Size)
	}
	same("offsetof(struct btrfs_ioctl_balance_args, data.usage)", prog.Structs["btrfs_balance"].Field("data_usage").At)
	same("offsetof(struct btrfs_ioctl_balance_args, data.flags)", prog.Structs["btrfs_balance"].Field("data_flags").At)
	for _, r := range prog.Requests {
		if !strings.HasPrefix(r.C, "EXT4_") && !strings.HasPrefix(r.C, "XFS_") && !strings.HasPrefix(r.C, "OCFS2_") {
			same("(unsigned)"+r.C, int64(r.Number))
		}
	}
	c.WriteString("int main(void) { return 0; }\n")
	compile(t, c.String())
}

func compile(t *testing.T, source string) (exe string) {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("needs a C compiler: ", err)
	}
	dir := t.TempDir()
	exe = filepath.Join(dir, "repro")
	if err := os.WriteFile(exe+".c", []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(cc, "-O1", "-Wall", "-Wextra", "-Werror", "-o", exe, exe+".c", "-lpthread").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, said, source)
	}
	return exe
}

// run runs a compiled program; what does not end within a minute is killed.
func run(t *testing.T, exe string, args ...string) (code int, said string) {
	t.Helper()
	cmd := exec.Command(exe, args...)
	defer time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }).Stop()
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// What a program must not find ends it with 1 and the line of the step.
func TestWrongExpectations(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"value":   {"file A = pat1*1p\nd = open(A, rdwr)\nb = anon(hole*1p)\npread(d, b, 0) -> 1p-1", "pread(d, b, P, 0) = "},
		"range":   {"file A = pat1*1p\nd = open(A, rdwr)\nlseek(d, 8, set) -> 9..100 | EINVAL", "lseek(d, 8, SEEK_SET) = 8 (Success), wanted (ret >= 9 && ret <= 100) || err == EINVAL"},
		"error":   {"file A = empty\nd = open(A, rdonly)\nftruncate(d, 1p)", "ftruncate(d, P) = -1 (Invalid argument), wanted ret >= 0"},
		"success": {"file A = empty\nd = open(A, rdonly) -> EACCES", "wanted err == EACCES"},
		"advice":  {"file A = empty\nd = open(A, rdonly)\nfadvise(d, 0, 0, dontneed) -> EINVAL", "wanted ret == EINVAL"},
		"signal":  {"load(bad[0:1]!) -> SIGBUS", "load(bad, 1) = -11 (Success), wanted ret == -SIGBUS"},
		"stored":  {"b = anon('b'*1p)\nmprotect(b, r)\nstore(b[0:2]!, 'x' + 'y') -> 2 | SIGBUS", "store(b, bytes, 2) = -11"},
		"file":    {"file A = 'a'*1p + hole*1p\ncheck(A, 'a'*1p + 'a'*12 + hole*1p-12)", ": byte 0 of 12 is 0x00"},
		"pattern": {"file A = pat1*8192\ncheck(A, pat1*4096 + pat1[4097:8193])", "byte 0 of 4096 is 0x"},
		"longer":  {"file A = 'a'*5\ncheck(A, 'a'*4 | empty)", "slurp(\"A\", 5) = 5 (Success), wanted (ret == 4"},
		"mix":     {"file A = 'a'*9\ncheck(A, 'a'*3 + mix('b'*6, pat3*6))", ": byte 0 of 6 is 0x61"},
		"memory":  {"b = anon('b'*9)\ncheck(b, 'b'*4 + 'c'*5)", "= 0 (Success), wanted ret == 1: byte 0 of 5 is 0x62"},
		"size":    {"file A = 'a'*1p\nstat(A, size) -> 1p+1", "stat(\"A\", &st) = 0"},
		"thread":  {"file A = empty\nd = open(A, rdwr)\nt1: lseek(d, 3, set) -> 4\nwait(t1)", "lseek(d, 3, SEEK_SET) = 3"},
		"process": {"file A = empty\np1: d = open(A, rdwr)\np1: lseek(d, 3, set) -> 4\nwait(p1)\np1: close(d)\nwait(p1)", "lseek(p1_d, 3, SEEK_SET) = 3"},
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			exe := compile(t, emit.C(parsed(t, "prog planted/"+name+"\n"+c.text+"\n")))
			code, said := run(t, exe, t.TempDir())
			g.Expect(said).To(gomega.ContainSubstring(c.want))
			g.Expect(said).To(gomega.ContainSubstring("line "))
			g.Expect(code).To(gomega.Equal(1))
		})
	}
}

// Who may not stop system calls is told so in one line, and it is no result of the file system's.
func TestNoUserfaultfd(t *testing.T) {
	g := gomega.NewWithT(t)
	if allowed, err := os.ReadFile("/proc/sys/vm/unprivileged_userfaultfd"); err != nil || string(allowed) != "0\n" {
		t.Skipf("everybody may stop system calls here, or nobody: vm.unprivileged_userfaultfd is %q, %v", allowed, err)
	}
	exe := compile(t, emit.C(parsed(t, "prog planted/stall\nneeds stall\nb = anon('b'*1p)\nu = stall(1p)\nt1: load(u) -> 1p\nstalled(u) -> 0\nserve(u)\nwait(t1)\n")))
	dir, err := os.MkdirTemp("", "faultline-")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer os.RemoveAll(dir)
	inside := filepath.Join(dir, "repro")
	text, err := os.ReadFile(exe)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(os.WriteFile(inside, text, 0o755)).To(gomega.Succeed())
	g.Expect(os.Chmod(dir, 0o777)).To(gomega.Succeed())
	cmd := exec.Command(inside, dir)
	if os.Geteuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	said, err := cmd.CombinedOutput()
	g.Expect(err).To(gomega.HaveOccurred())
	g.Expect(cmd.ProcessState.ExitCode()).To(gomega.Equal(2), string(said))
	g.Expect(string(said)).To(gomega.Equal("repro: cannot stop system calls: needs userfaultfd(2), as root or with vm.unprivileged_userfaultfd=1: Operation not permitted\n"))
}

// What cannot begin says how it is used and is no result of the file system's.
func TestNoDirectory(t *testing.T) {
	g := gomega.NewWithT(t)
	exe := compile(t, emit.C(parsed(t, selfRead)))
	code, said := run(t, exe, "/nonexistent")
	g.Expect(code).To(gomega.Equal(2))
	g.Expect(said).To(gomega.ContainSubstring("usage: repro DIR: No such file"))
	code, _ = run(t, exe)
	g.Expect(code).To(gomega.Equal(2))
	code, said = run(t, exe, t.TempDir())
	g.Expect(said).To(gomega.BeEmpty())
	g.Expect(code).To(gomega.BeZero())
}
