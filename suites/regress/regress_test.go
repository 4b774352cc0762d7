package regress_test

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"

	"faultline/generators/family"
	"faultline/suites/kit"
	"faultline/suites/regress"
)

func TestSuite(t *testing.T) { kit.Suite(t, "regress") }

var _ = Describe("regressions", Label("quick", "auto"), func() {
	for _, p := range regress.Programs() {
		It(p.Name, Label(family.Labels(p)...), func() { kit.Run(p) })
	}
})
