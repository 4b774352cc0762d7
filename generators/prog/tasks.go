package prog

// taskOps are the operations that copy memory and are about no file: of the memory of tasks, of words that tasks wait for, and of the strings of new
// mounts and programs. They are rows of the table Ops.
var taskOps = []Op{
	{Name: "process_vm_readv", Counts: true, Params: []Param{iov(), memory("remote")}, Doc: "process_vm_readv(2) of our own address space, whose remote memory is faulted in as another task's"},
	{Name: "process_vm_writev", Counts: true, Params: []Param{iov(), memory("remote")}, Doc: "process_vm_writev(2) to our own address space, whose remote memory is faulted in as another task's"},
	{Name: "mem_read", Counts: true, Params: []Param{buf(), memory("remote")}, Doc: "pread(2) from /proc/self/mem at the address of the second range, which is as long"},
	{Name: "mem_write", Counts: true, Params: []Param{buf(), memory("remote")}, Doc: "pwrite(2) to /proc/self/mem at the address of the second range, which is as long"},
	{Name: "futex_wait", Params: []Param{buf(), size("value"), words("scope", "shared", "private")}, Doc: "futex(2) FUTEX_WAIT on 4 bytes in memory: EAGAIN when they are another value, ETIMEDOUT, after a moment, when they are that one"},
	{Name: "futex_wake", Counts: true, Params: []Param{buf()}, Doc: "futex(2) FUTEX_WAKE of 4 bytes that processes share, whose page the kernel looks up; returns how many it has woken"},
	{Name: "mount", Params: []Param{memory("source"), memory("type"), memory("data")}, Doc: "mount(2) on the empty name, which is nowhere: ENOENT once the strings and the page of options have been copied"},
	{Name: "fsconfig", Params: []Param{memory("key"), memory("value")}, Doc: "fsconfig(2) FSCONFIG_SET_STRING of a tmpfs that is never made"},
	{Name: "execve", Params: []Param{memory("argv")}, Doc: "execve(2) of a file that is no program: ENOEXEC once the pointers in memory and the strings that they point to have been copied"},
}

// taskStructs are the structs of these operations.
var taskStructs = []Struct{
	{"futex", "", "", 8, []Field{number("value", 4, 4)}},
	{"argv", "", "", 16, []Field{address("arg0", 0)}},
}
