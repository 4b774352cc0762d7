package family

import (
	"slices"

	"faultline/generators/prog"
)

// opLabels says which operation puts a program into which group.
var opLabels = map[string][]string{
	"mmap": {"mmap"}, "mremap": {"mmap", "mremap"}, "load": {"mmap"}, "store": {"mmap"},
	"read": {"rw"}, "write": {"rw"}, "pread": {"rw"}, "pwrite": {"rw"},
	"readv": {"rw", "vector"}, "writev": {"rw", "vector"}, "preadv": {"rw", "vector"}, "pwritev": {"rw", "vector"},
	"preadv2": {"rw", "vector"}, "pwritev2": {"rw", "vector"},
	"truncate": {"trunc"}, "ftruncate": {"trunc"}, "fallocate": {"prealloc"}, "lseek": {"seek"},
	"fsync": {"sync"}, "fdatasync": {"sync"}, "msync": {"sync"}, "sync_file_range": {"sync"},
	"rename": {"dir"}, "link": {"dir"}, "unlink": {"dir"}, "mkdir": {"dir"},
}

// wordLabels says which flag of which operation does.
var wordLabels = map[string]map[string]string{
	"open":      {"direct": "dio", "sync": "sync", "dsync": "sync", "append": "append", "trunc": "trunc"},
	"mmap":      {"shared": "shared", "private": "private"},
	"fallocate": {"punch": "punch", "zero": "zero", "collapse": "collapse", "insert": "insert"},
	"preadv2":   {"nowait": "nowait"},
	"pwritev2":  {"nowait": "nowait", "dsync": "sync", "sync": "sync", "append": "append"},
}

// Labels are the groups of a program that its steps show, in alphabetical order: mmap, shared and private for mappings; rw, vector, dio,
// append and sync for the calls; trunc, punch, prealloc and so on for what is done to files; thread and process for actors; fault for
// buffers that are meant to fault; eof for mappings that reach behind the file that was there before the first step.
func Labels(p *prog.Prog) []string {
	set := map[string]bool{}
	for i := range p.Steps {
		s := &p.Steps[i]
		for _, label := range opLabels[s.Op] {
			set[label] = true
		}
		for _, a := range s.Args {
			argLabels(s, a, set)
		}
		if s.Actor != "" {
			set[map[bool]string{true: "process", false: "thread"}[s.Process()]] = true
		}
	}
	if mapsBehindEOF(p) {
		set["eof"] = true
	}
	var list []string
	for label := range set {
		list = append(list, label)
	}
	slices.Sort(list)
	return list
}

func argLabels(s *prog.Step, a prog.Arg, set map[string]bool) {
	switch a := a.(type) {
	case prog.Words:
		for _, w := range a {
			if label := wordLabels[s.Op][w]; label != "" {
				set[label] = true
			}
		}
	case prog.Buf:
		for _, r := range a.Ranges {
			if r.Faults {
				set["fault"] = true
			}
		}
	}
}

// mapsBehindEOF follows descriptors to the files they were opened on.
func mapsBehindEOF(p *prog.Prog) bool {
	length := map[string]prog.Size{}
	for _, f := range p.Files {
		length[f.Name] = f.Data.Len()
	}
	opened := map[string]string{}
	for i := range p.Steps {
		s := &p.Steps[i]
		switch s.Op {
		case "open":
			opened[s.Actor+s.Makes] = string(s.Args[0].(prog.Name))
		case "mmap":
			file := opened[s.Actor+string(s.Args[0].(prog.Name))]
			if file == "" {
				file = opened[string(s.Args[0].(prog.Name))]
			}
			end := s.Args[3].(prog.Size).Plus(s.Args[4].(prog.Size))
			if !end.AtMost(length[file]) {
				return true
			}
		}
	}
	return false
}
