package worker

import (
	"testing"

	"github.com/onsi/gomega"
)

// Functions of modules have their names where the kernel knows them.
func TestFunctionsOfStacks(t *testing.T) {
	for line, want := range map[string]string{
		"[<0>] down_read+0x1a/0x30":            "down_read",
		"[<0>] gfs2_glock_nq+0x1/0x2 [gfs2]":   "gfs2_glock_nq",
		"[<0>] [gfs2]":                         "[gfs2]",
		"[<0>] 0xffffffffc0001234 [gfs2]":      "[gfs2]",
		"[<0>] entry_SYSCALL_64_after_hwframe": "entry_SYSCALL_64_after_hwframe",
	} {
		gomega.NewWithT(t).Expect(function(line)).To(gomega.Equal(want))
	}
}
