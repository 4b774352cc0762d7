package watch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/watch"
)

func readLines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func TestScanFindsWhatACleanKernelDoesNotPrint(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, row := range readLines(t, "testdata/log/findings.txt") {
		kind, text, _ := strings.Cut(row, ": ")
		found := watch.Scan(watch.ParseConsole(text))
		g.Expect(found).To(gomega.HaveLen(1), row)
		g.Expect(found[0].Kind).To(gomega.Equal(kind), row)
	}
}

func TestScanLeavesBenignLinesAlone(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, text := range readLines(t, "testdata/log/benign.txt") {
		g.Expect(watch.Scan(watch.ParseConsole(text))).To(gomega.BeEmpty(), text)
	}
}

func TestScanLooksAtLinesOfTheKernelOnly(t *testing.T) {
	g := gomega.NewWithT(t)
	g.Expect(watch.Scan([]watch.Line{{Facility: 1, Text: "BUG: said a shell script"}})).To(gomega.BeEmpty())
	g.Expect(watch.Scan([]watch.Line{{Facility: 0, Text: "BUG: said the kernel"}})).To(gomega.HaveLen(1))
}

func TestParseConsole(t *testing.T) {
	g := gomega.NewWithT(t)
	lines := watch.ParseConsole("<4>[   12.345678] one\r\n[    0.000001][   T12] two\n\n<30>three\n[not a stamp] four\n")
	g.Expect(lines).To(gomega.Equal([]watch.Line{
		{Level: 4, At: 12345678 * time.Microsecond, Text: "one"},
		{Level: -1, At: time.Microsecond, Text: "two"},
		{Level: 6, Facility: 3, Text: "three"},
		{Level: -1, Text: "[not a stamp] four"},
	}))
}

// A line that we write ourselves must come back, once, after the mark that precedes it.
func TestKernelLogSinceMark(t *testing.T) {
	g := gomega.NewWithT(t)
	log := watch.OpenKernelLog()
	defer log.Close()
	if log.Reason() != "" {
		t.Skip(log.Reason())
	}
	before := fmt.Sprintf("watch test %d: before the mark", os.Getpid())
	after := fmt.Sprintf("watch test %d: after the mark, BUG: made up", os.Getpid())
	if err := os.WriteFile("/dev/kmsg", []byte(before+"\n"), 0); err != nil {
		t.Skip("needs to write the kernel log: ", err)
	}
	// Without the newline the kernel would keep a record to itself until the next one comes.
	mark := log.Mark()
	g.Expect(os.WriteFile("/dev/kmsg", []byte(after+"\n"), 0)).To(gomega.Succeed())
	for range 2 { // asking does not consume
		lines, complete := log.Since(mark)
		g.Expect(complete).To(gomega.BeTrue())
		ours := texts(lines, fmt.Sprintf("watch test %d:", os.Getpid()))
		g.Expect(ours).To(gomega.Equal([]string{after}))
		for _, found := range watch.Scan(lines) {
			g.Expect(found.Line.Text).NotTo(gomega.Equal(after), "user space wrote it")
		}
	}
	lines, _ := log.Since(log.Mark())
	g.Expect(texts(lines, after)).To(gomega.BeEmpty())
	g.Expect(log.Close()).To(gomega.Succeed())
	_, complete := log.Since(mark)
	g.Expect(complete).To(gomega.BeFalse())
}

func texts(lines []watch.Line, with string) []string {
	var found []string
	for _, line := range lines {
		if strings.Contains(line.Text, with) {
			found = append(found, line.Text)
		}
	}
	return found
}

// The kernel has a file that makes ext4 report an error: a finding that is not made up.
func TestKernelLogHasAFileSystemErrorMadeByTheKernel(t *testing.T) {
	needRoot(t, "mounts")
	g := gomega.NewWithT(t)
	log := watch.OpenKernelLog()
	defer log.Close()
	if log.Reason() != "" {
		t.Skip(log.Reason())
	}
	device := mountExt4(t)
	mark := log.Mark()
	trigger := filepath.Join("/sys/fs/ext4", filepath.Base(device), "trigger_fs_error")
	text := fmt.Sprintf("watch test %d", os.Getpid())
	g.Expect(os.WriteFile(trigger, []byte(text), 0)).To(gomega.Succeed())
	lines, _ := log.Since(mark)
	var kinds []string
	for _, found := range watch.Scan(lines) {
		if strings.Contains(found.Line.Text, text) {
			kinds = append(kinds, found.Kind)
		}
	}
	g.Expect(kinds).To(gomega.Equal([]string{"fs error"}))
}
