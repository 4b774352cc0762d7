package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/campaign"
	"faultline/harness/target"
	"faultline/targetfs/planted"
)

// Every bad input is one line that says what, and exit code 2. DIR stands for the folder in which the command runs.
func TestBadInput(t *testing.T) {
	var kinds, faults []string
	for _, k := range target.Kinds() {
		kinds = append(kinds, k.Name)
	}
	for _, f := range planted.Faults {
		faults = append(faults, f.Name)
	}
	const program = "see faultline list programs"
	for command, want := range map[string]string{
		"nonesuch":                                  `there is no command "nonesuch"; see faultline --help`,
		"run extra":                                 `faultline run takes no argument, found "extra"`,
		"run --nonesuch":                            `unknown flag: --nonesuch; see faultline run --help`,
		"run --seed x":                              `invalid argument "x" for "--seed" flag: strconv.ParseUint: parsing "x": invalid syntax; see faultline run --help`,
		"run --target nonesuch:x":                   `target "nonesuch:x": there is no kind "nonesuch"; the kinds are ` + strings.Join(kinds, ", "),
		"run --target plantd:eio":                   `target "plantd:eio": there is no kind "plantd"; did you mean "planted:eio"; the kinds are ` + strings.Join(kinds, ", "),
		"run --target planted:nonesuch":             `target "planted:nonesuch": fault "nonesuch": no fault is called "nonesuch"; there are ` + strings.Join(faults, ", "),
		"run --target loop:nonesuch":                `target "loop:nonesuch": there is no file-system type "nonesuch"; the types are ext4, ext3, ext2, xfs, btrfs, f2fs, gfs2, exfat, ocfs2, ntfs3`,
		"run --target dir:/no/such":                 `target "dir:/no/such": /no/such does not exist`,
		"run --target dir:DIR/file":                 `target "dir:DIR/file": DIR/file is not a directory`,
		"run --group nonesuch":                      `there is no group "nonesuch"; the groups are ` + strings.Join(campaign.Groups(), " "),
		"run --exclude nonesuch":                    `there is no group "nonesuch"; the groups are ` + strings.Join(campaign.Groups(), " "),
		"run --filter (direct":                      `filter "(direct": found "", wanted )`,
		"run --jobs 0":                              `--jobs 0: wanted at least 1`,
		"run --repeat -1":                           `--repeat -1: wanted 0 or more`,
		"run --timeout 1ms":                         `--timeout 1ms: wanted at least 100ms`,
		"run --color pink":                          `--color pink: wanted auto, always or never`,
		"run --suite DIR":                           `--suite DIR: there is no Go test in it; see suites/example for one`,
		"run --results /proc/nonesuch":              `make the results folder: mkdir /proc/nonesuch: no such file or directory`,
		"run --results DIR/file":                    `make the results folder: mkdir DIR/file: not a directory`,
		"run --results out --junit /proc/none.xml":  `write JUnit file /proc/none.xml (shard 1): open /proc/.none.xml.tmp: no such file or directory`,
		"run --resume":                              `--resume needs --results DIR, the folder of the run to go on with`,
		"run --resume --results DIR/none":           `resume DIR/none: read journal: open DIR/none/journal.jsonl: no such file or directory`,
		"run --resume --results DIR --filter x":     `--filter cannot be given with --resume: the run goes on with what it began with`,
		"repro":                                     `repro takes one file or one name of a program, found 0 arguments`,
		"repro a b":                                 `repro takes one file or one name of a program, found 2 arguments`,
		"repro nonesuch":                            `nonesuch is neither a file nor the name of a program; ` + program,
		"repro DIR":                                 `read DIR: is a directory`,
		"repro DIR/bad.prog":                        `DIR/bad.prog: step 1, pread(e, m, 0): fd: e is not known here`,
		"repro DIR/malformed.prog":                  `DIR/malformed.prog: line 3: found "x", wanted the end of the line`,
		"repro --times 0 regress/gfs2-self-read":    `--times 0: wanted at least 1`,
		"repro --timeout 0s regress/gfs2-self-read": `--timeout 0s: wanted at least 100ms`,
		"show":                                `show takes one name of a program or of a step, found 0 arguments`,
		"show nonesuch":                       `nonesuch is neither a file nor the name of a program; ` + program,
		"list":                                `list takes one of families programs steps targets groups needs`,
		"list nonesuch":                       `there is no list of "nonesuch"; wanted one of families programs steps targets groups needs`,
		"list programs -g x":                  `there is no group "x"; the groups are ` + strings.Join(campaign.Groups(), " "),
		"kernel nonesuch":                     `there is no command "nonesuch" of kernel; see faultline kernel --help`,
		"kernel fetch":                        `kernel fetch takes names of kernels, found none; see faultline kernel --help`,
		"kernel fetch nonesuch":               `no kernel "nonesuch" can be fetched; there are uml-5.10, uml-6.1, uml-6.12, uml-7.2, deb-VERSION`,
		"kernel fetch --mirror x deb-6.1":     `fetch kernel deb-6.1: mirror "x": wanted a URI, such as http://HOST/debian`,
		"kernel list x":                       `faultline kernel list takes no argument, found "x"`,
		"kernel add":                          `kernel add takes one name, found 0 arguments`,
		"kernel add x":                        `kernel add needs --linux FILE, the kernel or the tree that it was built in`,
		"kernel add x --linux DIR":            `add kernel x: there is neither linux nor arch/x86/boot/bzImage in DIR: is it built?`,
		"kernel add x --linux DIR/file":       `add kernel x: DIR/file: it is neither a UML program nor an x86 boot image (bzImage)`,
		"kernel add uml-6.1 --linux DIR/file": `the name uml-6.1 is kept for kernels that are fetched`,
		"kernel remove":                       `kernel remove takes names of kernels, found none; see faultline kernel --help`,
		"kernel remove ../x":                  `"../x" is no name of a kernel: wanted letters, digits and .+_~-`,
		"doctor x":                            `faultline doctor takes no argument, found "x"`,
		"version x":                           `faultline version takes no argument, found "x"`,
		"completion nonesuch":                 `there is no completion for "nonesuch"; there is for bash, fish, powershell and zsh`,
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			p := newPlace(t)
			write(t, filepath.Join(p.dir, "file"), "no program\n")
			write(t, filepath.Join(p.dir, "malformed.prog"), "prog proof/bad\n\nfile A = 'a'*1x\n")
			write(t, filepath.Join(p.dir, "bad.prog"), "prog proof/bad\nfile A = 'a'*1p\npread(e, m, 0)\n")
			got := p.run(t, strings.Fields(strings.ReplaceAll(command, "DIR", p.dir))...)
			g.Expect(got.code).To(gomega.Equal(2), got.stderr)
			g.Expect(got.out).To(gomega.BeEmpty())
			g.Expect(strings.ReplaceAll(got.stderr, p.dir, "DIR")).To(gomega.Equal("faultline: " + want + "\n"))
			p.nothingLeft(t)
			g.Expect(filepath.Glob(p.results() + "/*")).To(gomega.BeEmpty())
		})
	}
}

// Results are filed under the type of the file system, which is that of the temporary folder here.
func TestTwoTargetsOfOneName(t *testing.T) {
	g := gomega.NewWithT(t)
	p := newPlace(t)
	got := p.run(t, "run", "--target", "dir:"+p.dir, "--target", p.dir)
	g.Expect(got.code).To(gomega.Equal(2))
	g.Expect(got.stderr).To(gomega.MatchRegexp(`^faultline: two targets are both \S+\.default\.dir; results could not be told apart\n$`))
	p.nothingLeft(t)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// Who may not do something is told what, and nothing is tried.
func TestNoPermission(t *testing.T) {
	needRoot(t)
	const nobody = 65534
	p := place{asNobody(t)}
	locked := filepath.Join(p.dir, "locked")
	if err := os.Mkdir(locked, 0o700); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		"run --target dir:DIR/locked":                   `target "dir:DIR/locked": user 65534 may not make a folder in DIR/locked (permission denied)`,
		"run --target dir:DIR --results DIR/locked/out": `make the results folder: mkdir DIR/locked/out: permission denied`,
		"run --resume --results DIR/locked":             `resume DIR/locked: read journal: open DIR/locked/journal.jsonl: permission denied`,
		"repro DIR/locked/x.prog":                       `open DIR/locked/x.prog: permission denied`,
		"run --target loop:ext4 --group dio":            `loop:ext4: it needs root to mount (dir:PATH does not)`,
	} {
		t.Run(command, func(t *testing.T) {
			g := gomega.NewWithT(t)
			cmd := p.command(strings.Fields(strings.ReplaceAll(command, "DIR", p.dir))...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			got := finish(t, cmd)
			g.Expect(got.code).To(gomega.Equal(2), got.stderr)
			g.Expect(got.out).To(gomega.BeEmpty())
			g.Expect(strings.ReplaceAll(got.stderr, p.dir, "DIR")).To(gomega.Equal("faultline: " + want + "\n"))
		})
	}
	t.Run("fusermount3 is enough", func(t *testing.T) {
		g := gomega.NewWithT(t)
		cmd := withFUSE(t, p.command("run", "--group", "regress", "--results", "out2"))
		got := finish(t, cmd)
		g.Expect(got.code).To(gomega.BeZero(), got.out+got.stderr)
		g.Expect(got.out).To(gomega.ContainSubstring("user_id=65534"))
		p.nothingLeft(t)
	})
	t.Run("a directory is enough", func(t *testing.T) {
		g := gomega.NewWithT(t)
		cmd := p.command("run", "--target", "dir:"+p.dir, "--group", "regress", "--results", "out")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		got := finish(t, cmd)
		g.Expect(got.code).To(gomega.BeZero(), got.out+got.stderr)
		p.nothingLeft(t)
	})
}

// withFUSE makes a command nobody's, with a /dev/fuse for everybody, as udev makes it, for this process only.
func withFUSE(t *testing.T, run *exec.Cmd) *exec.Cmd {
	t.Helper()
	for _, tool := range []string{"fusermount3", "unshare", "setpriv", "mknod"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	const private = `mknod -m 666 "$0" c 10 229 && mount --bind "$0" /dev/fuse && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"`
	node := filepath.Join(t.TempDir(), "fuse")
	cmd := exec.Command("unshare", append([]string{"-m", "sh", "-c", private, node, executable(t)}, run.Args[1:]...)...)
	cmd.Env, cmd.Dir = run.Env, run.Dir
	return cmd
}

// executable is this test as a program that everybody may start.
func executable(t *testing.T) string {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(asNobody(t), "faultline")
	if err := os.WriteFile(path, self, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// asNobody is a folder that everybody can reach and write.
func asNobody(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "faultline-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestListsAndTexts(t *testing.T) {
	for command, want := range map[string][]string{
		"--help":                 {"Faultline runs generated programs", "Available Commands:", "repro", "doctor"},
		"version":                {"faultline 0."},
		"list families":          {"FAMILY", "selfio", "sequence"},
		"list programs":          {"regress/gfs2-self-read\n", "selfio/"},
		"list steps":             {"pread(fd, buf, offset)", "mmap(fd, flags, prot, offset, length)"},
		"list targets":           {"dir:PATH", "loop:", "planted:FAULT"},
		"list groups":            {"quick\n", "auto\n", "dio\n"},
		"list needs":             {"odirect", "atomic-read"},
		"show pread":             {"pread(fd, buf, offset)\n", "prog example/pread\n"},
		"show xfs_fd_to_handle":  {"ioctl(fd, xfs_fd_to_handle, buf)\n", "ioctl(2) XFS_IOC_FD_TO_HANDLE; buf begins with xfs_handle_req{fd, path,", "needs xfs-handle\n", "\nioctl(a, xfs_fd_to_handle, n[0:56]) -> 0\n"},
		"show btrfs_rescan_wait": {"BTRFS_IOC_QUOTA_RESCAN_WAIT"},
		"show regress/gfs2-self-read": {
			"prog regress/gfs2-self-read\n", "pread(d, m[0:1p], 1p) -> 1p\n"},
		"kernel":          {"uml-5.10, uml-6.1", "fetch", "remove"},
		"kernel list":     {"NAME", "RELEASE"},
		"doctor":          {"/dev/fuse"},
		"completion bash": {"complete -o default -F __start_faultline faultline"},
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			got := newPlace(t).run(t, strings.Fields(command)...)
			g.Expect(got.code).To(gomega.BeZero(), got.stderr)
			g.Expect(got.stderr).To(gomega.BeEmpty())
			for _, words := range want {
				g.Expect(got.out).To(gomega.ContainSubstring(words))
			}
		})
	}
}

func TestListProgramsIsWhatRunRuns(t *testing.T) {
	g := gomega.NewWithT(t)
	p := newPlace(t)
	filter := []string{"--group", "sequence", "--filter", "/seed-1$/"}
	got := p.run(t, append([]string{"run", "--results", p.results()}, filter...)...)
	g.Expect(got.code).To(gomega.BeZero(), got.out)
	var ran []string
	for name := range p.journal(t).verdicts {
		ran = append(ran, name)
	}
	listed := strings.Fields(p.run(t, append([]string{"list", "programs"}, filter...)...).out)
	g.Expect(ran).To(gomega.ConsistOf(listed))
	p.nothingLeft(t)
}
