package worker

import (
	"bytes"
	"fmt"
	"strings"

	"faultline/generators/prog"
)

// window is how many bytes around a wrong one are shown.
const window = 16

// Mismatch says how the data that a check found differs from what it wanted. If the size is wrong, Sizes is set and no bytes were compared.
type Mismatch struct {
	// What was compared: a range or a file, as the step names it.
	What string `json:"what"`
	// Size is the number of bytes found, Sizes the numbers wanted, in bytes.
	Size  int64   `json:"size"`
	Sizes []int64 `json:"sizes,omitempty"`
	// Offset is that of the first wrong byte, Differ the number of wrong bytes.
	Offset int64 `json:"offset,omitempty"`
	Differ int64 `json:"differ,omitempty"`
	// Got and Want are some bytes from Offset on. Where several values are allowed, Want holds the first.
	Got  []byte `json:"got,omitempty"`
	Want []byte `json:"want,omitempty"`
	// From says where the wrong bytes come from: "pat3 at 1p+12", "zeros", "'b'"; empty if nobody knows.
	From string `json:"from,omitempty"`
	// Text says in words what is wrong with a struct; then no bytes were compared.
	Text string `json:"text,omitempty"`
}

// In writes the mismatch as a sentence, with pages of the given size.
func (m *Mismatch) In(page int64) string {
	if m.Sizes != nil {
		sizes := make([]string, len(m.Sizes))
		for i, n := range m.Sizes {
			sizes[i] = prog.SizeOf(n, page).String()
		}
		return fmt.Sprintf("%s is %v bytes long, wanted %s", m.What, prog.SizeOf(m.Size, page), strings.Join(sizes, " or "))
	}
	if m.Text != "" {
		return fmt.Sprintf("%s is wrong at offset %d: %s", m.What, m.Offset, m.Text)
	}
	text := fmt.Sprintf("%s is wrong from offset %v on, %d of %d bytes differ: got % x, wanted % x",
		m.What, prog.SizeOf(m.Offset, page), m.Differ, m.Size, m.Got, m.Want)
	if m.From != "" {
		text += "; found " + m.From
	}
	return text
}

// difference counts the bytes that are none of those allowed. It is called when there is at least one.
func difference(d prog.Data, got []byte) *Mismatch {
	m := &Mismatch{Offset: -1}
	var at int64
	for _, r := range d {
		n := r.Len.In(pageSize)
		for i, bad := range wrongBytes(r, got[at:at+n]) {
			if !bad {
				continue
			}
			if m.Offset < 0 {
				m.Offset = at + int64(i)
			}
			m.Differ++
		}
		at += n
	}
	want := make([]byte, len(got))
	d.Bytes(want, pageSize)
	end := min(m.Offset+window, int64(len(got)))
	m.Got, m.Want = bytes.Clone(got[m.Offset:end]), want[m.Offset:end]
	return m
}

// wrongBytes marks the bytes that no source of the run has.
func wrongBytes(r prog.Run, got []byte) []bool {
	wrong := make([]bool, len(got))
	for i := range wrong {
		wrong[i] = true
	}
	want := make([]byte, len(got))
	for _, s := range r.May {
		if s.Kind == prog.Any {
			return nil
		}
		prog.Of(s, r.Len).Bytes(want, pageSize)
		for i := range wrong {
			wrong[i] = wrong[i] && got[i] != want[i]
		}
	}
	return wrong
}

// origin says where bytes come from. Eight equal ones are zeros or a fill, others are looked for in the program's patterns.
func origin(got []byte, p *prog.Prog) string {
	got = got[:min(len(got), 8)]
	if bytes.Count(got, got[:1]) == len(got) {
		if got[0] == 0 {
			return "zeros"
		}
		return fmt.Sprintf("%q", rune(got[0]))
	}
	ids, reach := patterns(p)
	if id, off, ok := prog.Origin(got, ids, reach); ok {
		return fmt.Sprintf("pat%d at %v", id, prog.SizeOf(off, pageSize))
	}
	return ""
}

// maxReach bounds the search for an origin: a second or so.
const maxReach = 16 << 20

// patterns lists the numbers of the program's patterns, and the end of the longest piece of them.
func patterns(p *prog.Prog) (ids []int, reach int64) {
	seen := map[int]bool{}
	add := func(d prog.Data) {
		for _, r := range d {
			for _, s := range r.May {
				if s.Kind != prog.Pattern {
					continue
				}
				if !seen[s.ID] {
					seen[s.ID] = true
					ids = append(ids, s.ID)
				}
				reach = max(reach, s.From.Plus(r.Len).In(pageSize))
			}
		}
	}
	for _, f := range p.Files {
		add(f.Data)
	}
	for _, s := range p.Steps {
		for _, a := range s.Args {
			switch a := a.(type) {
			case prog.Data:
				add(a)
			case prog.Alts:
				for _, d := range a {
					add(d)
				}
			}
		}
	}
	return ids, min(reach, maxReach)
}
