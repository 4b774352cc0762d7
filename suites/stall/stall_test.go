package stall_test

import (
	"testing"

	"faultline/generators/stall"
	"faultline/suites/kit"
)

func TestSuite(t *testing.T) { kit.Suite(t, "stall") }

var _ = kit.Family(stall.Family)
