package results

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// synthetic returns the message of campaign/complete, or "" if the file does not have it.
func synthetic(r *JUnitReport) string {
	if c := find(r, "campaign/complete"); c != nil {
		return c.Error.Message
	}
	return ""
}

func TestTheFileFollowsTheRun(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newTestJUnit(t, defaultLimits)
	read := func() *JUnitReport { return readJUnitFile(t, path) }
	g.Expect(synthetic(read())).To(gomega.Equal("run is not finished; running: nothing"))

	g.Expect(j.Start(sampleID("a"), sampleID("b"))).To(gomega.Succeed())
	g.Eventually(func() string { return synthetic(read()) }, soon).Should(gomega.HaveSuffix(
		"running: selfio/a on gfs2.faulting.fuse, selfio/b on gfs2.faulting.fuse"))

	g.Expect(j.Add(Case{ID: sampleID("a"), Verdict: Pass})).To(gomega.Succeed())
	g.Eventually(func() any { return find(read(), "selfio/a") }, soon).ShouldNot(gomega.BeNil())
	g.Expect(synthetic(read())).To(gomega.HaveSuffix("running: selfio/b on gfs2.faulting.fuse"))
	g.Expect(find(read(), "campaign/complete").Error.Type).To(gomega.Equal("infra.incomplete"))

	g.Expect(j.Add(Case{ID: sampleID("b"), Verdict: Hang})).To(gomega.Succeed())
	g.Expect(j.Finish(Missing{})).To(gomega.Succeed())
	g.Expect(synthetic(read())).To(gomega.BeEmpty())
	g.Expect(find(read(), "selfio/b").Failure).NotTo(gomega.BeNil())
	g.Expect(j.Add(Case{ID: sampleID("c"), Verdict: Pass})).To(gomega.MatchError(os.ErrClosed))
	g.Expect(j.Start(sampleID("c"))).To(gomega.MatchError(os.ErrClosed))
}

func TestOnlyFiveRunningAreNamed(t *testing.T) {
	g := gomega.NewWithT(t)
	var ids []ID
	for i := range 7 {
		ids = append(ids, ID{Class: "c", Name: fmt.Sprint(i)})
	}
	g.Expect(nameSome(ids)).To(gomega.Equal("0 on c, 1 on c, 2 on c, 3 on c, 4 on c, 2 more"))
	g.Expect(nameSome(ids[:5])).To(gomega.Equal("0 on c, 1 on c, 2 on c, 3 on c, 4 on c"))
}

func TestCloseWithoutFinishLeavesTheMark(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newTestJUnit(t, defaultLimits)
	g.Expect(j.Add(Case{ID: sampleID("a"), Verdict: Pass})).To(gomega.Succeed())
	g.Expect(j.Close()).To(gomega.Succeed())
	g.Expect(synthetic(readJUnitFile(t, path))).NotTo(gomega.BeEmpty())
	g.Expect(j.Close()).To(gomega.Succeed())
}

func TestMissingCases(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newTestJUnit(t, defaultLimits)
	g.Expect(j.Add(Case{ID: sampleID("a"), Verdict: Crash})).To(gomega.Succeed())
	g.Expect(j.Finish(Missing{Reason: "target lost by selfio/a", IDs: []ID{sampleID("b"), sampleID("c")}, Count: 3})).To(gomega.Succeed())
	r := readJUnitFile(t, path)
	g.Expect(find(r, "selfio/b").Skipped.Message).To(gomega.Equal("MISS: target lost by selfio/a"))
	g.Expect(synthetic(r)).To(gomega.Equal("5 planned cases have no verdict: target lost by selfio/a"))
	g.Expect(r.Errors).To(gomega.Equal(1), "red once, not once for each")
	countsAgree(t, r)
}

func TestAVerdictIsNotOverwrittenByMissing(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newTestJUnit(t, defaultLimits)
	g.Expect(j.Add(Case{ID: sampleID("a"), Verdict: Hang})).To(gomega.Succeed())
	g.Expect(j.Finish(Missing{IDs: []ID{sampleID("a")}})).To(gomega.MatchError(gomega.ContainSubstring("is called missing and has a verdict")))
	g.Expect(j.Close()).To(gomega.Succeed())
	g.Expect(find(readJUnitFile(t, path), "selfio/a").Failure).NotTo(gomega.BeNil())
}

func TestASecondVerdictReplacesTheFirst(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newTestJUnit(t, defaultLimits)
	g.Expect(j.Add(Case{ID: sampleID("a"), Verdict: Broken})).To(gomega.Succeed())
	g.Expect(j.Add(Case{ID: sampleID("b"), Verdict: Pass})).To(gomega.Succeed())
	g.Expect(j.Add(Case{ID: sampleID("a"), Verdict: Pass})).To(gomega.Succeed())
	g.Expect(j.Finish(Missing{})).To(gomega.Succeed())
	r := readJUnitFile(t, path)
	g.Expect(r.Tests).To(gomega.Equal(2))
	g.Expect(r.Errors).To(gomega.Equal(0))
	countsAgree(t, r)
}

func TestShards(t *testing.T) {
	// Four cases and room for the synthetic one; many callers at once, who must not fill a shard beyond that.
	const workers, each, perShard, shards = 10, 10, 4, 25
	g := gomega.NewWithT(t)
	j, path := newTestJUnit(t, shardLimits{cases: perShard + 1, bytes: 1 << 20})
	var wg sync.WaitGroup
	errs := make(chan error, workers*each)
	for worker := range workers {
		wg.Go(func() {
			for i := range each {
				errs <- j.Add(makeCase(worker*each+i, Pass))
			}
		})
	}
	wg.Wait()
	for range workers * each {
		g.Expect(<-errs).To(gomega.Succeed())
	}
	g.Expect(len(j.shard.index)).To(gomega.BeNumerically("<=", perShard), "full shards are not kept in memory")
	g.Expect(synthetic(readJUnitFile(t, path))).To(gomega.BeEmpty(), "a full shard is final")
	g.Expect(synthetic(readJUnitFile(t, shardPath(path, shards)))).NotTo(gomega.BeEmpty())
	g.Expect(j.Finish(Missing{})).To(gomega.Succeed())

	seen := map[string]int{}
	for n := 1; n <= shards; n++ {
		xmllint(t, shardPath(path, n))
		r := readJUnitFile(t, shardPath(path, n))
		countsAgree(t, r)
		g.Expect(r.Tests).To(gomega.Equal(perShard))
		for _, c := range r.Suites[0].Cases {
			seen[c.Name]++
		}
	}
	g.Expect(seen).To(gomega.HaveLen(workers * each))
	for name, n := range seen {
		g.Expect(n).To(gomega.Equal(1), name)
	}
	g.Expect(shardPath(path, shards+1)).NotTo(gomega.BeAnExistingFile())
}

func TestASnapshotStaysAsItIs(t *testing.T) {
	g := gomega.NewWithT(t)
	render := func(s *shard) string {
		var b strings.Builder
		g.Expect(s.write(&b, "x")).To(gomega.Succeed())
		return b.String()
	}
	s := newShard(sampleHeader, 1)
	put := func(c Case) { s.put(c.ID, newEntry(c, "")) }
	put(makeCase(0, Pass))
	now := s.snapshot()
	before := render(now)
	put(makeCase(0, Hang))
	put(makeCase(1, Pass))
	g.Expect(render(now)).To(gomega.Equal(before))
	g.Expect(render(s)).NotTo(gomega.Equal(before))
}

func TestAVerdictInAFinalShardStays(t *testing.T) {
	g := gomega.NewWithT(t)
	j, _ := newTestJUnit(t, shardLimits{cases: 3, bytes: 1 << 20})
	for i := range 3 {
		g.Expect(j.Add(makeCase(i, Pass))).To(gomega.Succeed())
	}
	g.Expect(j.Add(makeCase(0, Hang))).To(gomega.MatchError(gomega.ContainSubstring("already has a verdict in a file that is final")))
}

func TestShardsKeepToTheirSize(t *testing.T) {
	g := gomega.NewWithT(t)
	const limit = 200_000
	j, path := newTestJUnit(t, shardLimits{cases: 10_000, bytes: limit})
	for i := range 50 {
		c := makeCase(i, Wrong)
		c.Detail = fmt.Sprintf("%015000d", i)
		g.Expect(j.Add(c)).To(gomega.Succeed())
	}
	g.Expect(j.Finish(Missing{Count: 1})).To(gomega.Succeed())
	files, total := 0, 0
	for n := 1; ; n++ {
		st, err := os.Stat(shardPath(path, n))
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(st.Size()).To(gomega.BeNumerically("<=", limit))
		files++
		total += readJUnitFile(t, shardPath(path, n)).Failures
	}
	g.Expect(total).To(gomega.Equal(50))
	g.Expect(files).To(gomega.BeNumerically("<=", 8), "and are not left half empty")
}

func TestShardNames(t *testing.T) {
	g := gomega.NewWithT(t)
	g.Expect(shardPath("out/junit.xml", 1)).To(gomega.Equal("out/junit.xml"))
	g.Expect(shardPath("out/junit.xml", 2)).To(gomega.Equal("out/junit-2.xml"))
	g.Expect(shardPath("out.d/junit", 12)).To(gomega.Equal("out.d/junit-12"))
}

func TestShardsOfAnEarlierRunGo(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newTestJUnit(t, shardLimits{cases: 3, bytes: 1 << 20})
	for i := range 6 {
		g.Expect(j.Add(makeCase(i, Pass))).To(gomega.Succeed())
	}
	g.Expect(j.Finish(Missing{})).To(gomega.Succeed())
	g.Expect(shardPath(path, 3)).To(gomega.BeAnExistingFile())
	dir := filepath.Dir(path)
	for _, innocent := range []string{"junit-x.xml", "junit-02.xml", "junit-1.xml", "junit-2.xml.bak", "other-2.xml"} {
		g.Expect(os.WriteFile(filepath.Join(dir, innocent), []byte(xmlHead), 0o644)).To(gomega.Succeed())
	}

	again, err := NewJUnit(path, JUnitOptions{Class: "c"})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(again.Close()).To(gomega.Succeed())
	g.Expect(shardPath(path, 2)).NotTo(gomega.BeAnExistingFile())
	g.Expect(shardPath(path, 3)).NotTo(gomega.BeAnExistingFile())
	names, err := os.ReadDir(dir)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(names).To(gomega.HaveLen(6), "our file and what only looks like shards")
}

func TestAForeignFileInTheWayIsKept(t *testing.T) {
	g := gomega.NewWithT(t)
	path := filepath.Join(t.TempDir(), "junit.xml")
	theirs := shardPath(path, 2)
	g.Expect(os.WriteFile(theirs, []byte("<testsuites/>"), 0o644)).To(gomega.Succeed())
	_, err := NewJUnit(path, JUnitOptions{Class: "c"})
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("was not written by us")))
	g.Expect(readFile(t, theirs)).To(gomega.Equal("<testsuites/>"))
	g.Expect(path).NotTo(gomega.BeAnExistingFile())
}

func TestAFullDiskIsToldAndNothingIsLost(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := smallDisk(t, 256<<10)
	path := filepath.Join(dir, "junit.xml")
	j, err := newJUnit(path, JUnitOptions{Class: "c", Header: sampleHeader}, shardLimits{cases: 20, bytes: 1 << 20})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer j.Close()
	filler := filepath.Join(dir, "filler")
	g.Expect(os.WriteFile(filler, make([]byte, 244<<10), 0o644)).To(gomega.Succeed())

	var told error
	for i := range 30 { // more than one shard
		c := makeCase(i, Wrong)
		c.Detail = fmt.Sprintf("%0900d", i)
		told = errors.Join(told, j.Add(c))
	}
	g.Eventually(func() error { return errors.Join(told, j.Start(sampleID("x"))) }, soon).Should(gomega.MatchError(unix.ENOSPC))
	readJUnitFile(t, path) // what is there is valid

	g.Expect(os.Remove(filler)).To(gomega.Succeed())
	g.Expect(j.Finish(Missing{})).To(gomega.Succeed())
	failures := 0
	for n := 1; n <= j.shard.number; n++ {
		failures += readJUnitFile(t, shardPath(path, n)).Failures
	}
	g.Expect(failures).To(gomega.Equal(30))
	left, err := os.ReadDir(dir)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(left).To(gomega.HaveLen(j.shard.number), "no half-made shard is left")
}

func TestAVanishedFolderIsTold(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newTestJUnit(t, defaultLimits)
	g.Expect(os.RemoveAll(filepath.Dir(path))).To(gomega.Succeed())
	err := j.Finish(Missing{})
	g.Expect(err).To(gomega.MatchError(os.ErrNotExist))
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(path)))
}

func TestPace(t *testing.T) {
	const ms = time.Millisecond
	for _, x := range []struct {
		name    string
		cost    time.Duration // of the last rewrite
		ok      bool
		wrote   time.Duration // ago
		changed time.Duration // ago
		urgent  bool
		want    time.Duration
	}{
		{"cheap and busy", 1 * ms, true, 0, 0, false, 50 * ms},
		{"a twentieth of the time", 20 * ms, true, 0, 0, false, 400 * ms},
		{"some of the pause is over", 20 * ms, true, 150 * ms, 0, false, 250 * ms},
		{"idle comes first", 100 * ms, true, 0, 0, false, 500 * ms},
		{"busy with a slow disk", 1000 * ms, true, 0, 0, false, 4000 * ms},
		{"idle for long", 100 * ms, true, 450 * ms, 450 * ms, false, 50 * ms},
		{"overdue", 1 * ms, true, 10_000 * ms, 0, false, -9950 * ms},
		{"failure", 20 * ms, true, 0, 0, true, 80 * ms},
		{"failure after a pause", 20 * ms, true, 500 * ms, 0, true, -420 * ms},
		{"failure, cheap", 1 * ms, true, 0, 0, true, 50 * ms},
		{"failed rewrite", 1 * ms, false, 0, 0, false, 500 * ms},
	} {
		t.Run(x.name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			var p pace
			_, dirty := p.wait(noon)
			g.Expect(dirty).To(gomega.BeFalse())
			p.done(noon.Add(-x.wrote), x.cost, x.ok)
			p.change(noon.Add(-x.changed), x.urgent)
			wait, dirty := p.wait(noon)
			g.Expect(dirty).To(gomega.BeTrue())
			g.Expect(wait).To(gomega.Equal(x.want))
		})
	}
}

func TestPaceForgetsOnlyWhatIsWritten(t *testing.T) {
	g := gomega.NewWithT(t)
	var p pace
	p.change(noon, true)
	p.begin()
	p.change(noon, false) // while the file is written
	p.done(noon, time.Millisecond, true)
	_, dirty := p.wait(noon)
	g.Expect(dirty).To(gomega.BeTrue())
	p.begin()
	p.done(noon, time.Millisecond, false)
	_, dirty = p.wait(noon)
	g.Expect(dirty).To(gomega.BeTrue(), "a failed rewrite is tried again")
	p.begin()
	p.done(noon, time.Millisecond, true)
	_, dirty = p.wait(noon)
	g.Expect(dirty).To(gomega.BeFalse())
}
