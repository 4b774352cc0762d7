package results

import (
	"encoding/xml"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/onsi/gomega"
)

func TestClean(t *testing.T) {
	g := gomega.NewWithT(t)
	for in, want := range map[string]string{
		"plain\ttext\n":                   "plain\ttext\n",
		"a\x00b\x07c\x0bd\x7fe\u0085f":    "abcdef",
		"\x1b[1;31mred\x1b[0m":            "red",
		"\x1b]0;title\x07a":               "a",
		"\x1b]8;;http://x\x1b\\link":      "link",
		"\x1b(Ba\x1b=b\x1b7c\x1bMd":       "abcd",
		"\x1b":                            "",
		"\x1b]never ends\nevidence":       "\nevidence",
		"dos\r\nold mac\rend":             "dos\nold mac\nend",
		"bad \xff\xfe utf":                "bad \uFFFD utf",
		"\uFFFE\uFFFFnon-characters":      "non-characters",
		"\xed\xa0\x80surrogate":           "\uFFFDsurrogate",
		"ünïcode 漢字 \U0001F600 \u2028 ok": "ünïcode 漢字 \U0001F600 \u2028 ok",
	} {
		g.Expect(clean(in)).To(gomega.Equal(want), "of %q", in)
	}
}

func TestClipSaysWhatIsCutAndWhere(t *testing.T) {
	g := gomega.NewWithT(t)
	g.Expect(clip("short", 5, "x")).To(gomega.Equal("short"))
	long := strings.Repeat("é", 500)
	got := clip(long, 300, "run/report.txt")
	g.Expect(len(got)).To(gomega.BeNumerically("~", 300, 2))
	g.Expect(len(got)).To(gomega.BeNumerically("<=", 300))
	g.Expect(utf8.ValidString(got)).To(gomega.BeTrue())
	g.Expect(got).To(gomega.HaveSuffix("\n[cut here: 1000 bytes in all; full text in run/report.txt]"))
	g.Expect(clip(long, 200, "")).To(gomega.HaveSuffix("\n[cut here: 1000 bytes in all]"))
	g.Expect(clip(long, 4, "x")).To(gomega.Equal("éé"))
	g.Expect(clip(long, -1, "x")).To(gomega.Equal(""))
	g.Expect(clipLine("abcdefgh", 6)).To(gomega.Equal("abc..."))
	g.Expect(cutBytes(strings.Repeat("\x80", 100), 50)).To(gomega.HaveLen(50), "what is not UTF-8 is not lost")
}

// FuzzXML: whatever a text holds, a parser gives back what clean left of it.
func FuzzXML(f *testing.F) {
	for _, s := range []string{"", "a&b<c>\"d'", "]]>", "\x1b[31m\x00", "\xff", "a\r\nb\tc", "&#x0;", "\uFFFE", "<!--", "<![CDATA["} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var b xmlBuf
		b.raw("<x")
		b.attr("a", s)
		b.raw(">")
		b.text(s)
		b.raw("</x>")
		var back struct {
			A    string `xml:"a,attr"`
			Text string `xml:",chardata"`
		}
		if err := xml.Unmarshal(b, &back); err != nil {
			t.Fatalf("%q gives %q: %v", s, b, err)
		}
		if want := clean(s); back.A != want || back.Text != want {
			t.Fatalf("%q came back as %q and %q, want %q", s, back.A, back.Text, want)
		}
		if again := clean(back.Text); again != back.Text {
			t.Fatalf("clean is not done after one pass: %q, then %q", back.Text, again)
		}
	})
}
