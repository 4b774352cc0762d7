package structs

import (
	"testing"

	"faultline/generators/family/familytest"
)

func TestFamily(t *testing.T) { familytest.Check(t, Family) }
