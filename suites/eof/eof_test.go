package eof_test

import (
	"testing"

	"faultline/generators/eof"
	"faultline/suites/kit"
)

func TestSuite(t *testing.T) { kit.Suite(t, "eof") }

var _ = kit.Family(eof.Family)
