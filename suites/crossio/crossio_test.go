package crossio_test

import (
	"testing"

	"faultline/generators/crossio"
	"faultline/suites/kit"
)

func TestSuite(t *testing.T) { kit.Suite(t, "crossio") }

var _ = kit.Family(crossio.Family)
