package picture

import (
	"fmt"
	"strings"

	"faultline/harness/footprint/matrix"
)

// columns is the width that the table keeps to.
const columns = 100

// marks are the outcomes in a table on the terminal.
var marks = map[matrix.Outcome]string{
	matrix.Proceeds: ".", matrix.Unstable: "varies", matrix.Blocks: "blocks", matrix.Fails: "fails", matrix.Deadlocks: "dead",
	matrix.Untouched: "-", matrix.Skipped: "skip", matrix.Broken: "error",
}

// paints are the colours of outcomes, as parameters of the terminal's SGR sequence.
var paints = map[matrix.Outcome]string{
	matrix.Proceeds: "32", matrix.Unstable: "35", matrix.Blocks: "33", matrix.Fails: "33", matrix.Deadlocks: red,
	matrix.Untouched: "2", matrix.Skipped: "2", matrix.Broken: "35",
}

// alert begins what is said of a hazard, in red.
const (
	alert = "HAZARD fault-under-lock:"
	red   = "31;1"
)

// Text is a footprint for a terminal of 100 columns: what was measured, the table with stopped calls as columns, the locks by the numbers they have in it,
// what could not be measured, and the hazards. A page fault that waits is in capitals.
func Text(f *matrix.Footprint, colour bool) string {
	t := &text{f: f, colour: colour}
	fmt.Fprintf(&t.b, "%s: %s\n%s\n", t.paint("1", f.Target), heading(f), effort(f))
	for _, ops := range t.panels() {
		t.table(ops)
	}
	t.legend()
	t.notes()
	for _, h := range f.Hazards {
		t.b.WriteString("\n" + strings.Replace(fold(alert+" "+endangered(h), columns), alert, t.paint(red, alert), 1) + "\n")
		fmt.Fprintf(&t.b, "%s\n    %s\n", proofs[h.Proof], strings.ReplaceAll(strings.TrimSpace(h.Program), "\n", "\n    "))
	}
	return t.b.String()
}

// text is a footprint that is being written.
type text struct {
	b      strings.Builder
	f      *matrix.Footprint
	colour bool
}

func (t *text) paint(code, words string) string {
	if !t.colour || strings.TrimSpace(words) == "" {
		return words
	}
	return "\x1b[" + code + "m" + words + "\x1b[0m"
}

// gutter is the width of the onlookers' names.
func (t *text) gutter() int {
	wide := 0
	for _, by := range t.f.Onlookers {
		wide = max(wide, len(by.Name))
	}
	for _, n := range matrix.Counts {
		if len(t.f.Copies) > 0 {
			wide = max(wide, len(n.Name))
		}
	}
	return wide + len("    ")
}

// width is that of a column, in letters: the parts of its name stand one below the other.
func width(op string) int {
	wide := len("blocks 12")
	for _, part := range strings.Split(op, "-") {
		wide = max(wide, len(part))
	}
	return wide + 1
}

// panels splits the stopped calls so that each table is narrow enough.
func (t *text) panels() (all [][]string) {
	room := 0
	for _, op := range t.f.Ops {
		if len(all) == 0 || room < width(op) {
			all, room = append(all, nil), columns-t.gutter()
		}
		all[len(all)-1] = append(all[len(all)-1], op)
		room -= width(op)
	}
	return all
}

func (t *text) table(ops []string) {
	t.b.WriteString("\n")
	t.heads(ops)
	for _, group := range matrix.Groups {
		rows := t.f.ByGroup(group)
		if len(rows) > 0 {
			t.b.WriteString(t.paint("1", string(group)) + "\n")
		}
		for _, by := range rows {
			line := fmt.Sprintf("  %-*s", t.gutter()-2, by.Name)
			for _, op := range ops {
				line += t.cell(op, by.Name)
			}
			t.line(line)
		}
	}
	t.copies(ops)
}

// copies are the rows that say who copied.
func (t *text) copies(ops []string) {
	if len(t.f.Copies) == 0 {
		return
	}
	t.b.WriteString(t.paint("1", copied) + "\n")
	for _, n := range matrix.Counts {
		line := fmt.Sprintf("  %-*s", t.gutter()-2, n.Name)
		for _, op := range ops {
			number := ""
			if c := t.f.Copy(op); c != nil {
				number = countMark(n, c)
			}
			line += fmt.Sprintf("%-*s", width(op), number)
		}
		t.line(line)
	}
}

// countMark is a number in a table on the terminal.
func countMark(n matrix.Count, c *matrix.Copy) string {
	switch v := n.Of(*c); {
	case c.Reason != "":
		return "?"
	case v == 0:
		return "."
	default:
		return fmt.Sprint(v)
	}
}

// heads writes the names of the columns, from the top.
func (t *text) heads(ops []string) {
	high := 0
	for _, op := range ops {
		high = max(high, strings.Count(op, "-")+1)
	}
	for row := range high {
		line := strings.Repeat(" ", t.gutter())
		if row == 0 {
			line = fmt.Sprintf("%-*s", t.gutter(), "stopped:")
		}
		for _, op := range ops {
			part := ""
			if parts := strings.Split(op, "-"); row < len(parts) {
				part = parts[row]
			}
			line += fmt.Sprintf("%-*s", width(op), part)
		}
		t.line(line)
	}
}

func (t *text) line(line string) { t.b.WriteString(strings.TrimRight(line, " ") + "\n") }

// cell is a mark, the number of the lock, and blanks.
func (t *text) cell(op, onlooker string) string {
	c := t.f.Find(op, onlooker)
	if c == nil {
		return strings.Repeat(" ", width(op))
	}
	mark, code := marks[c.Outcome], paints[c.Outcome]
	if n := number(t.f, c); n > 0 {
		mark += fmt.Sprintf(" %d", n)
	}
	if t.f.IsHazard(c) {
		mark, code = strings.ToUpper(mark), red
	}
	return t.paint(code, mark) + strings.Repeat(" ", width(op)-len(mark))
}

func (t *text) legend() {
	t.b.WriteString("\n")
	for _, o := range occurring(t.f) {
		fmt.Fprintf(&t.b, "%-8s %s\n", marks[o], o.Meaning())
	}
	if _, hazard := verdict(t.f); hazard {
		t.b.WriteString("CAPITALS a page fault that waits: fault-under-lock\n")
	}
	if len(t.f.Copies) > 0 {
		for _, n := range matrix.Counts {
			fmt.Fprintf(&t.b, "%-*s %s\n", len("faults locked"), n.Name, n.Meaning)
		}
	}
}

// notes are the locks, the verdict on page faults, and what was not measured.
func (t *text) notes() {
	all := waits(t.f)
	if len(all) > 0 {
		t.b.WriteString("\nwaited for:\n")
	}
	for _, w := range all {
		t.line(fmt.Sprintf("%3d  %s (%d of the cells)", w.Number, w.Lock, w.Cells))
		if w.Stack != "" {
			t.line(clip("     "+w.Stack, columns))
		}
	}
	words, hazard := verdict(t.f)
	if hazard {
		words = t.paint(red, words)
	}
	t.b.WriteString("\n" + words + "\n")
	for _, remark := range remarks(t.f) {
		t.line(remark)
	}
}

// fold breaks a sentence into lines.
func fold(sentence string, limit int) string {
	var b strings.Builder
	room := limit
	for i, word := range strings.Fields(sentence) {
		switch {
		case i == 0:
		case len(word) < room:
			b.WriteString(" ")
			room--
		default:
			b.WriteString("\n")
			room = limit
		}
		b.WriteString(word)
		room -= len(word)
	}
	return b.String()
}

// clip cuts a line of functions after one that still fits.
func clip(line string, limit int) string {
	const rest = " < ..."
	if len(line) <= limit {
		return line
	}
	line = line[:limit-len(rest)]
	if at := strings.LastIndex(line, " < "); at > 0 {
		line = line[:at]
	}
	return line + rest
}
