package lock_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/footprint/lock"
)

var update = flag.Bool("update", false, "write the names in testdata/stacks.txt anew")

const recorded = "testdata/stacks.txt"

// The file is paragraphs of a title, "lock: NAME", and a stack.
func TestRecordedStacks(t *testing.T) {
	text, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	paragraphs := strings.Split(strings.TrimSpace(string(text)), "\n\n")
	gomega.NewWithT(t).Expect(len(paragraphs)).To(gomega.BeNumerically(">", 40))
	for i, paragraph := range paragraphs[1:] {
		lines := strings.Split(paragraph, "\n")
		name := lock.Name(lines[2:])
		if *update {
			lines[1] = "lock: " + name
			paragraphs[i+1] = strings.Join(lines, "\n")
			continue
		}
		t.Run(lines[0], func(t *testing.T) {
			gomega.NewWithT(t).Expect("lock: " + name).To(gomega.Equal(lines[1]))
		})
	}
	if *update {
		if err := os.WriteFile(recorded, []byte(strings.Join(paragraphs, "\n\n")+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// One function takes several locks: who called it decides, and without a caller that is known nothing is claimed.
func TestCallersDecide(t *testing.T) {
	for stack, want := range map[string]string{
		"xfs_ilock xfs_file_buffered_write":                                      "the inode's lock (i_rwsem)",
		"xfs_ilock xfs_ilock_data_map_shared xfs_bmap xfs_file_buffered_write":   "the inode's ILOCK (xfs i_lock)",
		"xfs_ilock __xfs_filemap_fault do_page_mkwrite do_fault":                 "the mapping's invalidate lock (xfs MMAPLOCK)",
		"gfs2_glock_wait gfs2_glock_nq gfs2_page_mkwrite":                        "the glock of the inode (gfs2_glock_nq)",
		"gfs2_glock_nq.part.0+0x1/0x2 gfs2_inplace_reserve gfs2_file_write_iter": "the glock of a resource group (gfs2_glock_nq)",
		"gfs2_glock_nq somebody":                                                 "a glock (gfs2_glock_nq)",
		"percpu_rwsem_wait somebody":                                             "the freeze protection of the file system (sb_start_write)",
		"schedule somebody":                                                      "unknown, in somebody",
		"":                                                                       "",
		"schedule":                                                               "",
	} {
		t.Run(stack, func(t *testing.T) {
			gomega.NewWithT(t).Expect(lock.Name(strings.Fields(stack))).To(gomega.Equal(want))
		})
	}
}

// The scheduler is left out.
func TestTrim(t *testing.T) {
	for stack, want := range map[string]string{
		"schedule rwsem_down_write_slowpath down_write do_truncate": "rwsem_down_write_slowpath down_write do_truncate",
		"ext4_file_read_iter vfs_read":                              "ext4_file_read_iter vfs_read",
		"schedule":                                                  "",
	} {
		t.Run(stack, func(t *testing.T) {
			gomega.NewWithT(t).Expect(strings.Join(lock.Trim(strings.Fields(stack)), " ")).To(gomega.Equal(want))
		})
	}
}
