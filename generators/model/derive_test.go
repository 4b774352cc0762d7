package model

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
)

var update = flag.Bool("update", false, "rewrite the golden programs")

// Each golden file holds a program with its expectations. What Derive makes of the program without them must be the file again.
func TestGoldenPrograms(t *testing.T) {
	for file, text := range golden(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".prog"), func(t *testing.T) {
			g := gomega.NewWithT(t)
			p, err := prog.Parse(text)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			strip(p)
			g.Expect(Derive(p, 4096)).To(gomega.Succeed())
			if *update {
				g.Expect(os.WriteFile(file, []byte(p.String()), 0o644)).To(gomega.Succeed())
				return
			}
			g.Expect(p.String()).To(gomega.Equal(text))
			g.Expect(Derive(p, 4096)).To(gomega.Succeed(), "once more")
			g.Expect(p.String()).To(gomega.Equal(text), "deriving again changes nothing")
		})
	}
}

// golden are the texts of the golden programs by file.
func golden(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.prog")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden programs: %v", err)
	}
	texts := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	return texts
}

// strip removes what the model finds out: the expectations, and the needs but for those that change them.
func strip(p *prog.Prog) {
	p.Needs = slices.DeleteFunc(p.Needs, func(need string) bool {
		return !slices.Contains([]string{"exact-short-write", "whole-dio", "dio512"}, need)
	})
	for k := range p.Steps {
		s := &p.Steps[k]
		s.Want = nil
		if s.Op == "check" {
			s.Args = s.Args[:1]
		}
	}
}
