package target

import (
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

// A real guest is asked for what is not known, and no more.
func TestAProbeOfWhatIsNotKnown(t *testing.T) {
	g := gomega.NewWithT(t)
	all := []string{}
	for _, row := range probes {
		all = append(all, row.need)
	}
	dir := t.TempDir()
	whole, err := probe(probeArgs{Dir: dir})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(whole.Lacks).NotTo(gomega.BeEmpty(), "no file system has the ioctls of all")
	none, err := probe(probeArgs{dir, all})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(none).To(gomega.Equal(probed{DIOAlign: whole.DIOAlign, Lacks: map[string]string{}}))
	for need := range whole.Lacks {
		one, err := probe(probeArgs{dir, slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == need })})
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(one.Lacks).To(gomega.HaveLen(1))
		g.Expect(one.Lacks).To(gomega.HaveKey(need))
		break
	}
}
