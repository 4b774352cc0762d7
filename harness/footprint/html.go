package footprint

import (
	"fmt"
	"html"
	"strings"
)

// The picture's measures in pixels.
const (
	square = 22
	gutter = 110 // room for the names of operations
	tall   = 110 // room for those of onlookers
)

// colours are those of outcomes; the letter in the square says it too.
var colours = map[Outcome]string{
	Proceeds: "#d9ead3", Blocks: "#f6b26b", Deadlocks: "#cc0000", Fails: "#ffe599", Varies: "#c9b6e4", Untouched: "#eeeeee", Skipped: "#ffffff", Broken: "#999999",
}

// HTML is one page with a heat map for each table, that needs nothing from elsewhere.
func HTML(all []*Footprint) string {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Lock footprints</title>\n" +
		"<style>body{font:14px sans-serif;margin:2em}svg text{font:12px monospace}pre{background:#f6f6f6;padding:.5em}</style></head><body>\n<h1>Lock footprints</h1>\n" +
		"<p>A row is a system call, stopped in the middle of its user copy. A column is what another process tries meanwhile.</p>\n")
	for _, f := range all {
		fmt.Fprintf(&b, "<h2>%s</h2>\n<p>%s</p>\n", html.EscapeString(f.Target), html.EscapeString(f.FS+", "+f.Kernel+", "+f.Options))
		f.svg(&b)
		f.list(&b)
	}
	legend(&b)
	b.WriteString("</body></html>\n")
	return b.String()
}

func (f *Footprint) svg(b *strings.Builder) {
	ops, onlookers := f.Ops(), f.Onlookers()
	fmt.Fprintf(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\">\n", gutter+square*len(onlookers)+tall, tall+square*len(ops)+4)
	for x, name := range onlookers {
		at := gutter + square*x + square*2/3
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" transform=\"rotate(-60 %d %d)\">%s</text>\n", at, tall-6, at, tall-6, html.EscapeString(name))
	}
	for y, op := range ops {
		top := tall + square*y
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", gutter-6, top+square*2/3, html.EscapeString(op))
		for x, name := range onlookers {
			if c := f.Find(op, name); c != nil {
				c.square(b, gutter+square*x, top)
			}
		}
	}
	b.WriteString("</svg>\n")
}

// square draws the cell; its title has all there is to say.
func (c *Cell) square(b *strings.Builder, x, y int) {
	title := fmt.Sprintf("%s while %s is stopped: %s", c.Onlooker, c.Op, c.Outcome)
	if c.Why != "" {
		title += ", " + c.Why
	}
	if len(c.Stack) > 0 {
		title += "\n" + strings.Join(c.Stack, "\n")
	}
	edge := "#ffffff"
	if c.Held() && isTouch(c.Onlooker) {
		edge = "#cc0000"
	}
	fmt.Fprintf(b, "<g><title>%s</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\" stroke=\"%s\" stroke-width=\"2\"/>"+
		"<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text></g>\n",
		html.EscapeString(title), x, y, square-1, square-1, colours[c.Outcome], edge, x+square/2, y+square*2/3, strings.TrimSpace(marks[c.Outcome]))
}

// list says in words what blocks, and the hazards.
func (f *Footprint) list(b *strings.Builder) {
	var words strings.Builder
	f.words(&words)
	if words.Len() > 0 {
		fmt.Fprintf(b, "<pre>%s</pre>\n", html.EscapeString(words.String()))
	}
	for _, h := range f.Hazards {
		fmt.Fprintf(b, "<p><strong>Hazard</strong> %s</p>\n<pre>%s</pre>\n", html.EscapeString(h.String()), html.EscapeString(h.Program))
	}
}

func legend(b *strings.Builder) {
	b.WriteString("<p>")
	for _, o := range []Outcome{Proceeds, Blocks, Deadlocks, Fails, Varies, Untouched, Skipped} {
		fmt.Fprintf(b, "<span style=\"background:%s;padding:.2em .5em;margin-right:.5em\">%s %s</span>", colours[o], marks[o], o)
	}
	b.WriteString("</p>\n")
}
