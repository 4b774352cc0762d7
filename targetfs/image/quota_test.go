package image

import (
	"syscall"
	"testing"

	"faultline/targetfs/disk"

	"github.com/onsi/gomega"
)

// owned is what the users and groups own, by adding up all inodes.
func owned(t *testing.T, ti *testImage) map[QuotaID]int64 {
	t.Helper()
	sum := map[QuotaID]int64{}
	err := ti.View(func(tx *Tx) error {
		for _, g := range ti.groups {
			for i := range g.Length {
				bm, start, err := tx.bitmap(g, i)
				if err != nil {
					return err
				}
				for n := range bm.Len() {
					if bm.State(n) != disk.InodeBlock {
						continue
					}
					di, err := tx.dinode(g.Data0 + uint64(start+n))
					if err != nil {
						return err
					}
					if di.Flags&disk.FlagSystem == 0 {
						sum[QuotaID{ID: di.UID}] += int64(di.Blocks)
						sum[QuotaID{Group: true, ID: di.GID}] += int64(di.Blocks)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// TestQuotaFollowsBlocks runs a workload and compares the quota file with the blocks that the users own.
func TestQuotaFollowsBlocks(t *testing.T) {
	for _, bs := range []disk.BlockSize{512, 4096} {
		g := gomega.NewWithT(t)
		ti := newFile(t, 64<<20)
		ti.quota = QuotaAccount
		g.Expect(Format(ti.dev, ti.size, FormatOptions{BlockSize: bs, Time: testTime})).To(gomega.Succeed())
		ti.open()
		w := newWorkload(ti, 21)
		g.Expect(w.run(1500)).To(gomega.Succeed())
		want := owned(t, ti)
		g.Expect(want[QuotaID{ID: 2}]).To(gomega.BeNumerically(">", 10))
		g.Expect(ti.View(func(tx *Tx) error {
			for id, blocks := range want {
				q, err := tx.Quota(id)
				g.Expect(err).NotTo(gomega.HaveOccurred())
				g.Expect(q.Value).To(gomega.Equal(blocks), "%+v", id)
			}
			return nil
		})).To(gomega.Succeed())
		w.finish(t)
	}
}

func TestQuotaLimit(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := newFile(t, MinSize)
	ti.quota = QuotaOn
	g.Expect(Format(ti.dev, ti.size, FormatOptions{Time: testTime})).To(gomega.Succeed())
	ti.open()
	var ino uint64
	ti.must(func(tx *Tx) (err error) {
		if err := tx.SetQuota(QuotaID{ID: 7}, 300, 0); err != nil {
			return err
		}
		ino, err = tx.Create(ti.Root(), "f", NewInode{Mode: disk.ModeReg, UID: 7})
		return err
	})
	n, err := ti.WriteAt(ino, make([]byte, 2<<20), 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(n).To(gomega.Equal(1<<20), "257 blocks are within the limit, twice as many are not")
	_, err = ti.WriteAt(ino, make([]byte, 1<<20), 1<<20)
	g.Expect(err).To(gomega.MatchError(syscall.EDQUOT))
	g.Expect(ti.Truncate(ino, 10)).To(gomega.Succeed())
	g.Expect(ti.View(func(tx *Tx) error {
		q, err := tx.Quota(QuotaID{ID: 7})
		g.Expect([]uint64{uint64(q.Value), q.Limit}).To(gomega.Equal([]uint64{2, 300}))
		return err
	})).To(gomega.Succeed())
	ti.closeClean()
}

// TestQuotaChanges leaves changes of a crashed node behind: they are applied, once.
func TestQuotaChanges(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{Journals: 2})
	ti.must(func(tx *Tx) error {
		files, err := tx.perNode("quota_change")
		if err != nil {
			return err
		}
		di, err := tx.dinode(files[1])
		if err != nil {
			return err
		}
		r, err := tx.extent(&di, 3, 1)
		if err != nil {
			return err
		}
		b, err := tx.edit(r.addr, disk.TypeQC)
		if err != nil {
			return err
		}
		changes := []disk.QuotaChange{{Change: 9, Flags: disk.QuotaUser, ID: 1000}, {Change: 4, ID: 1000},
			{Change: -2, Flags: disk.QuotaUser, ID: 1000}}
		for i, qc := range changes {
			qc.Encode(b[disk.HeaderSize+5*i*disk.QuotaChangeSize:])
		}
		return nil
	})
	g.Expect(ti.Close()).To(gomega.Succeed())
	ti.quota = QuotaAccount
	for range 2 {
		ti.open()
		g.Expect(ti.View(func(tx *Tx) error {
			user, err := tx.Quota(QuotaID{ID: 1000})
			if err != nil {
				return err
			}
			group, err := tx.Quota(QuotaID{Group: true, ID: 1000})
			g.Expect([]int64{user.Value, group.Value}).To(gomega.Equal([]int64{7, 4}))
			return err
		})).To(gomega.Succeed())
		ti.closeClean()
	}
}
