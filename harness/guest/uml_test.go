package guest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/onsi/gomega"
)

// What is built in can be left out of a boot. A module is not inserted without its first function.
func TestHurry(t *testing.T) {
	for builtin, want := range map[string][]string{
		"kernel/lib/raid6/raid6_pq.ko\n": {haste, hasteRAID},
		"kernel/fs/ext4/ext4.ko\n":       {haste},
	} {
		g := gomega.NewWithT(t)
		dir := t.TempDir()
		g.Expect(os.WriteFile(filepath.Join(dir, "modules.builtin"), []byte(builtin), 0o600)).To(gomega.Succeed())
		g.Expect(os.WriteFile(filepath.Join(dir, "modules.dep"), []byte("kernel/lib/raid6/raid6_pq.ko:\n"), 0o600)).To(gomega.Succeed())
		g.Expect(hurry(dir)).To(gomega.Equal(want))
	}
	gomega.NewWithT(t).Expect(hurry("")).To(gomega.Equal([]string{haste, hasteRAID}), "a kernel without modules")
}
