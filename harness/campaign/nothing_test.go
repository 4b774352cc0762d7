package campaign

import (
	"testing"

	"github.com/onsi/gomega"

	"faultline/suites/regress"
)

func TestWhyNothing(t *testing.T) {
	for _, row := range []struct {
		groups, exclude []string
		filter, want    string
	}{
		{[]string{"quick"}, nil, "nonesuch", `no program has the groups quick and matches the filter "nonesuch"`},
		{[]string{"selfio"}, nil, "gfs2-self-read", `no program has the groups selfio and matches the filter "gfs2-self-read"; among all programs 1 do (--group auto)`},
		{[]string{"quick"}, nil, "gfs2-self-rea", `no program has the groups quick and matches the filter "gfs2-self-rea"; a word is a whole part of a name: "*gfs2-self-rea*" matches 1`},
		{[]string{"selfio"}, []string{"auto"}, "", "no program has the groups selfio without auto"},
	} {
		t.Run(row.want, func(t *testing.T) {
			s := Selection{Groups: row.groups, Exclude: row.exclude, Filter: row.filter, Seed: 1, Regressions: regress.Programs()}
			g := gomega.NewWithT(t)
			g.Expect(s.count()).To(gomega.BeZero())
			g.Expect(s.WhyNothing()).To(gomega.Equal(row.want))
		})
	}
}
