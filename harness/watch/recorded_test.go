package watch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/watch"
)

// recordings is what kernels really printed, with an index that says how they were made to, and what the tables find in it.
const recordings = "testdata/recorded"

// recording is an entry of the index.
type recording struct {
	file         string
	kernel, made string
	finds        []string // the first finding of each kind, "kind: text", and its signature in a line of its own if its trace has one
}

// readIndex reads paragraphs: the name of a file, "kernel: ", "made: ", and then what is found.
func readIndex(t *testing.T) []recording {
	t.Helper()
	var all []recording
	text := strings.Join(readLines(t, filepath.Join(recordings, "index.txt")), "\n")
	for _, paragraph := range strings.Split(text, "\n\n") {
		if strings.HasPrefix(paragraph, "#") {
			continue
		}
		lines := strings.Split(paragraph, "\n")
		if len(lines) < 4 {
			t.Fatalf("the index has an entry that is too short: %q", paragraph)
		}
		r := recording{file: lines[0]}
		var hasKernel, hasMade bool
		r.kernel, hasKernel = strings.CutPrefix(lines[1], "kernel: ")
		r.made, hasMade = strings.CutPrefix(lines[2], "made: ")
		if !hasKernel || !hasMade || r.kernel == "" || r.made == "" {
			t.Fatalf("the index does not say which kernel made %s, and how", r.file)
		}
		if lines[3] != "finds nothing" {
			r.finds = lines[3:]
		}
		all = append(all, r)
	}
	return all
}

// firsts are the findings of a log as the index has them.
func firsts(text string) []string {
	lines := watch.ParseConsole(text)
	var finds []string
	seen := map[string]bool{}
	for _, f := range watch.Scan(lines) {
		if seen[f.Kind] {
			continue
		}
		seen[f.Kind] = true
		finds = append(finds, fmt.Sprintf("finds %s: %s", f.Kind, f.Line.Text))
		if signature := watch.Signature(watch.Trace(lines, f)); signature != "" {
			finds = append(finds, "  "+signature)
		}
	}
	return finds
}

func TestRecordedLogs(t *testing.T) {
	g := gomega.NewWithT(t)
	listed := map[string]bool{}
	for _, r := range readIndex(t) {
		listed[r.file] = true
		text, err := os.ReadFile(filepath.Join(recordings, r.file))
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(len(text)).To(gomega.BeNumerically(">", 200), "%s: an empty log would find nothing as well", r.file)
		g.Expect(firsts(string(text))).To(gomega.Equal(r.finds), "%s, %s, made by: %s", r.file, r.kernel, r.made)
	}
	files, err := filepath.Glob(filepath.Join(recordings, "*"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	for _, file := range files {
		if name := filepath.Base(file); name != "index.txt" {
			g.Expect(listed[name]).To(gomega.BeTrue(), "%s is not in the index", name)
		}
	}
}

// Every kernel that guests were made of has a log of nothing wrong.
func TestInnocentLogs(t *testing.T) {
	g := gomega.NewWithT(t)
	innocent := map[string]bool{}
	for _, r := range readIndex(t) {
		if r.finds == nil {
			innocent[r.kernel] = true
		}
	}
	for _, r := range readIndex(t) {
		g.Expect(innocent[r.kernel]).To(gomega.BeTrue(), "no log of %s finds nothing", r.kernel)
	}
}

// The same failure has the same signature under User Mode Linux and under QEMU, whatever their compilers have inlined.
func TestSignatureDoesNotDependOnTheMachine(t *testing.T) {
	g := gomega.NewWithT(t)
	signatures := map[string][]string{}
	for _, r := range readIndex(t) {
		failure, machine, is := strings.Cut(strings.TrimPrefix(r.file, "self-"), "-")
		if !is || !strings.HasPrefix(r.file, "self-") {
			continue
		}
		for i, line := range r.finds {
			if strings.HasPrefix(line, "finds bug: ") {
				signatures[failure] = append(signatures[failure], r.finds[i+1])
			}
		}
		g.Expect(machine).To(gomega.BeElementOf("uml-5.10.txt", "qemu-5.10.txt"))
	}
	g.Expect(signatures).To(gomega.HaveLen(4))
	for failure, found := range signatures {
		g.Expect(found).To(gomega.HaveLen(2), failure)
		g.Expect(found[0]).To(gomega.Equal(found[1]), failure)
		g.Expect(found[0]).To(gomega.HavePrefix("  gfs2_glock_nq < gfs2_fault < "), failure)
	}
}
