package cli_test

import (
	"encoding/xml"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"
)

var update = flag.Bool("update", false, "draw the README's picture again")

const picture = "../../.readme/hang.svg"

// The README's picture shows the session that stands in its text, so that the two cannot part.
func TestReadmePicture(t *testing.T) {
	g := gomega.NewWithT(t)
	readme, err := os.ReadFile("../../README.md")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	const begin = "```\n$ faultline run --target fuse:copy=faulting"
	_, session, found := strings.Cut(string(readme), begin)
	g.Expect(found).To(gomega.BeTrue(), "the session of a hang is not in the README")
	session, _, _ = strings.Cut(strings.TrimPrefix(begin, "```\n")+session, "\n```")
	drawn := terminal(strings.Split(session, "\n"))
	if *update {
		g.Expect(os.MkdirAll(filepath.Dir(picture), 0o777)).To(gomega.Succeed())
		g.Expect(os.WriteFile(picture, []byte(drawn), 0o666)).To(gomega.Succeed())
	}
	now, err := os.ReadFile(picture)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(now)).To(gomega.Equal(drawn), "go test ./harness/cli -run ReadmePicture -update draws it again")
	g.Expect(string(readme)).To(gomega.ContainSubstring("(.readme/hang.svg)"))
}

// terminal draws lines as a terminal would show them, in the colours of Screen.
func terminal(lines []string) string {
	const columns, high, wide = 110, 18, 7.8
	var shown []string
	for _, line := range lines {
		for len(line) > columns {
			shown = append(shown, line[:columns])
			line = line[columns:]
		}
		shown = append(shown, line)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" font-family="monospace" font-size="13">`+"\n", columns*wide+24, len(shown)*high+24)
	b.WriteString(`<rect width="100%" height="100%" rx="6" fill="#1e1e1e"/>` + "\n")
	for i, line := range shown {
		colour := "#d4d4d4"
		switch {
		case strings.HasPrefix(line, "$ "):
			colour = "#9cdcfe"
		case strings.HasPrefix(line, "HANG"):
			colour = "#f14c4c"
		}
		fmt.Fprintf(&b, `<text x="12" y="%d" fill="%s" xml:space="preserve">`, (i+1)*high+6, colour)
		_ = xml.EscapeText(&b, []byte(line)) // a strings.Builder takes everything
		b.WriteString("</text>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}
