package structs_test

import (
	"testing"

	"faultline/generators/structs"
	"faultline/suites/kit"
)

func TestSuite(t *testing.T) { kit.Suite(t, "structs") }

var _ = kit.Family(structs.Family)
