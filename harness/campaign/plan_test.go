package campaign

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators"
	"faultline/generators/family"
	"faultline/harness/self"
	"faultline/suites/regress"
)

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

func TestFilter(t *testing.T) {
	const name = "selfio/pread/direct/shared/data-to-hole"
	for _, row := range []struct {
		filter string
		match  bool
	}{
		{"", true},
		{"  ", true},
		{"direct", true},
		{"selfio", true},
		{"data-to-hole", true},
		{"dir", false},
		{"data", false},
		{"pread/direct", false},
		{"selfio/pread/direct/shared/data-to-hole", true},
		{"selfio/*", true},
		{"*hole", true},
		{"*/direct/*", true},
		{"selfio/*/hole", false},
		{"selfio/pre?d/*", true},
		{"!direct", false},
		{"!buffered", true},
		{"!!direct", true},
		{"direct && shared", true},
		{"direct&&private", false},
		{"private || shared", true},
		{"private||anon", false},
		{"private && shared || direct", true},
		{"direct || shared && private", true},
		{"(direct || shared) && private", false},
		{"!(private || anon) && pread", true},
		{"/^selfio/", true},
		{"/^self.o.pread/", true},
		{"/^pread/", false},
		{"/^selfio/pread/direct/", true},
		{"/o/p/ && direct", true},
		{"(/^selfio/pread/)&&!/hole$/", false},
		{"/(buffered|direct)/shared/ && !private", true},
	} {
		t.Run(row.filter, func(t *testing.T) {
			g := gomega.NewWithT(t)
			f, err := ParseFilter(row.filter)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(f.Match(name)).To(gomega.Equal(row.match))
		})
	}
}

func TestBadFilter(t *testing.T) {
	for filter, want := range map[string]string{
		"direct shared":   `filter "direct shared": found "shared", wanted && or || or the end`,
		"direct &&":       `filter "direct &&": found "", wanted a word`,
		"&& direct":       `filter "&& direct": found "&&", wanted a word`,
		"direct & shared": `filter "direct & shared": found "&", wanted && or || or the end`,
		"(direct":         `filter "(direct": found "", wanted )`,
		"direct)":         `filter "direct)": found ")", wanted && or || or the end`,
		"!":               `filter "!": found "", wanted a word`,
		"()":              `filter "()": found ")", wanted a word`,
		"/(/":             "filter \"/(/\": error parsing regexp: missing closing ): `(`",
		"a/[":             `filter "a/[": "a/[": syntax error in pattern`,
	} {
		t.Run(filter, func(t *testing.T) {
			_, err := ParseFilter(filter)
			gomega.NewWithT(t).Expect(err).To(gomega.MatchError(want))
		})
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{"a && !(b || /c/) || d/*", "((((", "!!!", "/a/b/", "&|)("} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := ParseFilter(text)
		if err == nil {
			filter.Match("selfio/pread/direct") // must come back
		} else if !strings.HasPrefix(err.Error(), "filter ") {
			t.Errorf("%q: the error does not say what it is about: %v", text, err)
		}
	})
}

// names are the programs of a selection, in order.
func names(t *testing.T, sel Selection) []string {
	t.Helper()
	plan, err := NewPlan(withRegressions(sel))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for p := range plan.Programs() {
		all = append(all, p.Name)
	}
	return all
}

func TestPlan(t *testing.T) {
	quick := names(t, Selection{Groups: []string{"quick"}, Seed: 1})
	is := func(want bool, parts ...string) func(string) bool {
		return func(name string) bool {
			all := true
			for _, part := range parts {
				all = all && strings.Contains(name+"/", part)
			}
			return all == want
		}
	}
	for title, row := range map[string]struct {
		sel  Selection
		each func(name string) bool
	}{
		"quick":              {Selection{Groups: []string{"quick"}}, nil},
		"quick, filtered":    {Selection{Groups: []string{"quick"}, Filter: "direct"}, is(true, "/direct/")},
		"quick, less one":    {Selection{Groups: []string{"quick"}, Exclude: []string{"sequence"}}, is(false, "sequence/")},
		"quick, less a word": {Selection{Groups: []string{"quick"}, Exclude: []string{"dio"}}, nil},
		"regressions":        {Selection{Groups: []string{"regress"}}, is(true, "regress/")},
		"a family":           {Selection{Groups: []string{"sequence"}, Filter: "/seed-[1-9]$/"}, is(true, "sequence/")},
		"two families":       {Selection{Groups: []string{"sequence", "crossio"}, Filter: "/^crossio/crossed/write/direct/ || /seed-[12]$/"}, nil},
		"a label":            {Selection{Groups: []string{"punch"}, Filter: "/^sequence/.*seed-[1-4]$/"}, is(true, "sequence/")},
		"everything":         {Selection{Groups: []string{"auto"}, Filter: "/^eof/mid/synced/"}, is(true, "eof/mid/synced/")},
		"no group":           {Selection{Filter: "/^eof/mid/synced/"}, is(true, "eof/mid/synced/")},
		"all but quick":      {Selection{Groups: []string{"sequence"}, Exclude: []string{"quick"}, Filter: "/seed-[1-4]$/"}, is(true, "sequence/")},
		"quick and a family": {Selection{Groups: []string{"quick", "sequence"}, Filter: "/^sequence/.*seed-[1-4]$/ || regress"}, nil},
		"nothing":            {Selection{Groups: []string{"quick"}, Filter: "no-such-word"}, nil},
	} {
		t.Run(title, func(t *testing.T) {
			g := gomega.NewWithT(t)
			row.sel.Seed = 1
			got := names(t, row.sel)
			plan, err := NewPlan(withRegressions(row.sel))
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(plan.Count()).To(gomega.Equal(len(got)), "Count and Programs")
			g.Expect(names(t, row.sel)).To(gomega.Equal(got), "walked through again")
			g.Expect(slices.Compact(slices.Sorted(slices.Values(got)))).To(gomega.HaveLen(len(got)), "a name stands for one program")
			for _, name := range got {
				if row.each != nil && !row.each(name) {
					t.Errorf("%s is not what was asked for", name)
				}
			}
			switch title {
			case "nothing":
				g.Expect(got).To(gomega.BeEmpty())
			case "quick, less a word":
				for _, name := range got {
					g.Expect(family.Labels(Find(name, regress.Programs()))).NotTo(gomega.ContainElement("dio"), name)
				}
			case "a label":
				for _, name := range got {
					g.Expect(family.Labels(Find(name, regress.Programs()))).To(gomega.ContainElement("punch"), name)
				}
			case "all but quick":
				for _, name := range got {
					g.Expect(quick).NotTo(gomega.ContainElement(name))
				}
				fallthrough
			default:
				g.Expect(got).NotTo(gomega.BeEmpty())
			}
		})
	}
}

func TestUnknownGroup(t *testing.T) {
	for _, sel := range []Selection{{Groups: []string{"quick", "nonesuch"}}, {Exclude: []string{"nonesuch"}}} {
		_, err := NewPlan(withRegressions(sel))
		gomega.NewWithT(t).Expect(err).To(gomega.MatchError(
			`there is no group "nonesuch"; the groups are ` + strings.Join(Groups(), " ")))
	}
}

// The list of labels is what programs have: the quick programs have every value of every dimension.
func TestLabelsAreThoseOfTheFamilies(t *testing.T) {
	found := map[string]bool{}
	for _, f := range generators.All {
		for _, label := range f.Labels {
			found[label] = true
		}
		for p := range f.Quick(family.DefaultSeed) {
			for _, label := range family.Labels(p) {
				found[label] = true
			}
		}
	}
	var all []string
	for label := range found {
		all = append(all, label)
	}
	slices.Sort(all)
	gomega.NewWithT(t).Expect(labels).To(gomega.Equal(all))
}

func TestFind(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, name := range names(t, Selection{Groups: []string{"quick"}, Seed: 1, Filter: "regress/* || crossio || sequence"}) {
		p := Find(name, regress.Programs())
		g.Expect(p).NotTo(gomega.BeNil(), name)
		g.Expect(p.Name).To(gomega.Equal(name))
	}
	for _, name := range []string{"", "selfio", "selfio/", "regress/nonesuch", "nonesuch/pread"} {
		g.Expect(Find(name, regress.Programs())).To(gomega.BeNil(), name)
	}
}

func withRegressions(sel Selection) Selection {
	sel.Regressions = regress.Programs()
	return sel
}
