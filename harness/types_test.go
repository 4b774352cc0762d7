package harness_test

import (
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/entry"
	"faultline/generators/prog"
	"faultline/generators/structs"
	"faultline/harness"
	"faultline/results"
)

// The examples of steps that only one type of file system has hold on it, and not any more when they expect something else.
func TestStepsOfSingleTypes(t *testing.T) {
	for spec, steps := range map[string]map[string][2]string{
		"loop:xfs": {"put_path": {"any*600", "zero*600"}, "xfs_open_by_handle": {"flags=24", "flags=23"}},
		"loop:btrfs": {
			"btrfs_subvolume": {"btrfs_ino_lookup_user{name=83}", "btrfs_ino_lookup_user{name=84}"},
			"uring_cmd":       {"-> 1..2p |", "-> 1..2p-1 |"},
		},
	} {
		t.Run(spec, func(t *testing.T) {
			r := realKernelWith(t, spec, harness.Options{Repeats: -1})
			for step, planted := range steps {
				t.Run(step, func(t *testing.T) { holds(t, r, prog.Example(step), planted[0], planted[1]) })
			}
		})
	}
}

// holds demands that a program passes, and that it does not with something else in its text.
func holds(t *testing.T, r *harness.Runner, text, was, planted string) {
	t.Helper()
	g := gomega.NewWithT(t)
	o := r.Run(t.Context(), asWritten(t, text))
	if o.Verdict == results.Skip {
		t.Skip(o.Message)
	}
	g.Expect(o.Verdict).To(gomega.Equal(results.Pass), o.Message)
	g.Expect(text).To(gomega.ContainSubstring(was))
	o = r.Run(t.Context(), asWritten(t, strings.Replace(text, was, planted, 1)))
	g.Expect(o.Verdict).To(gomega.Equal(results.Wrong), "with %s: %s", planted, o.Message)
}

// asWritten is a program with the expectations of its text.
func asWritten(t *testing.T, text string) *prog.Prog {
	t.Helper()
	p, err := prog.Parse(text)
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	return p
}

// The calls that only one type of file system has return and leave on it what the model says, and not anything else.
func TestCallsOfSingleTypes(t *testing.T) {
	for prefix, spec := range map[string]string{
		"xfs-": "loop:xfs", "btrfs-": "loop:btrfs", "ext4-": "uml:7.2,fs=ext4", "f2fs-": "uml:7.2,fs=f2fs", "ocfs2-": "uml:6.1,fs=ocfs2",
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			var programs []*prog.Prog
			want := map[string]results.Verdict{}
			add := func(p *prog.Prog, v results.Verdict) {
				if p != nil {
					programs, want[p.Name] = append(programs, p), v
				}
			}
			for i := range entry.Calls {
				c := &entry.Calls[i]
				if !c.Plain || !strings.HasPrefix(c.Name, prefix) {
					continue
				}
				name := "structs/" + c.Name + "/shared/other/inside/cold"
				add(structs.Family.Find(name), results.Pass)
				add(otherResult(structs.Family.Find(name), c), results.Wrong)
				add(otherNumber(structs.Family.Find(name)), results.Wrong)
			}
			passed := 0
			for name, o := range runOn(t, spec, 2, harness.Options{Repeats: -1}, programs) {
				if o.Verdict == results.Pass {
					passed++
				}
				if o.Verdict != results.Skip {
					g.Expect(o.Verdict).To(gomega.Equal(want[name]), "%s: %s", name, o.Message)
				}
			}
			if prefix != "ext4-" { // it takes CAP_SYS_RESOURCE
				g.Expect(passed).To(gomega.BeNumerically(">", 2))
			}
		})
	}
}

// otherResult is a program in which the call must fail as nothing does.
func otherResult(p *prog.Prog, c *entry.Call) *prog.Prog {
	for i := len(p.Steps) - 1; i >= 0; i-- {
		s := &p.Steps[i]
		beginning, _, _ := strings.Cut(s.Call(), "m[")
		if strings.HasPrefix(c.Do, beginning) || strings.HasPrefix(c.Do, s.Call()) {
			s.Want = prog.Expect{prog.Fails("EPROTO")}
			p.Name += "/result"
			return p
		}
	}
	return nil
}

// otherNumber is a program that looks for a number that is greater by one than it must be, or nil if there is none.
func otherNumber(p *prog.Prog) *prog.Prog {
	for i := range p.Steps {
		if p.Steps[i].Op != "look" {
			continue
		}
		v := p.Steps[i].Args[1].(prog.Value)
		for k, f := range v.Fields {
			if f.Lo == f.Hi {
				v.Fields[k].Lo = f.Lo.Plus(prog.Bytes(1))
				v.Fields[k].Hi = v.Fields[k].Lo
				p.Name += "/number"
				return p
			}
		}
	}
	return nil
}
