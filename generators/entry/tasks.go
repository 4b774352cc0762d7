package entry

// taskCalls are about no file: calls on the memory of tasks, on words that tasks wait for, and with the strings of new mounts and programs.
var taskCalls = []Call{
	{Name: "process-vm-read", Plain: true, Doc: "process_vm_readv(2) into it", Room: 600, Out: true, Before: moved, Do: "process_vm_readv({$}, n)"},
	{Name: "process-vm-from", Plain: true, Doc: "process_vm_readv(2) from it, as from another task's memory", Room: 600, Text: "pat4*600", Before: moved, Do: "process_vm_readv({n}, $)", After: []string{"check(n)"}},
	{Name: "process-vm-to", Plain: true, Doc: "process_vm_writev(2) to it, as to another task's memory", Room: 600, Out: true, Before: moved, Do: "process_vm_writev({n}, $)"},
	{Name: "mem-read", Plain: true, Doc: "pread(2) from /proc/self/mem into it", Room: 600, Out: true, Before: moved, Do: "mem_read($, n)"},
	{Name: "mem-to", Plain: true, Doc: "pwrite(2) to /proc/self/mem at its address", Room: 600, Out: true, Before: moved, Do: "mem_write(n, $)"},
	{Name: "futex-wait", Plain: true, Doc: "FUTEX_WAIT on a word that processes share", Room: 8, Arg: "futex{value=7}", Do: "futex_wait($[4:8], 6, shared)", After: []string{"look($, futex{})"}},
	{Name: "futex-wait-private", Plain: true, Doc: "FUTEX_WAIT on a word of one process", Room: 8, Arg: "futex{value=7}", Do: "futex_wait($[4:8], 6, private)", After: []string{"look($, futex{})"}},
	{Name: "futex-wake", Plain: true, Doc: "FUTEX_WAKE on a word that processes share", Room: 8, Arg: "futex{value=7}", Do: "futex_wake($[4:8])", After: []string{"look($, futex{})"}},
	{Name: "mount-data", Plain: true, Doc: "mount(2) with its page of options in it", Room: 100, Text: "pat4*100", Before: options, Do: "mount(n[0:5], n[5:11], $)"},
	{Name: "fsconfig", Plain: true, Doc: "FSCONFIG_SET_STRING with the value in it", Room: 29, Text: `"a.source.with.a.longer.name." + zero*1`, Before: []string{`n = anon("source" + zero*1)`}, Do: "fsconfig(n, $)"},
	{Name: "execve-argv", Plain: true, Doc: "execve(2) with the pointer to its argument in it", Room: 16, Arg: "argv{arg0=n}", Before: []string{`n = anon("argument" + zero*1)`}, Do: "execve($)"},
	{Name: "execve-string", Plain: true, Doc: "execve(2) with its argument in it", Room: 29, Text: `"an.argument.with.many.letter" + zero*1`, Before: []string{"n = anon(zero*16)"},
		Ready: []string{"put(n, argv{arg0=$})"}, Do: "execve(n)"},
	{Name: "ptrace-peek", Plain: true, Doc: "PTRACE_PEEKDATA at its address in a copy of the process", Room: 8, Text: `"a word. "`, Before: []string{"n = anon(zero*8)"}, Do: "ptrace_peek(n, $)", After: []string{"check(n)"}},
	{Name: "ptrace-poke", Plain: true, Doc: "PTRACE_POKEDATA at its address in a copy of the process", Room: 8, Out: true, Do: `ptrace_poke($, "a word. ")`},
	{Name: "coredump", Plain: true, Doc: "a core of its mapping", Room: 600, Text: "pat4*600", Before: moved, Do: "coredump(n, $)", After: []string{"check(n)"}},
	{Name: "rseq", Plain: true, Sure: true, Doc: "rseq(2) of a half of it", Room: 64, Text: "zero*64", Do: "rseq($[32:64])", After: []string{"look($[32:64], rseq{})"}},
	{Name: "fuse-read", Plain: true, Doc: "readv(2) from /dev/fuse into it", Room: 56, Out: true, Before: []string{"n = anon(zero*8192)"}, Do: "fuse_read({$, n})", After: []string{"look($[0:40], fuse_in{})"}},
	{Name: "fuse-notify", Plain: true, Doc: "write(2) of it to /dev/fuse", Room: 40, Arg: "fuse_inval{len=40, code=2, ino=99}", Do: "fuse_notify($)"},
}

var (
	moved   = []string{"n = anon(pat5*600)"}
	options = []string{`n = anon("none" + zero*1 + "tmpfs" + zero*1 + 'o'*100)`}
)
