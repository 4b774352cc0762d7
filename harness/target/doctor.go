package target

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"faultline/harness/watch"
)

// Finding is one thing that Doctor looked at.
type Finding struct {
	Name   string
	OK     bool
	Detail string // what is there, or what is missing
	Mend   string // how to get what is missing; empty if there is nothing to mend, or no way here
	Skips  string // what is left out when it is missing
}

// Doctor says what this machine lacks, and what each lack costs. It changes nothing and touches no target.
func Doctor(ctx context.Context) []Finding {
	var findings []Finding
	for _, e := range examinations() {
		if ctx.Err() != nil {
			break
		}
		findings = append(findings, e.finding())
	}
	return findings
}

// examination is a row of the doctor's list.
type examination struct {
	name  string
	skips string
	look  func() (detail string, lacks []lack)
}

func (e examination) finding() Finding {
	detail, lacks := e.look()
	if len(lacks) == 0 {
		return Finding{Name: e.name, OK: true, Detail: detail, Skips: e.skips}
	}
	var what, mend []string
	for _, l := range lacks {
		what = append(what, l.what)
		if l.mend != "" {
			mend = append(mend, l.mend)
		}
	}
	return Finding{Name: e.name, Detail: strings.Join(what, "; "), Mend: strings.Join(mend, "; "), Skips: e.skips}
}

func examinations() []examination {
	list := []examination{
		{"root", "targets that are mounted (loop:, tmpfs:, overlay:), drop_caches, and most of the evidence of a hang", examineRoot},
		{"room", "loop: targets of the default size", plain("in "+os.TempDir(), func() []lack { return lacksRoom(os.TempDir(), defaultImageSize) })},
		{"loop devices", "loop: targets", plain("/dev/loop-control", lacksLoop)},
	}
	for _, t := range fsTypes {
		list = append(list, examination{"loop:" + t.name, "the target loop:" + t.name, plain(t.mkfs[0]+", "+t.fsck[0]+" and the kernel's "+t.name, t.lacks)})
	}
	return append(list, []examination{
		{"tmpfs", "the target tmpfs:", plain("in the kernel", func() []lack { return lacksType("tmpfs") })},
		{"overlay", "overlay: targets", plain("in the kernel", func() []lack { return lacksType("overlay") })},
		{"fuse", "the target fuse, which is the default, and planted: targets", plain("/dev/fuse", func() []lack { return slices.Concat(lacksFuse(), lacksType("fuse")) })},
		{"fsck.gfs2", "nothing: the image of the target fuse is checked by our own check alone", plain("for the target fuse", lacksFsckGFS2)},
		{"fusectl", "nothing: the server of a FUSE target that hangs is killed instead of aborting its connection", examineFusectl},
		{"userfaultfd", "programs with a guard, which stops writers to memory; without fuse as well all programs with a stall, a buffer that stops a system call inside its copy", examineUserfaultfd},
		{"kernel stacks", "kernel stacks in the evidence of a hang", examineStack},
		{"kernel log", "the search of the kernel log for oopses and warnings after every program", examineKernelLog},
		{"locked memory", "programs with mlock", examineMemlock},
		{"drop_caches", "programs with drop_caches", examineDropCaches},
		{"STATX_DIOALIGN", "nothing: the alignment of direct I/O is found out by trying", examineDIOAlign},
	}...)
}

// plain has a fixed text for the good case.
func plain(detail string, lacks func() []lack) func() (string, []lack) {
	return func() (string, []lack) { return detail, lacks() }
}

func examineRoot() (string, []lack) {
	if uid := os.Geteuid(); uid != 0 {
		return "", []lack{{fmt.Sprintf("this is user %d", uid), "sudo; without root, test with dir:PATH"}}
	}
	return "this is root", nil
}

func lacksFsckGFS2() []lack {
	if _, err := findTool("fsck.gfs2"); err != nil {
		return []lack{{"fsck.gfs2 is not installed", "package gfs2-utils"}}
	}
	return nil
}

func examineFusectl() (string, []lack) {
	mounts, err := readMounts()
	if err != nil {
		return "", []lack{{err.Error(), ""}}
	}
	for _, m := range mounts {
		if m.Type == "fusectl" {
			return "mounted on " + m.Point, nil
		}
	}
	return "", []lack{{"no fusectl file system is mounted", "mount -t fusectl none /sys/fs/fuse/connections"}}
}

// examineUserfaultfd asks for a descriptor that serves faults from inside the kernel too: userfaultfd(2) without UFFD_USER_MODE_ONLY.
func examineUserfaultfd() (string, []lack) {
	fd, through, err := newUserfaultfd()
	if err != nil {
		what, mend, _ := strings.Cut(err.Error(), "; it takes ")
		return "", []lack{{what, mend}}
	}
	unix.Close(fd)
	return through, nil
}

func examineStack() (string, []lack) {
	if _, err := os.ReadFile("/proc/self/stack"); err != nil {
		return "", []lack{{err.Error(), "root, and a kernel with CONFIG_STACKTRACE"}}
	}
	return "/proc/PID/stack can be read", nil
}

func examineKernelLog() (string, []lack) {
	kernelLog := watch.OpenKernelLog()
	defer kernelLog.Close()
	if why := kernelLog.Reason(); why != "" {
		return "", []lack{{why, "root, or sysctl kernel.dmesg_restrict=0"}}
	}
	return "can be read", nil
}

func examineMemlock() (string, []lack) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return "", []lack{{err.Error(), ""}}
	}
	if os.Geteuid() == 0 {
		return "root may lock all", nil
	}
	if need := uint64(filePages * os.Getpagesize()); limit.Cur < need {
		return "", []lack{{fmt.Sprintf("the limit is %d bytes, programs lock up to %d", limit.Cur, need), "ulimit -l"}}
	}
	return fmt.Sprintf("%d KiB", limit.Cur>>10), nil
}

func examineDropCaches() (string, []lack) {
	if err := openDropCaches(); err != nil {
		return "", []lack{{err.Error(), "root; in a container --privileged"}}
	}
	return "can be written", nil
}

func examineDIOAlign() (string, []lack) {
	if v := parseVersion(kernelRelease()); v.less(version{6, 1}) {
		return "", []lack{{fmt.Sprintf("the kernel is %s; statx(2) tells since 6.1", kernelRelease()), ""}}
	}
	return "the kernel knows it", nil
}

// openDropCaches opens the file and writes nothing: dropping would slow down the whole machine.
func openDropCaches() error {
	f, err := os.OpenFile("/proc/sys/vm/drop_caches", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}
