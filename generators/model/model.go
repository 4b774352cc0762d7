// Package model says what a right file system does: it walks through a program and fills in what each step may return and which bytes
// may be seen. Bytes are followed as sets of sources (pattern 3 from offset 512 on, or zero), so the result can be written into the
// program's text. Sequential programs have exact expectations, but for what file systems are free to do (a short write when the buffer goes
// bad, direct I/O that is not aligned); beside running actors a byte may be everything it is at any moment. It imports prog only.
//
//	p, _ := prog.Parse(text)       // check(A) stands there without data
//	err := model.Derive(p, 4096)   // now it is check(A, hole*1p + 'b'*1p)
package model

import (
	"fmt"
	"slices"

	"faultline/generators/prog"
)

// Derive validates the program and sets the expectation of every step, the data of every check and the needs that the steps call for, for
// pages of the given size in bytes. The text then serves machines with any page size, if all its sizes stand near the boundaries of pages: 3p-6, not
// 2p+4090. What stood there before is replaced. An error means that the program is invalid, or uses something beside other actors whose result cannot be told.
func Derive(p *prog.Prog, page int64) error {
	if err := p.Validate(); err != nil {
		return err
	}
	for _, need := range prog.Requires(p) {
		p.Need(need)
	}
	m := &model{
		state: newState(page), prog: p, lengths: map[int]prog.Size{}, readOnly: map[int]bool{}, values: map[int]*value{}, submitted: map[string]*submitted{},
		exactShort: slices.Contains(p.Needs, "exact-short-write"),
		wholeDIO:   slices.Contains(p.Needs, "whole-dio"),
		dio512:     slices.Contains(p.Needs, "dio512"),
	}
	for _, f := range p.Files {
		i := m.newInode()
		m.names[f.Name] = i
		c := fromData(f.Data, page)
		i.sizes, i.other = []int64{c.len()}, f.Elsewhere
		i.data = c.slice(0, m.pagesOf(c.len())*page)
	}
	if err := m.findStalls(); err != nil {
		return err
	}
	for k := 0; k < len(p.Steps); {
		end := sectionEnd(p.Steps, k)
		if end == k {
			if err := m.step(k); err != nil {
				return err
			}
			k++
			continue
		}
		if err := m.section(k, end); err != nil {
			return err
		}
		k = end
	}
	return nil
}

// model is the walk through one program.
type model struct {
	*state
	prog *prog.Prog
	// lengths are the areas' lengths as declared, readOnly those mapped shared from a descriptor that cannot write.
	lengths  map[int]prog.Size
	readOnly map[int]bool
	// stalls are by process, a slash, and name.
	stalls map[string]*stall
	// what the program needs by name and may therefore count on
	exactShort, wholeDIO, dio512 bool
	// at is the step being walked through, left how many values it has left in memory so far, asked how many arguments it has read there.
	at, left, asked int
	// values are what steps have put or left in memory, by the id of their sources.
	values map[int]*value
	// groups are the groups of quotas of btrfs; nil while quotas are off.
	groups map[qgroup]bool
	// submitted are the asynchronous requests under way, by actor.
	submitted map[string]*submitted
	// mutations counts the writes to files and memory.
	mutations int
	// doubt says that the running step may have done nothing at all, forcing that the kernel overlooks what mprotect(2) forbids.
	doubt, forcing bool
	// sec is the stretch of concurrent steps being walked through, nil otherwise.
	sec *section
}

// steps is the model's function for each operation. It is filled in by init because a submitted request leads back to the table.
var steps map[string]func(*model, *prog.Step) (prog.Expect, error)

func init() {
	steps = map[string]func(*model, *prog.Step) (prog.Expect, error){
		"open": (*model).openStep, "close": succeeds,
		"mmap": (*model).mmapStep, "anon": (*model).anonStep, "munmap": (*model).munmapStep, "mprotect": (*model).mprotectStep,
		"mremap": (*model).mremapStep, "madvise": (*model).madviseStep, "mlock": (*model).mlockStep, "msync": (*model).msyncStep,
		"load": (*model).loadStep, "store": (*model).storeStep, "check": (*model).checkStep,
		"read": (*model).readStep, "pread": (*model).readStep, "readv": (*model).readStep, "preadv": (*model).readStep, "preadv2": (*model).readStep,
		"write": (*model).writeStep, "pwrite": (*model).writeStep, "writev": (*model).writeStep, "pwritev": (*model).writeStep, "pwritev2": (*model).writeStep,
		"lseek": (*model).lseekStep, "truncate": (*model).truncateStep, "ftruncate": (*model).ftruncateStep, "fallocate": (*model).fallocateStep,
		"stat": (*model).statStep, "rename": (*model).renameStep, "link": (*model).linkStep, "unlink": (*model).unlinkStep, "mkdir": (*model).mkdirStep,
		"fsync": (*model).syncStep, "fdatasync": (*model).syncStep, "sync_file_range": (*model).syncStep,
		"stall": (*model).stallStep, "guard": (*model).stallStep, "guard_struct": (*model).stallStep, "stalled": (*model).stalledStep,
		"serve": (*model).endStep, "serve_struct": (*model).endStep, "poison": (*model).endStep, "unregister": (*model).endStep, "proceeds": whoKnows, "syncfs": (*model).syncfsStep,
		// What these do has no effect on bytes or sizes.
		"fadvise": succeeds, "drop_caches": succeeds, "sync": succeeds,
		// Not every file system can be frozen; an open descriptor keeps every one from being unmounted.
		"freeze": whoKnows, "umount": alwaysBusy, "wait": succeeds,
		"put": (*model).putStep, "put_path": (*model).putPathStep, "look": (*model).lookStep, "ioctl": (*model).ioctlStep, "extents": (*model).extentsStep,
		"getdents": (*model).getdentsStep, "entries": (*model).entriesStep, "statx": (*model).statxStep,
		"fstat": (*model).fstatStep, "fstatfs": (*model).fstatfsStep, "getcwd": (*model).getcwdStep,
		"name_to_handle_at": (*model).nameToHandleStep, "open_by_handle_at": (*model).openByHandleStep, "xfs_open_by_handle": (*model).xfsOpenByHandleStep,
		"btrfs_subvolume": (*model).subvolumeStep, "uring_cmd": (*model).uringCommand,
		"file_getattr": (*model).fileGetattrStep, "file_setattr": (*model).fileSetattrStep,
		"statmount": (*model).statmountStep, "listmount": (*model).listmountStep, "quotactl": (*model).quotactlStep,
		"process_vm_readv": (*model).processVMStep, "process_vm_writev": (*model).processVMStep, "mem_read": (*model).memStep, "mem_write": (*model).memStep,
		"futex_wait": (*model).futexWaitStep, "futex_wake": (*model).futexWakeStep,
		"mount": (*model).mountStep, "fsconfig": (*model).fsconfigStep, "execve": (*model).execveStep,
		"ptrace_peek": (*model).peekStep, "ptrace_poke": (*model).pokeStep, "coredump": (*model).coredumpStep, "rseq": (*model).rseqStep,
		"fuse_read": (*model).fuseReadStep, "fuse_notify": (*model).fuseNotifyStep,
		"setxattr": (*model).setxattrStep, "getxattr": (*model).getxattrStep, "listxattr": (*model).listxattrStep, "removexattr": (*model).removexattrStep,
		"symlink": (*model).symlinkStep, "readlink": (*model).readlinkStep,
		"ficlone": (*model).ficloneStep, "copy_file_range": (*model).copyRangeStep, "sendfile": (*model).sendfileStep,
		"pipe": (*model).pipeStep, "vmsplice": (*model).pipeWrite, "tee": (*model).teeStep, "splice_from": (*model).spliceFromStep, "splice_to": (*model).spliceToStep,
		"io_setup": (*model).ioSetupStep, "io_submit": (*model).ioSubmitStep, "io_getevents": (*model).ioGeteventsStep,
		"uring_read": (*model).uringRead, "uring_readv": (*model).uringRead, "uring_write": (*model).uringWrite, "uring_writev": (*model).uringWrite,
		"uring_read_fixed": (*model).uringFixed, "uring_write_fixed": (*model).uringFixed,
	}
}

// Knows reports whether the model has a function for the operation.
func Knows(op string) bool { return steps[op] != nil }

func succeeds(*model, *prog.Step) (prog.Expect, error) { return nil, nil }

// step walks through one step and sets its expectation.
func (m *model) step(k int) error {
	s := &m.prog.Steps[k]
	m.at, m.left, m.asked = k, 0, 0
	if m.missing(s) {
		s.Want = prog.Expect{prog.Anything}
		return nil
	}
	if err := m.piped(s); err != nil {
		return fmt.Errorf("step %d, %s: %w", k+1, s.Call(), err)
	}
	want, err := steps[s.Op](m, s)
	if err != nil {
		return fmt.Errorf("step %d, %s: %w", k+1, s.Call(), err)
	}
	s.Want = tidy(want)
	m.needTail(s)
	if s.Op == "mmap" && want == nil {
		m.readOnly[m.scope(process(s)).areas[s.Makes].id] = !m.fd(s).write
	}
	return nil
}

// needTail notes that the program relies on what is behind the end of a file staying there.
func (m *model) needTail(s *prog.Step) {
	if !m.tailed {
		return
	}
	m.tailed = false
	need := "clean-tail"
	if len(s.Args) > 1 && prog.Ops[s.Op].Params[0].Kind == prog.KindFD && m.fd(s).direct && isWrite(s.Op) {
		need = "clean-tail-direct"
	}
	m.prog.Need(need)
}

func isWrite(op string) bool {
	switch op {
	case "write", "pwrite", "writev", "pwritev", "pwritev2", "uring_write", "uring_writev", "uring_write_fixed":
		return true
	}
	return false
}

// missing reports whether the step uses something that an earlier step did not make, as was expected; then it is not run.
func (m *model) missing(s *prog.Step) bool {
	if prog.OnStall(s.Op) {
		return false
	}
	sc := m.scope(process(s))
	for i, a := range s.Args {
		switch a := a.(type) {
		case prog.Name:
			if prog.Ops[s.Op].Params[i].Kind == prog.KindFD && sc.fds[string(a)] == nil {
				return true
			}
		case prog.Buf:
			for _, r := range a.Ranges {
				if r.Of != prog.Bad && sc.areas[r.Of] == nil {
					return true
				}
			}
		}
	}
	return false
}

// tidy removes outcomes that another one contains.
func tidy(e prog.Expect) prog.Expect {
	var out prog.Expect
	for i, o := range e {
		if !slices.Contains(e[:i], o) && !slices.ContainsFunc(e, func(wider prog.Outcome) bool { return wider != o && contains(wider, o) }) {
			out = append(out, o)
		}
	}
	return out
}

func contains(wide, o prog.Outcome) bool {
	if wide.Any || o.Any || wide.Err != "" || o.Err != "" {
		return wide.Any
	}
	return wide.OK || !o.OK && wide.Lo.AtMost(o.Lo) && o.Hi.AtMost(wide.Hi)
}

func (m *model) fd(s *prog.Step) *descriptor {
	return m.scope(process(s)).fds[string(s.Args[0].(prog.Name))]
}

// process is the address space a step runs in.
func process(s *prog.Step) string {
	if s.Process() {
		return s.Actor
	}
	return ""
}

// checkStep fills in what a check must find.
func (m *model) checkStep(s *prog.Step) (prog.Expect, error) {
	if name, isFile := s.Args[0].(prog.Name); isFile {
		return m.checkFile(s, string(name))
	}
	m.fill(s, nil)
	b := s.Args[0].(prog.Buf)
	sp := m.lookup(s, b, false)
	var want prog.Expect
	if sp.can == sp.n {
		total := b.Ranges[0].To.Minus(b.Ranges[0].From)
		if b.Ranges[0].Whole {
			total = m.lengths[m.scope(process(s)).areas[b.Ranges[0].Of].id]
		}
		m.fill(s, prog.Alts{m.read(sp.places, sp.n).data(total, m.page)})
		if sp.sure == sp.n {
			return nil, nil
		}
		want = prog.Expect{prog.Succeeds}
	}
	return append(want, sp.faults()...), nil
}

func (m *model) checkFile(s *prog.Step, name string) (prog.Expect, error) {
	m.fill(s, nil)
	i, missing := m.find(name)
	switch {
	case i == nil:
		return missing, nil
	case i.dir:
		return nil, fmt.Errorf("%s is a directory", name)
	}
	v := m.view(i)
	if v.between {
		return nil, nil
	}
	var alts prog.Alts
	for _, size := range v.sizes {
		alts = append(alts, v.data.slice(0, size).data(m.size(size), m.page))
	}
	m.fill(s, alts)
	return nil, nil
}

// fill sets the data of a check.
func (m *model) fill(s *prog.Step, alts prog.Alts) {
	s.Args = s.Args[:1:1]
	if alts != nil {
		s.Args = append(s.Args, alts)
	}
}
