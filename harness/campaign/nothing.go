package campaign

import (
	"fmt"
	"strings"
)

// WhyNothing says of a selection that has no programs what would have some, in one line.
func (s Selection) WhyNothing() string {
	what := "no program has the groups " + strings.Join(s.Groups, ",")
	if len(s.Exclude) > 0 {
		what += " without " + strings.Join(s.Exclude, ",")
	}
	if s.Filter == "" {
		return what
	}
	what += fmt.Sprintf(" and matches the filter %q", s.Filter)
	wide := Selection{Groups: []string{"auto"}, Filter: s.Filter, Seed: s.Seed, Regressions: s.Regressions}
	if n := wide.count(); n > 0 {
		return fmt.Sprintf("%s; among all programs %d do (--group auto)", what, n)
	}
	if strings.ContainsAny(s.Filter, "*/!&|() ") {
		return what
	}
	wide.Filter = "*" + s.Filter + "*"
	if n := wide.count(); n > 0 {
		return fmt.Sprintf("%s; a word is a whole part of a name: %q matches %d", what, wide.Filter, n)
	}
	return what
}

// count is how many programs a selection has, 0 if there can be no such selection.
func (s Selection) count() int {
	plan, err := NewPlan(s)
	if err != nil {
		return 0
	}
	return plan.Count()
}
