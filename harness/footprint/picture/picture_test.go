package picture_test

import (
	"encoding/xml"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/footprint/matrix"
	"faultline/harness/footprint/picture"
)

// sample has a cell of every kind: a hazard, a deadlock, what fails, differs, was skipped, is missing.
func sample() *matrix.Footprint {
	return &matrix.Footprint{
		Target: "loop:ext4", FS: "ext4", Kernel: "9.9", Options: "rw", Date: time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC), Seconds: 1.5,
		Ops:       []string{"pwrite-direct", "statx"},
		Onlookers: []matrix.Onlooker{{Name: "load-far", Group: matrix.Faults}, {Name: "pwrite", Group: matrix.SameFile}, {Name: "fsync", Group: matrix.SameFile}, {Name: "readdir", Group: matrix.Names}},
		Cells: []matrix.Cell{
			{Stopped: "pwrite-direct", Onlooker: "load-far", Outcome: matrix.Blocks, Lock: "a <lock> & more", Stack: []string{"down<read>", "vfs_write"}},
			{Stopped: "pwrite-direct", Onlooker: "pwrite", Outcome: matrix.Blocks, Lock: "another lock"},
			{Stopped: "pwrite-direct", Onlooker: "fsync", Outcome: matrix.Deadlocks, Reason: "never came back"},
			{Stopped: "pwrite-direct", Onlooker: "readdir", Outcome: matrix.Fails, Reason: "got EIO"},
			{Stopped: "statx", Onlooker: "load-far", Outcome: matrix.Proceeds},
			{Stopped: "statx", Onlooker: "pwrite", Outcome: matrix.Unstable, Reason: "at first blocks, and then pass"},
			{Stopped: "statx", Onlooker: "fsync", Outcome: matrix.Skipped, Reason: "needs <root>"},
		},
		Hazards: []matrix.Hazard{{Stopped: "pwrite-direct", Onlooker: "load-far", Lock: "a <lock> & more", Program: "prog x\nload(m)\n", Proof: matrix.Proved}},
	}
}

func TestText(t *testing.T) {
	gomega.NewWithT(t).Expect(picture.Text(sample(), false)).To(gomega.Equal(`loop:ext4: ext4 on Linux 9.9, mounted rw
7 cells in 2 s, 2026-11-22 20:00 UTC

stopped:    pwrite    statx
            direct
page faults
  load-far  BLOCKS 1  .
same file
  pwrite    blocks 2  varies
  fsync     dead 3    skip
directory
  readdir   fails

.        comes back at once
varies   not the same each time
blocks   waits until the stopped call is let go
fails    returns an error
dead     does not come back even then
skip     not possible here
CAPITALS a page fault that waits: fault-under-lock

waited for:
  1  a <lock> & more (1 of the cells)
     down<read> < vfs_write
  2  another lock (1 of the cells)
  3  unknown: there is no stack that tells (1 of the cells)

1 of 2 page faults wait for a stopped call: fault-under-lock.
deadlocks: never came back (fsync beside pwrite-direct)
fails: got EIO (readdir beside pwrite-direct)
unstable: at first blocks, and then pass (pwrite beside statx)
skipped: needs <root> (fsync beside statx)

HAZARD fault-under-lock: while pwrite-direct is stopped in its user copy, a page fault (load-far)
waits for a <lock> & more. A fault of the copy itself then waits for ever.
This program hung:
    prog x
    load(m)
`))
}

// Who copied stands below the onlookers, in the same columns, and in the page beside them; what was not counted says why.
func TestCopies(t *testing.T) {
	g := gomega.NewWithT(t)
	f := sample()
	f.Copies = []matrix.Copy{{Stopped: "pwrite-direct", Server: 2, Retries: 12, Outside: 1}, {Stopped: "statx", Reason: "nobody <answers>"}}
	text := picture.Text(f, false)
	g.Expect(text).To(gomega.ContainSubstring(`
directory
  readdir        fails
user copy
  by server      2         ?
  by kernel      .         ?
  retries        12        ?
  faults locked  .         ?
  faults free    1         ?

`))
	g.Expect(text).To(gomega.ContainSubstring("\nretries       times the server gave its lock back to fault pages in\n"))
	g.Expect(text).To(gomega.ContainSubstring("\nnot counted: nobody <answers> (copy of statx)\n"))
	var b strings.Builder
	g.Expect(picture.HTML(&b, []*matrix.Footprint{f})).To(gomega.Succeed())
	g.Expect(b.String()).To(gomega.ContainSubstring("pwrite-direct while it was stopped: 12 times the server gave its lock back to fault pages in"))
	g.Expect(b.String()).To(gomega.ContainSubstring("statx: not counted (nobody &lt;answers&gt;)"))
	g.Expect(strings.Count(b.String(), `<rect class="count"`)).To(gomega.Equal(2 * len(matrix.Counts)))
	g.Expect(b.String()).To(gomega.ContainSubstring(">user copy</text>"))
	g.Expect(picture.Text(sample(), false)).NotTo(gomega.ContainSubstring("\nuser copy\n"), "where nobody counts")
}

// Colours change nothing else: without the sequences the text is the same, and a mark is not wider.
func TestColours(t *testing.T) {
	g := gomega.NewWithT(t)
	painted := picture.Text(sample(), true)
	g.Expect(painted).To(gomega.ContainSubstring("\x1b[31;1mBLOCKS 1\x1b[0m"))
	g.Expect(regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(painted, "")).To(gomega.Equal(picture.Text(sample(), false)))
}

// Many operations, long names and deep stacks stay within 100 columns, and each cell is shown once.
func TestTablesAreNarrow(t *testing.T) {
	g := gomega.NewWithT(t)
	f := sample()
	f.Ops, f.Cells, f.Hazards[0].Onlooker = nil, nil, strings.Repeat("so-long-", 5)
	for i := range 40 {
		op := "operation-with-a-name" + strings.Repeat("x", i%7)
		op += "-" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		f.Ops = append(f.Ops, op)
		for _, by := range f.Onlookers {
			f.Cells = append(f.Cells, matrix.Cell{Stopped: op, Onlooker: by.Name, Outcome: matrix.Blocks, Lock: "l", Stack: strings.Fields(strings.Repeat("some_function ", 30))})
		}
	}
	text := picture.Text(f, false)
	for line := range strings.Lines(text) {
		g.Expect(len(line)).To(gomega.BeNumerically("<=", 101), line)
	}
	g.Expect(strings.Count(text, "blocks 1") + strings.Count(text, "BLOCKS 1")).To(gomega.Equal(len(f.Cells)))
}

// The page is one file that needs nothing from elsewhere, with well-formed pictures, and all that is written in it escaped.
func TestHTML(t *testing.T) {
	g := gomega.NewWithT(t)
	var b strings.Builder
	g.Expect(picture.HTML(&b, []*matrix.Footprint{sample(), sample()})).To(gomega.Succeed())
	page := b.String()
	g.Expect(page).NotTo(gomega.MatchRegexp(`(?i)<script|<link|<img|@import|url\(|\b(src|href)=`))
	g.Expect(page).To(gomega.ContainSubstring("prefers-color-scheme: dark"))
	g.Expect(page).NotTo(gomega.ContainSubstring("<lock>"))
	g.Expect(page).NotTo(gomega.ContainSubstring("<root>"))
	g.Expect(page).To(gomega.ContainSubstring("load-far while pwrite-direct is stopped: blocks\nwaits for a &lt;lock&gt; &amp; more\ndown&lt;read&gt;\nvfs_write"))
	g.Expect(page).NotTo(gomega.ContainSubstring("ZgotmplZ"), "what html/template writes for what it does not trust")

	pictures := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1)
	g.Expect(pictures).To(gomega.HaveLen(2))
	for _, text := range pictures {
		var svg struct {
			Cells []struct {
				Title string `xml:"title"`
				Rect  struct {
					Class string `xml:"class,attr"`
					Fill  string `xml:"fill,attr"`
				} `xml:"rect"`
			} `xml:"g"`
		}
		g.Expect(xml.Unmarshal([]byte(text), &svg)).To(gomega.Succeed())
		g.Expect(svg.Cells).To(gomega.HaveLen(len(sample().Cells)))
		g.Expect(svg.Cells[0].Rect.Class).To(gomega.Equal("hazard"))
		for _, cell := range svg.Cells {
			g.Expect(cell.Title).NotTo(gomega.BeEmpty())
			g.Expect(cell.Rect.Fill).To(gomega.MatchRegexp("^#[0-9a-f]{6}$"), "mail readers that leave out style sheets")
		}
	}
}

// A footprint without a cell is a page and a text like any other.
func TestNothingMeasured(t *testing.T) {
	g := gomega.NewWithT(t)
	empty := &matrix.Footprint{Target: "dir:/x"}
	g.Expect(picture.Text(empty, false)).To(gomega.ContainSubstring("No page fault was tried."))
	var b strings.Builder
	g.Expect(picture.HTML(&b, []*matrix.Footprint{empty})).To(gomega.Succeed())
	g.Expect(b.String()).To(gomega.ContainSubstring("No page fault was tried."))
}
