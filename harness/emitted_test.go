package harness_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/generators"
	"faultline/generators/emit"
	"faultline/generators/family"
	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/target"
	"faultline/results"
	"faultline/suites/regress"
)

// compiled is the program as C, made with all warnings as errors.
func compiled(t *testing.T, p *prog.Prog) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("needs a C compiler: ", err)
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "repro.c")
	if err := os.WriteFile(source, []byte(emit.C(p)), 0o644); err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(dir, "repro")
	if said, err := exec.Command(cc, "-O1", "-Wall", "-Wextra", "-Werror", "-o", exe, source, "-lpthread").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, said, emit.C(p))
	}
	return exe
}

// exits runs a compiled program in dir and returns its exit code and what it said. One that does not end in time is killed.
func exits(t *testing.T, exe string, dirs ...string) (int, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), exe, dirs...)
	timer := time.AfterFunc(soon, func() { cmd.Process.Kill() })
	defer timer.Stop()
	said, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(said)
}

// sample is every example, every regression, and one of some programs of each family.
func sample(t *testing.T, oneOf uint32) (list []*prog.Prog) {
	t.Helper()
	for _, name := range prog.Examples() {
		p, err := prog.Parse(prog.Example(name))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	list = append(list, regress.Programs()...)
	chosen := func(name string) bool {
		h := fnv.New32a()
		h.Write([]byte(name))
		return h.Sum32()%oneOf == 0 || strings.HasPrefix(name, "crossio/") && h.Sum32()%3 == 0
	}
	for _, p := range generators.Each(family.DefaultSeed, true, chosen) {
		list = append(list, p)
	}
	return list
}

// As C a program compiles without a warning, and passes where a worker does.
func TestEmittedPrograms(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	r := runner(t, "dir:"+dir, harness.Options{Repeats: -1})
	ran, passed := 0, 0
	for _, p := range sample(t, 24) {
		t.Run(p.Name, func(t *testing.T) {
			ran++
			exe := compiled(t, p)
			if o := r.Run(t.Context(), p); o.Verdict != results.Pass {
				t.Skip(o.Verdict, " in a worker: ", o.Message)
			}
			args := []string{dir}
			for _, f := range p.Files {
				if f.Elsewhere {
					args = []string{dir, other}
				}
			}
			if code, said := exits(t, exe, args...); code != 0 {
				t.Fatalf("exit code %d: %s\n%s", code, said, emit.C(p))
			}
			passed++
		})
	}
	gomega.NewWithT(t).Expect(2*passed).To(gomega.BeNumerically(">", ran), "most programs can be run here")
}

// The C program finds what the worker finds: it passes without a fault, ends with 1 on a wrong result, and hangs where the program hangs.
func TestEmittedProgramsFindFaults(t *testing.T) {
	needFuse(t)
	g := gomega.NewWithT(t)
	exe := compiled(t, derived(t, readIt))
	for fault, want := range map[string]int{"none": 0, "short-read": 1} {
		code, said := exits(t, exe, faulty(t, fault).Dir())
		g.Expect(code).To(gomega.Equal(want), "%s: %s", fault, said)
	}
	stuck := faulty(t, "block-read")
	cmd := exec.Command(exe, stuck.Dir())
	g.Expect(cmd.Start()).To(gomega.Succeed())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	doing := func() string {
		stack, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stack", cmd.Process.Pid))
		return string(stack)
	}
	g.Eventually(doing, soon).Should(gomega.And(gomega.ContainSubstring("request_wait_answer"), gomega.ContainSubstring("read")))
	g.Consistently(ended, 300*time.Millisecond).ShouldNot(gomega.Receive())
	g.Expect(stuck.Abort()).To(gomega.Succeed())
	g.Eventually(ended, soon).Should(gomega.Receive(gomega.HaveOccurred()))
}

// faulty is a file system with a fault.
func faulty(t *testing.T, fault string) target.Target {
	t.Helper()
	p, err := target.Open(t.Context(), "planted:"+fault, target.Options{Temp: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}
