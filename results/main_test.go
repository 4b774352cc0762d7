package results

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimEnv); dir != "" {
		victim(dir) // see kill_test.go
	}
	os.Exit(m.Run())
}

// golden compares got with testdata/name, or rewrites that file.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	g := gomega.NewWithT(t)
	path := filepath.Join("testdata", name)
	if *update {
		g.Expect(os.WriteFile(path, got, 0o644)).To(gomega.Succeed())
	}
	want, err := os.ReadFile(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(got)).To(gomega.Equal(string(want)), "differs from %s; run with -update if that is right", path)
}

const soon = 30 * time.Second // for what happens within a second on an idle machine

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.FixedZone("", 3600))

var sampleHeader = Header{
	Version: "v0.1.0", Seed: 42, Targets: []string{"fuse"}, Args: []string{"faultline", "run", "--seed=42"},
	Host: "box", Kernel: "6.18.0", Start: noon, Planned: 9,
	Mounts: []Mount{{Target: "uml:5.10,fs=gfs2", Type: "gfs2", Options: "rw,relatime", Kernel: "5.10.46"}},
}

func sampleID(name string) ID {
	return ID{Suite: "selfio", Class: "gfs2.faulting.fuse", Name: "selfio/" + name}
}

// sampleCases has one case of every sort.
func sampleCases() []Case {
	at := func(i int) time.Time { return noon.Add(time.Duration(i) * time.Second) }
	program := "prog selfio/pread/direct\nfile A = hole*1p + 'b'*1p\npread(d, m[0:1p], 1p) -> 1p\n"
	return []Case{
		{ID: sampleID("pass"), Verdict: Pass, Start: at(0), Elapsed: 1500 * time.Microsecond, Labels: []string{"quick", "mmap"}},
		{
			ID: sampleID("pread/direct"), Verdict: Hang, Kind: KernelHang, Start: at(1), Elapsed: 2400 * time.Millisecond,
			Message: "step 3, pread: blocked in filemap_fault", Detail: program + "\nstack of 77:\n\tfilemap_fault\n",
			Signature: "hang/filemap_fault", Attempts: 3, Failures: 3,
			Reruns: []Attempt{
				{Verdict: Hang, Message: "step 3, pread: blocked in filemap_fault", Detail: "stack of 78"},
				{Verdict: Hang, Message: "step 3, pread: blocked in folio_wait_bit", Detail: "stack of 79"},
			},
			Attachments: []string{"run/failures/a/report.txt", "run/failures/a/program.prog"},
			Repro:       "faultline repro 'selfio/pread/direct' --seed=42",
		},
		{ID: sampleID("pread/other"), Verdict: Hang, Start: at(4), Message: "step 9, pread: blocked", Signature: "hang/filemap_fault"},
		{ID: sampleID("wrong"), Verdict: Wrong, Kind: DataCorruption, Start: at(5), Message: "A[4096] is 'x', not 'b' & <so> \"on\"", Detail: "want 'b'\r\nhave \x1b[31m'x'\x1b[0m]]>\x00"},
		{ID: sampleID("crash"), Verdict: Crash, Kind: KernelOops, Start: at(6), Message: "BUG at fs/gfs2/glock.c"},
		{ID: sampleID("skip"), Verdict: Skip, Start: at(7), Message: "needs userfaultfd (EPERM)"},
		{ID: sampleID("known"), Verdict: Skip, Start: at(8), Message: "KNOWN: bug 17", Properties: []Property{KnownFailure}},
		{ID: sampleID("slow"), Verdict: Broken, Kind: TimeoutSlow, Start: at(9), Message: "no end after 60 s, still moving"},
		{
			ID: sampleID("flaky"), Verdict: Pass, Start: at(10), Attempts: 2, Failures: 1,
			Reruns: []Attempt{{Verdict: Wrong, Message: "short read", Detail: "512 of 4096"}},
		},
	}
}

// makeCase is a case with nothing but its name and verdict.
func makeCase(i int, v Verdict) Case {
	return Case{ID: sampleID(fmt.Sprintf("n%06d", i)), Verdict: v, Message: "because"}
}

// xmllint checks that the file is well-formed by another parser, if there is one.
func xmllint(t *testing.T, path string) {
	t.Helper()
	tool, err := exec.LookPath("xmllint")
	if err != nil {
		t.Log("xmllint is not installed, its check is left out")
		return
	}
	var out bytes.Buffer
	cmd := exec.Command(tool, "--noout", path)
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("xmllint %s: %v\n%s", path, err, out.String())
	}
}

func readJUnitFile(t *testing.T, path string) *JUnitReport {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := ReadJUnit(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return r
}
