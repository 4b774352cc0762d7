package elfpatch

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/gomega"
)

// machineLoader is this machine's own dynamic loader, which the tests copy elsewhere.
const machineLoader = "/lib64/ld-linux-x86-64.so.2"

// program says which files are mapped into it.
const program = `package main

import "os"

func main() {
	maps, _ := os.ReadFile("/proc/self/maps")
	os.Stdout.Write(maps)
}
`

// built compiles program with the given flags of go build.
func built(t *testing.T, flags ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/main.go", []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", slices.Concat([]string{"build", "-o", "program"}, flags, []string{"main.go"})...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	image, err := os.ReadFile(dir + "/program")
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// A program starts with the loader that it was given, and looks for libraries where it was told to, wherever it lies.
func TestSetLoader(t *testing.T) {
	g := gomega.NewWithT(t)
	loader, err := os.ReadFile(machineLoader)
	if err != nil {
		t.Skipf("no glibc for x86-64 here: %v", err)
	}
	image := built(t, "-buildmode=pie", "-ldflags=-r /nonesuch")
	dir := t.TempDir()
	interp := filepath.Join(dir, strings.Repeat("long/", 30), "ld.so")
	g.Expect(os.MkdirAll(filepath.Dir(interp), 0o755)).To(gomega.Succeed())
	g.Expect(os.WriteFile(interp, loader, 0o755)).To(gomega.Succeed())

	before := bytes.Clone(image)
	patched, err := SetLoader(image, interp, "$ORIGIN/lib")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(image).To(gomega.Equal(before), "the image it was given is unchanged")
	g.Expect(os.WriteFile(dir+"/program", patched, 0o755)).To(gomega.Succeed())

	cmd := exec.Command(dir + "/program")
	maps, err := cmd.Output()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(maps)).To(gomega.ContainSubstring(interp))
	g.Expect(string(maps)).NotTo(gomega.ContainSubstring("/ld-linux"))

	// A library that is nowhere makes the loader say where it looks.
	cmd = exec.Command(dir + "/program")
	cmd.Env = []string{"LD_PRELOAD=libnonesuch.so", "LD_DEBUG=libs"}
	said, err := cmd.CombinedOutput()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(said)).To(gomega.ContainSubstring("search path=" + dir + "/lib"))
	g.Expect(string(said)).NotTo(gomega.ContainSubstring("search path=/nonesuch"))
}

func TestWhatCannotBePatched(t *testing.T) {
	whole := built(t, "-buildmode=pie", "-ldflags=-r /nonesuch")
	outside := bytes.Clone(whole)
	f, err := elf.NewFile(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	i, _ := find(f, elf.PT_INTERP)
	binary.LittleEndian.PutUint64(outside[binary.LittleEndian.Uint64(whole[ehdrPhoff:])+uint64(i*phdrSize)+phdrOffset:], 1<<62)
	for name, c := range map[string]struct {
		image   []byte
		runpath string
		want    string
	}{
		"no ELF file":        {[]byte("#!/bin/sh\n"), "x", "read the executable"},
		"an empty file":      {nil, "x", "read the executable"},
		"a truncated file":   {whole[:100], "x", "read the executable"},
		"linked statically":  {built(t), "x", "it is linked statically"},
		"a path too long":    {whole, strings.Repeat("x", 28), "is longer than the 27 bytes there are"},
		"a loader elsewhere": {outside, "x", "lies outside of the file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := SetLoader(c.image, "/ld.so", c.runpath)
			gomega.NewWithT(t).Expect(err).To(gomega.MatchError(gomega.ContainSubstring(c.want)))
		})
	}
}

type pair struct {
	tag   elf.DynTag
	value uint64
}

func section(entries ...pair) []byte {
	var b []byte
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint64(b, uint64(e.tag))
		b = binary.LittleEndian.AppendUint64(b, e.value)
	}
	return b
}

func TestSetRunpath(t *testing.T) {
	g := gomega.NewWithT(t)
	before := uint64(0x100)
	distance := before - 0x1000 // wraps
	table, needed, end := pair{elf.DT_STRTAB, 0x1000}, pair{elf.DT_NEEDED, 7}, pair{}

	s := section(pair{elf.DT_RPATH, 9}, needed, table, end)
	g.Expect(setRunpath(s, before)).To(gomega.Succeed())
	g.Expect(s).To(gomega.Equal(section(pair{elf.DT_RUNPATH, distance}, needed, table, end)), "the old path's entry is used")

	s = section(needed, table, end, end, end)
	g.Expect(setRunpath(s, before)).To(gomega.Succeed())
	g.Expect(s).To(gomega.Equal(section(needed, table, pair{elf.DT_RUNPATH, distance}, end, end)), "the first spare entry is used")

	for _, s := range [][]byte{section(needed, table, end), section(needed, end, end), section(needed, table), nil} {
		old := bytes.Clone(s)
		g.Expect(setRunpath(s, before)).To(gomega.MatchError(gomega.ContainSubstring("no place for a library path")))
		g.Expect(s).To(gomega.Equal(old))
	}
}

func TestWidenXstate(t *testing.T) {
	g := gomega.NewWithT(t)
	get := append([]byte{0x88, 0x0a, 0, 0, 0xbf, 0x04, 0x42, 0, 0}, "reading"...)
	set := append(bytes.Clone(setregset), "writing"...)
	image := slices.Concat([]byte("code"), get, set)
	wide, changed := WidenXstate(image)
	g.Expect(changed).To(gomega.BeTrue())
	g.Expect(wide).To(gomega.Equal(slices.Concat([]byte("code"), get, []byte{0, 0, 1, 0, 0xbf, 0x05, 0x42, 0, 0}, []byte("writing"))))
	g.Expect(image).To(gomega.Equal(slices.Concat([]byte("code"), get, set)), "the image it was given is unchanged")

	for _, other := range [][]byte{nil, get, slices.Concat(set, set), wide} {
		got, changed := WidenXstate(other)
		g.Expect(changed).To(gomega.BeFalse())
		g.Expect(got).To(gomega.Equal(other))
	}
}
