package usercopy

import (
	"os"
	"testing"
	"time"

	"faultline/harness/self"
)

// patience is how long something that must happen may take on a busy machine.
const patience = time.Minute

func init() {
	self.Register("usercopy-calls", callsMain)
	self.Register("usercopy-memory", memoryMain)
}

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

var pageSize = os.Getpagesize()
