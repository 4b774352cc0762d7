package selfio_test

import (
	"testing"

	"faultline/generators/selfio"
	"faultline/suites/kit"
)

func TestSuite(t *testing.T) { kit.Suite(t, "selfio") }

var _ = kit.Family(selfio.Family)
