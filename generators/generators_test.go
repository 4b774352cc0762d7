package generators_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators"
	"faultline/generators/family"
	"faultline/generators/family/familytest"
)

func TestEveryFamilyHasItsNameToItself(t *testing.T) {
	g := gomega.NewWithT(t)
	seen := map[string]bool{}
	for _, f := range generators.All {
		g.Expect(seen[f.Name]).To(gomega.BeFalse(), f.Name)
		seen[f.Name] = true
		g.Expect(generators.Find(f.Name)).To(gomega.BeIdenticalTo(f))
	}
	g.Expect(generators.Find("nothing")).To(gomega.BeNil())
	g.Expect(generators.Program("nothing/at/all")).To(gomega.BeNil())
	g.Expect(generators.Program("selfio/nothing")).To(gomega.BeNil())
}

func TestEveryFolderWithAFamilyIsInTheList(t *testing.T) {
	g := gomega.NewWithT(t)
	files, err := filepath.Glob("*/*.go")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		if !strings.Contains(string(text), "\nvar Family = &family.Family{") {
			continue
		}
		found++
		g.Expect(generators.Find(filepath.Dir(file))).NotTo(gomega.BeNil(), file)
	}
	g.Expect(found).To(gomega.Equal(len(generators.All)))
}

func TestTheQuickSubsetsCoverAllPairs(t *testing.T) {
	for _, f := range generators.All {
		t.Run(f.Name, func(t *testing.T) { familytest.Cover(t, f) })
	}
}

func TestEachGivesTheProgramsThatAreKept(t *testing.T) {
	g := gomega.NewWithT(t)
	wanted := map[string]int{}
	for _, f := range generators.All {
		_, quick, _ := f.Count()
		wanted[f.Name] = quick
	}
	got := map[string]int{}
	for f, p := range generators.Each(family.DefaultSeed, true, func(string) bool { return true }) {
		g.Expect(p.Name).To(gomega.HavePrefix(f.Name + "/"))
		got[f.Name]++
	}
	g.Expect(got).To(gomega.Equal(wanted))
	n := 0
	prefix := "selfio/pread/buffered/private/data-to-hole/"
	for _, p := range generators.Each(family.DefaultSeed, false, func(name string) bool { return strings.HasPrefix(name, prefix) }) {
		g.Expect(generators.Program(p.Name).String()).To(gomega.Equal(p.String()))
		n++
	}
	g.Expect(n).To(gomega.BeNumerically(">", 10))
}
