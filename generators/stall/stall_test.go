package stall

import (
	"testing"

	"faultline/generators/family/familytest"
)

func TestFamily(t *testing.T) { familytest.Check(t, Family) }

func TestQuickCovers(t *testing.T) { familytest.Cover(t, Family) }
