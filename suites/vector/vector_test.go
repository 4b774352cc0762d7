package vector_test

import (
	"testing"

	"faultline/generators/vector"
	"faultline/suites/kit"
)

func TestSuite(t *testing.T) { kit.Suite(t, "vector") }

var _ = kit.Family(vector.Family)
