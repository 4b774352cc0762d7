package sequence_test

import (
	"testing"

	"faultline/generators/sequence"
	"faultline/suites/kit"
)

func TestSuite(t *testing.T) { kit.Suite(t, "sequence") }

var _ = kit.Family(sequence.Family)
