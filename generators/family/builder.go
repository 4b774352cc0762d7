package family

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"faultline/generators/prog"
)

// Builder writes the text of one program, line by line. The parts may come in any order; files and needs are put above the steps. What is
// written is parsed at the end, so a line may hold whatever the text of a program may.
type Builder struct {
	name       string
	doc, needs []string
	files      []string
	steps      []string
	random     *rand.Rand
}

func newBuilder(name string) *Builder { return &Builder{name: name} }

// Doc adds one line to the comment above the program.
func (b *Builder) Doc(format string, args ...any) {
	b.doc = append(b.doc, fmt.Sprintf(format, args...))
}

// Need adds abilities that the steps do not show by themselves, such as "exact-short-write".
func (b *Builder) Need(names ...string) { b.needs = append(b.needs, names...) }

// File adds a file that exists before the first step. Data is text, "pat1*1p + hole*1p".
func (b *Builder) File(name, data string) {
	b.files = append(b.files, fmt.Sprintf("file %s = %s", name, data))
}

// Elsewhere adds a file on another file system.
func (b *Builder) Elsewhere(name, data string) {
	b.files = append(b.files, fmt.Sprintf("file %s on other = %s", name, data))
}

// Line adds a step in the words of a program: Line("%s(d, m[0:1p], 1p)", op). It has no expectation, except where Derive cannot know.
func (b *Builder) Line(format string, args ...any) {
	b.steps = append(b.steps, fmt.Sprintf(format, args...))
}

// Do adds a step from its arguments, each printed as %v: Do("pread", "d", "m[0:1p]", prog.Pages(1)).
func (b *Builder) Do(op string, args ...any) {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = fmt.Sprint(a)
	}
	b.Line("%s(%s)", op, strings.Join(words, ", "))
}

// Note puts a comment above the next step.
func (b *Builder) Note(format string, args ...any) { b.Line("# "+format, args...) }

// Rand is a source of random numbers that depends on the name of the program only.
func (b *Builder) Rand() *rand.Rand {
	if b.random == nil {
		h := fnv.New64a()
		h.Write([]byte(b.name))
		b.random = rand.New(rand.NewPCG(h.Sum64(), 0))
	}
	return b.random
}

func (b *Builder) text() string {
	var text strings.Builder
	for _, line := range b.doc {
		text.WriteString("# " + line + "\n")
	}
	text.WriteString("prog " + b.name + "\n")
	if len(b.needs) > 0 {
		text.WriteString("needs " + strings.Join(b.needs, " ") + "\n")
	}
	for _, lines := range [][]string{b.files, b.steps} {
		for _, line := range lines {
			text.WriteString(line + "\n")
		}
	}
	return text.String()
}

// program parses the text and derives what each step may return.
func (b *Builder) program() (*prog.Prog, error) {
	p, err := prog.Parse(b.text())
	if err != nil {
		return nil, err
	}
	return p, derive(p)
}
