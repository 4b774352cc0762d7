package sequence

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/family"
	"faultline/generators/family/familytest"
	"faultline/generators/prog"
)

func TestFamily(t *testing.T) { familytest.Check(t, Family) }

// elsewhere are the operations that sequences leave to other families, with the reason.
var elsewhere = map[string]string{
	"drop_caches": "empties the whole machine",
	"sync":        "syncs the whole machine",
	"freeze":      "stops whatever else is done to the file system",
	"umount":      "does nothing to the file system",
	"mlock":       "has a limit per user",
	"mkdir":       "sequences have no directories",
	"wait":        "sequences have one actor",
	"preadv2":     "its flags have several results",
}

func init() {
	for _, op := range strings.Fields(`stall guard guard_struct stalled serve serve_struct poison unregister proceeds syncfs`) {
		elsewhere[op] = "the family stall has it: a stall needs a second actor"
	}
	for _, op := range strings.Fields(`put look ioctl extents ficlone getdents entries statx symlink readlink getxattr setxattr listxattr removexattr
		copy_file_range sendfile pipe vmsplice tee splice_from splice_to io_setup io_submit io_getevents
		uring_read uring_write uring_readv uring_writev uring_read_fixed uring_write_fixed
		fstat fstatfs getcwd name_to_handle_at open_by_handle_at file_getattr file_setattr statmount listmount quotactl
		put_path xfs_open_by_handle btrfs_subvolume uring_cmd
		process_vm_readv process_vm_writev mem_read mem_write futex_wait futex_wake mount fsconfig execve
		ptrace_peek ptrace_poke coredump rseq fuse_read fuse_notify`) {
		elsewhere[op] = "the family structs has it"
	}
}

func TestSequencesUseEveryOperation(t *testing.T) {
	g := gomega.NewWithT(t)
	used := map[string]bool{}
	for p := range Family.All(family.DefaultSeed) {
		g.Expect(p.Actors()).To(gomega.BeEmpty())
		for i := range p.Steps {
			used[p.Steps[i].Op] = true
		}
	}
	for _, op := range prog.OpNames() {
		g.Expect(used[op]).To(gomega.Equal(elsewhere[op] == ""), op)
	}
}

// A pattern that two steps write would leave the origin of a byte open.
func TestEveryWriteHasItsOwnPattern(t *testing.T) {
	g := gomega.NewWithT(t)
	for p := range Family.Quick(family.DefaultSeed) {
		seen := map[int]bool{}
		for i := range p.Steps {
			for _, a := range p.Steps[i].Args {
				data, isData := a.(prog.Data)
				if !isData || data[0].May[0].Kind != prog.Pattern {
					continue
				}
				id := data[0].May[0].ID
				g.Expect(seen[id]).To(gomega.BeFalse(), "%s: pat%d in %s", p.Name, id, &p.Steps[i])
				seen[id] = true
			}
		}
		g.Expect(len(seen)).To(gomega.BeNumerically(">", 3), p.Name)
	}
}

// The sizes of files are always known, and nearly all bytes: a model that knows nothing finds nothing. What is left open lies behind the
// count of direct reads.
func TestExpectationsAreSharp(t *testing.T) {
	g := gomega.NewWithT(t)
	exact, open := 0, 0
	for p := range Family.All(family.DefaultSeed) {
		for i := range p.Steps {
			s := &p.Steps[i]
			if s.Op != "check" {
				continue
			}
			g.Expect(s.Args).To(gomega.HaveLen(2), "%s: %s", p.Name, s)
			g.Expect(s.Args[1]).To(gomega.HaveLen(1), "%s: %s", p.Name, s)
			if strings.Contains(fmt.Sprint(s.Args[1]), "any") {
				open++
			} else {
				exact++
			}
		}
	}
	g.Expect(open).To(gomega.BeNumerically("<", exact/100))
}

// Positions that lie far from a page boundary would have another order on a machine with larger pages.
func TestPositionsAreNearPages(t *testing.T) {
	g := gomega.NewWithT(t)
	seen := 0
	for p := range Family.Quick(family.DefaultSeed) {
		for i := range p.Steps {
			for _, a := range p.Steps[i].Args {
				buf, isBuf := a.(prog.Buf)
				if !isBuf {
					continue
				}
				buf.Each(func(piece prog.Range) {
					seen++
					g.Expect(max(abs(piece.From.Bytes), abs(piece.To.Bytes))).To(gomega.BeNumerically("<", 2048), "%s: %s", p.Name, &p.Steps[i])
				})
			}
		}
	}
	g.Expect(seen).To(gomega.BeNumerically(">", 1000))
}

func abs(n int64) int64 { return max(n, -n) }

// The seed is all that decides, and other seeds are other sequences.
func TestSeeds(t *testing.T) {
	g := gomega.NewWithT(t)
	var texts []string
	for seed := range 20 {
		texts = append(texts, strings.Join(strings.Split(Family.Find(fmt.Sprintf("sequence/mixed/len-30/seed-%d", seed)).String(), "\n")[2:], "\n"))
	}
	slices.Sort(texts)
	g.Expect(slices.Compact(texts)).To(gomega.HaveLen(20))
}
