package picture

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"faultline/harness/footprint/matrix"
)

//go:embed page.html
var page string

var pages = template.Must(template.New("page").Parse(page))

// HTML writes one page with a heat map for each footprint. It has no script, needs no other file, and follows the reader's light or dark theme; a
// reader of mail that leaves out style sheets still shows the colours. Each cell has its outcome, lock and stack as a title.
func HTML(w io.Writer, all []*matrix.Footprint) error {
	var views []view
	for _, f := range all {
		views = append(views, newView(f))
	}
	title := "Lock footprints"
	if len(all) == 1 {
		title = fmt.Sprintf("Lock footprint of %s on Linux %s", all[0].FS, all[0].Kernel)
	}
	if err := pages.Execute(w, map[string]any{"Title": title, "Views": views}); err != nil {
		return fmt.Errorf("write footprints as HTML: %w", err)
	}
	return nil
}

// The measures of a heat map, in pixels.
const (
	square = 26  // from one cell to the next
	side   = 24  // of a cell
	gap    = 12  // between groups of columns
	top    = 130 // room for the names of onlookers
	letter = 8   // width of one in the names of operations
	slant  = 80  // room for the last name, which leans to the right
)

// style is how an outcome is drawn; the colours are those of the light theme, which are also the ones without style sheets.
type style struct{ Class, Fill, Ink, Mark string }

var styles = map[matrix.Outcome]style{
	matrix.Proceeds:  {"proceeds", "#d3ecd6", "#2b6a39", ""},
	matrix.Unstable:  {"unstable", "#ddd0f3", "#5a3a94", "?"},
	matrix.Blocks:    {"blocks", "#f5a94b", "#4a2800", ""},
	matrix.Fails:     {"fails", "#f6de7b", "#5a4700", "E"},
	matrix.Deadlocks: {"dead", "#b3202c", "#ffffff", "D"},
	matrix.Untouched: {"mute", "#eceef1", "#7b828c", "-"},
	matrix.Skipped:   {"mute", "#eceef1", "#7b828c", ""},
	matrix.Broken:    {"mute", "#eceef1", "#7b828c", "!"},
}

// hazardous is a page fault that waits.
var hazardous = style{"hazard", "#d62839", "#ffffff", ""}

// counted is a number of a copy.
var counted = style{"count", "#dce7f7", "#1d4277", ""}

// box is a cell, or a sample of one in the legend.
type box struct {
	style
	X, Y, MidX, MidY int
	Title            string
}

// label is text of the picture.
type label struct {
	X, Y int
	Text string
}

// sample is a line of the legend.
type sample struct {
	style
	Name, Meaning string
}

// warning is a hazard in words.
type warning struct{ Text, Proof, Program string }

// view is what the page says of one footprint.
type view struct {
	Target, Heading, Effort, Verdict string
	Hazard                           bool
	Width, Height                    int
	Rows, Columns, Groups            []label
	Boxes                            []box
	Legend                           []sample
	Waits                            []wait
	Remarks                          []string
	Alerts                           []warning
}

func newView(f *matrix.Footprint) view {
	v := view{Target: f.Target, Heading: heading(f), Effort: effort(f), Waits: waits(f), Remarks: remarks(f)}
	v.Verdict, v.Hazard = verdict(f)
	left := v.rows(f)
	v.columns(f, left)
	v.explain(f)
	return v
}

// rows places the names of the stopped calls, and says where the cells begin.
func (v *view) rows(f *matrix.Footprint) (left int) {
	for _, op := range f.Ops {
		left = max(left, letter*len(op)+10)
	}
	for y, op := range f.Ops {
		v.Rows = append(v.Rows, label{left - 8, top + y*square + side/2, op})
	}
	v.Height = top + len(f.Ops)*square + 6
	return left
}

// columns places the onlookers, group by group, and their cells.
func (v *view) columns(f *matrix.Footprint, x int) {
	for _, group := range matrix.Groups {
		rows := f.ByGroup(group)
		if len(rows) == 0 {
			continue
		}
		v.Groups = append(v.Groups, label{x, v.Height + 12, string(group)})
		for _, by := range rows {
			v.Columns = append(v.Columns, label{x + side/2, top - 8, by.Name})
			for y, op := range f.Ops {
				if c := f.Find(op, by.Name); c != nil {
					v.Boxes = append(v.Boxes, newBox(f, c, x, top+y*square))
				}
			}
			x += square
		}
		x += gap
	}
	x = v.copies(f, x)
	v.Width, v.Height = x+slant, v.Height+20
}

// copies places the columns that say who copied, and says where they end.
func (v *view) copies(f *matrix.Footprint, x int) int {
	if len(f.Copies) == 0 {
		return x
	}
	v.Groups = append(v.Groups, label{x, v.Height + 12, copied})
	for _, n := range matrix.Counts {
		v.Columns = append(v.Columns, label{x + side/2, top - 8, n.Name})
		for y, op := range f.Ops {
			if c := f.Copy(op); c != nil {
				v.Boxes = append(v.Boxes, countBox(n, c, x, top+y*square))
			}
		}
		x += square
	}
	return x + gap
}

func countBox(n matrix.Count, c *matrix.Copy, x, y int) box {
	b := box{style: counted, X: x, Y: y, MidX: x + side/2, MidY: y + side/2}
	b.Title = fmt.Sprintf("%s while it was stopped: %d %s", c.Stopped, n.Of(*c), n.Meaning)
	if c.Reason != "" {
		b.Title = c.Stopped + ": " + c.Words()
	}
	if b.Mark = countMark(n, c); b.Mark == "." {
		b.Mark = ""
	}
	return b
}

func newBox(f *matrix.Footprint, c *matrix.Cell, x, y int) box {
	b := box{style: styles[c.Outcome], X: x, Y: y, MidX: x + side/2, MidY: y + side/2}
	if f.IsHazard(c) {
		b.style = hazardous
	}
	if n := number(f, c); n > 0 {
		b.Mark = fmt.Sprint(n)
	}
	lines := []string{fmt.Sprintf("%s while %s is stopped: %s", c.Onlooker, c.Stopped, c.Outcome)}
	if c.Held() && c.Lock != "" {
		lines = append(lines, "waits for "+c.Lock)
	}
	if c.Reason != "" {
		lines = append(lines, c.Reason)
	}
	b.Title = strings.Join(append(lines, c.Stack...), "\n")
	return b
}

// explain fills the legend and the hazards.
func (v *view) explain(f *matrix.Footprint) {
	for _, o := range occurring(f) {
		v.Legend = append(v.Legend, sample{styles[o], string(o), o.Meaning()})
	}
	if v.Hazard {
		v.Legend = append(v.Legend, sample{hazardous, "hazard", "a page fault that waits: fault-under-lock"})
	}
	for _, h := range f.Hazards {
		v.Alerts = append(v.Alerts, warning{endangered(h), proofs[h.Proof], h.Program})
	}
}
