package guest

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"faultline/harness/guest/initramfs"
)

// haste leaves out of a boot what only takes time: the 256 pairs of old pseudo terminals (drivers/tty/pty.c), each of which waits for devtmpfs, and the search for a
// module that compresses what is swapped (mm/zswap.c: init_zswap, which newer kernels put off): a guest does not swap. With it and hasteRAID a boot takes a quarter of
// the time.
var haste = []string{"pty.legacy_count=0", "initcall_blacklist=init_zswap"}

// hasteRAID leaves out the choice of the fastest RAID 6 algorithm, which takes 16 ticks for each (lib/raid6/algos.c: raid6_select_algo; raid6_init since 7.2).
// btrfs uses them on three disks or more.
const hasteRAID = "initcall_blacklist=raid6_select_algo,raid6_init"

// hurry is what a kernel is told to boot sooner. A module whose first function is forbidden could not be inserted.
func hurry(modules string) ([]string, error) {
	tree, err := initramfs.OpenTree(modules)
	if err != nil {
		return nil, err
	}
	if !tree.BuiltIn("raid6_pq") {
		return slices.Clone(haste), nil
	}
	return append(slices.Clone(haste), hasteRAID), nil
}

// loops are, for each kernel that has booted (its path), what tells the next boot how fast its delay loop is ("lpj=34709504",
// Documentation/admin-guide/kernel-parameters.rst). To measure it takes a third of what the kernel itself needs to boot.
var loops sync.Map

var loopsLine = regexp.MustCompile(`\((lpj=\d+)\)`)

// noteLoops reads the measurement in what a kernel has printed (init/calibrate.c).
func noteLoops(kernel, console string) {
	if found := loopsLine.FindStringSubmatch(console); found != nil {
		loops.LoadOrStore(kernel, found[1])
	}
}

// umlMachine is how User Mode Linux is started (Documentation/virt/uml/user_mode_linux_howto_v2.rst). The channel is a serial line on two inherited
// pipes: 3 from us, 4 to us.
func umlMachine(s Spec) (machine, error) {
	hurry, err := hurry(s.Kernel.Modules)
	if err != nil {
		return machine{}, err
	}
	if measured, known := loops.Load(s.Kernel.Linux); known {
		hurry = append(hurry, measured.(string))
	}
	args := []string{
		fmt.Sprintf("mem=%dM", s.Memory>>20), "initrd=" + s.Initrd, "uml_dir=./", "umid=" + umlName,
		"con=null", "con0=fd:0,fd:1", "ssl=null", "ssl0=fd:3,fd:4",
	}
	for i := range s.Disks {
		args = append(args, fmt.Sprintf("ubd%d=%s", i, diskName(i)))
	}
	m := machine{order: keepOrder{
		Path: s.Kernel.Linux,
		Args: slices.Concat(args, hurry, kernelLine("/dev/ttyS0")),
		Env:  []string{"HOME=.", "TMPDIR=" + memoryDir(s.Memory), "PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
	}}
	return m, m.wire()
}

// umlName is the folder of the sockets that User Mode Linux makes, in the guest's folder.
const umlName = "guest"

// wire makes the two pipes.
func (m *machine) wire() error {
	theirIn, ours, err := os.Pipe()
	if err != nil {
		return err
	}
	oursIn, theirs, err := os.Pipe()
	if err != nil {
		theirIn.Close()
		ours.Close()
		return err
	}
	m.theirs = []*os.File{theirIn, theirs}
	m.channel = &pipes{r: oursIn, w: ours}
	return nil
}

// memoryDir is where the guest's memory lies, in a file that is unlinked at once: on a tmpfs if there is one that may hold code and has the room,
// or else the disk would be written to with every page. The fallback is the guest's own folder.
func memoryDir(size int64) string {
	const shm = "/dev/shm"
	var st unix.Statfs_t
	if unix.Statfs(shm, &st) != nil || st.Flags&unix.ST_NOEXEC != 0 || int64(st.Bavail)*st.Bsize < size || unix.Access(shm, unix.W_OK) != nil {
		return "."
	}
	return shm
}
