package target

import (
	"maps"
	"slices"
	"testing"

	"github.com/onsi/gomega"
)

// What a guest can do is not tried in the next one; what it could not is, once.
func TestGuestsThatAreAlikeAreProbedOnce(t *testing.T) {
	g := gomega.NewWithT(t)
	var k knowledge
	g.Expect(k.needs()).To(gomega.BeEmpty())
	k.learn(probed{DIOAlign: 512, Lacks: map[string]string{"punch": "no", "mlock": "not now", "hipri": "never"}})
	known := k.needs()
	g.Expect(known).To(gomega.HaveLen(len(probes) - 3))
	g.Expect(known).NotTo(gomega.ContainElements("punch", "mlock", "hipri"))
	second := k.learn(probed{DIOAlign: 512, Lacks: map[string]string{"punch": "still no", "hipri": "never"}})
	g.Expect(second).To(gomega.Equal(probed{DIOAlign: 512, Lacks: map[string]string{"punch": "no", "hipri": "never"}}), "the first was chance")
	g.Expect(k.needs()).To(gomega.HaveLen(len(probes)))
	second.Lacks["link"] = "changed by its owner"
	g.Expect(k.now().Lacks).To(gomega.HaveLen(2))
}

// Two guests that are probed side by side know nothing of each other.
func TestGuestsThatAreProbedAtOnce(t *testing.T) {
	g := gomega.NewWithT(t)
	var k knowledge
	k.learn(probed{Lacks: map[string]string{"mlock": "not now"}})
	last := k.learn(probed{Lacks: map[string]string{"punch": "not now"}})
	g.Expect(last.Lacks).To(gomega.BeEmpty(), "each can do what the other could not")
	g.Expect(k.needs()).To(gomega.HaveLen(len(probes)))
}

// What is asked for is tried, and no more.
func TestAProbeOfWhatIsNotKnown(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	g.Expect(probe(probeArgs{dir, []string{"xfs-ioctl", "btrfs-ioctl", "link"}})).To(gomega.HaveField("Lacks", gomega.Or(gomega.HaveKey("xfs-ioctl"), gomega.HaveKey("btrfs-ioctl"))),
		"no file system is both")
	g.Expect(probe(probeArgs{dir, []string{"link"}})).To(gomega.Equal(probed{Lacks: map[string]string{}}))
	b, err := newLocal("dir:"+dir, Options{})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer b.hands.close()
	b.home.Path = dir
	whole, err := b.probe(t.Context(), nil)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(whole.Lacks).NotTo(gomega.BeEmpty())
	var all []string
	for _, row := range probes {
		if row.need != "xfs-ioctl" && row.need != "btrfs-ioctl" {
			all = append(all, row.need)
		}
	}
	rest, err := b.probe(t.Context(), all)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(rest.DIOAlign).To(gomega.Equal(whole.DIOAlign))
	maps.DeleteFunc(whole.Lacks, func(need, _ string) bool { return slices.Contains(all, need) })
	g.Expect(rest.Lacks).To(gomega.Equal(whole.Lacks))
}
