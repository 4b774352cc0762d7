package results

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// JUnitOptions says what stands in a JUnit file besides cases.
type JUnitOptions struct {
	Name    string // of the root element; empty means "faultline"
	Class   string // classname of the synthetic case campaign/complete
	Journal string // path named as the place of full texts when a case has no attachment
	Header  Header // becomes the properties of every suite
}

// JUnit writes a JUnit file while the run goes on. The file on disk is valid at any moment: it is replaced by renaming, by a
// goroutine of its own, soon after a failure and otherwise so rarely that it costs about a twentieth of the time. While the
// run is not finished the file holds one more case, campaign/complete, an error that names what is running.
//
// Files are limited to 10,000 cases and 20 MB. What comes then goes to FILE-2, FILE-3 and so on; a full file is final, and
// only the one being filled is held in memory.
//
// An error of Add or Start tells that the last rewrite failed. The case is kept, and the next rewrite may succeed.
type JUnit struct {
	path   string
	opt    JUnitOptions
	limits shardLimits
	wake   chan struct{}
	quit   chan struct{}
	gone   chan struct{} // closed when the goroutine has ended

	writing sync.Mutex // one writer of files at a time; taken before mu

	mu      sync.Mutex
	shard   *shard
	final   *Set // cases in shards that are final
	running []ID
	pace    pace
	missing Missing
	state   state
	err     error // of the last rewrite
}

// state of a JUnit.
type state int

const (
	going state = iota
	finished
	closed
)

// NewJUnit writes the file at path, with nothing in it but that the run is not finished, and starts to keep it up to date.
// Shards of an earlier run beside it are removed; a file in their place that we did not write is an error.
func NewJUnit(path string, opt JUnitOptions) (*JUnit, error) {
	return newJUnit(path, opt, defaultLimits)
}

func newJUnit(path string, opt JUnitOptions, limits shardLimits) (*JUnit, error) {
	if opt.Name == "" {
		opt.Name = "faultline"
	}
	j := &JUnit{
		path: path, opt: opt, limits: limits,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), gone: make(chan struct{}),
		shard: newShard(opt.Header, 1), final: NewSet(),
	}
	stale, err := oldShards(path)
	if err != nil {
		return nil, fmt.Errorf("look for the shards of an earlier run: %w", err)
	}
	// Our file first: what is left of the earlier run must not look like the end of this one.
	if err := j.write(); err != nil {
		return nil, err
	}
	for _, old := range stale {
		if err := os.Remove(old); err != nil {
			return nil, fmt.Errorf("remove a shard of an earlier run: %w", err)
		}
	}
	go j.keepWriting()
	return j, nil
}

// Start tells that the cases are running, for the synthetic case.
func (j *JUnit) Start(ids ...ID) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state != going {
		return fmt.Errorf("JUnit file %s: start after the end: %w", j.path, os.ErrClosed)
	}
	j.running = append(j.running, ids...)
	j.changed(false)
	return j.err
}

// Add puts the verdict of c into the file. A second verdict for the same case takes the place of the first, as long as that
// is not in a full file.
func (j *JUnit) Add(c Case) error {
	if err := c.Check(); err != nil {
		return fmt.Errorf("JUnit file %s: %w", j.path, err)
	}
	e := newEntry(c, j.opt.Journal)
	var full error
	j.mu.Lock()
	defer j.mu.Unlock()
	for full == nil && !j.fits(c.ID, e) {
		j.mu.Unlock()
		full = j.rotate(c.ID, e)
		j.mu.Lock()
	}
	if j.state != going {
		return fmt.Errorf("JUnit file %s: add %s after the end: %w", j.path, c.ID, os.ErrClosed)
	}
	if i := slices.Index(j.running, c.ID); i >= 0 {
		j.running = slices.Delete(j.running, i, i+1)
	}
	if j.final.Has(c.ID) {
		return fmt.Errorf("JUnit file %s: case %s already has a verdict in a file that is final", j.path, c.ID)
	}
	j.shard.put(c.ID, e)
	j.changed(e.problem == failure || e.problem == errored)
	return errors.Join(full, j.err)
}

// Missing says which planned cases never got a verdict, and why.
type Missing struct {
	Reason string // "target lost by selfio/pread/direct/private"
	IDs    []ID   // those that are known by name; each becomes a skip that begins with MISS
	Count  int    // those that are known only by their number, besides IDs
}

func (m Missing) total() int { return len(m.IDs) + m.Count }

// Finish writes the final file. If planned cases have no verdict, the synthetic case stays and says so, once.
func (j *JUnit) Finish(m Missing) error {
	for _, id := range m.IDs {
		if err := j.addMissing(id, m.Reason); err != nil {
			return err
		}
	}
	return j.end(finished, m)
}

// addMissing adds a skip for id, which must not have a verdict.
func (j *JUnit) addMissing(id ID, reason string) error {
	j.mu.Lock()
	_, has := j.shard.index[id]
	j.mu.Unlock()
	if has {
		return fmt.Errorf("JUnit file %s: case %s is called missing and has a verdict", j.path, id)
	}
	return j.Add(Case{ID: id, Verdict: Skip, Message: "MISS: " + reason})
}

// Close writes the file once more and stops. Without Finish before it, the file says for good that the run is not finished.
// Close after Finish does nothing.
func (j *JUnit) Close() error { return j.end(closed, Missing{}) }

func (j *JUnit) end(s state, m Missing) error {
	j.mu.Lock()
	if j.state != going {
		j.mu.Unlock()
		return nil
	}
	j.state, j.missing = s, m
	j.mu.Unlock()
	close(j.quit)
	<-j.gone
	return j.write()
}

// changed notes that the file on disk is behind. The caller holds mu.
func (j *JUnit) changed(urgent bool) {
	j.pace.change(time.Now(), urgent)
	select {
	case j.wake <- struct{}{}:
	default: // it is awake already
	}
}

// keepWriting rewrites the file when the pace says so, until the end.
func (j *JUnit) keepWriting() {
	defer close(j.gone)
	timer := time.NewTimer(0)
	for {
		select {
		case <-j.wake:
		case <-timer.C:
		case <-j.quit:
			return
		}
		j.mu.Lock()
		wait, dirty := j.pace.wait(time.Now())
		j.mu.Unlock()
		if !dirty {
			continue
		}
		if wait <= 0 {
			_ = j.write() // kept in j.err, and tried again
			wait = minPause
		}
		timer.Reset(wait)
	}
}

// write replaces the file of the shard that is being filled.
func (j *JUnit) write() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	begin := time.Now()
	j.mu.Lock()
	now := j.shard.snapshot()
	synthetic := j.synthetic()
	j.pace.begin()
	j.mu.Unlock()

	err := j.save(now.with(synthetic))

	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
	j.pace.done(time.Now(), time.Since(begin), err == nil)
	return err
}

// save writes s to its file.
func (j *JUnit) save(s *shard) error {
	err := replaceFile(shardPath(j.path, s.number), func(w io.Writer) error { return s.write(w, j.opt.Name) })
	if err != nil {
		return fmt.Errorf("write %s: %w", s.describe(j.path), err)
	}
	return nil
}

// rotate goes on to the next shard, unless another caller did so meanwhile and e fits. If that fails, the shard grows beyond its
// limits: a file that is too large is better than a lost verdict.
func (j *JUnit) rotate(id ID, e entry) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fits(id, e) {
		return nil
	}
	// The new file first: at no moment may the files together look like a finished run.
	next := newShard(j.opt.Header, j.shard.number+1)
	if err := j.save(next.with(j.synthetic())); err != nil {
		return err
	}
	if err := j.save(j.shard); err != nil {
		return errors.Join(err, os.Remove(shardPath(j.path, next.number)))
	}
	for _, id := range j.shard.ids() {
		j.final.Add(id)
	}
	j.shard = next
	return nil
}

// fits reports whether e can be put into the shard, or need not be. The caller holds mu.
func (j *JUnit) fits(id ID, e entry) bool {
	_, replaces := j.shard.index[id]
	return j.state != going || replaces || j.final.Has(id) || !j.shard.full(e, j.limits)
}

// maxNamed is how many running cases the synthetic case names.
const maxNamed = 5

// synthetic is the case campaign/complete, or nil when the run is finished and no verdict is missing. The caller holds mu.
func (j *JUnit) synthetic() *Case {
	c := Case{
		ID:      ID{Suite: "campaign", Class: j.opt.Class, Name: "campaign/complete"},
		Verdict: Broken,
		Kind:    InfraIncomplete,
		Start:   j.opt.Header.Start,
	}
	switch n := j.missing.total(); {
	case j.state != finished:
		c.Message = "run is not finished; running: " + nameSome(j.running)
	case n > 0:
		c.Message = fmt.Sprintf("%d planned cases have no verdict: %s", n, j.missing.Reason)
	default:
		return nil
	}
	return &c
}

func nameSome(ids []ID) string {
	if len(ids) == 0 {
		return "nothing"
	}
	var names []string
	for _, id := range ids[:min(len(ids), maxNamed)] {
		names = append(names, id.String())
	}
	if more := len(ids) - maxNamed; more > 0 {
		names = append(names, strconv.Itoa(more)+" more")
	}
	return strings.Join(names, ", ")
}

// oldShards lists the files FILE-2, FILE-3, ... beside path. It fails if one of them is not ours.
func oldShards(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	ext := filepath.Ext(path)
	stem := strings.TrimSuffix(filepath.Base(path), ext) + "-"
	var shards []string
	for _, e := range entries {
		number, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), ext), stem)
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < 2 || e.Name() != filepath.Base(shardPath(path, n)) {
			continue
		}
		if err := checkOurs(shardPath(path, n)); err != nil {
			return nil, err
		}
		shards = append(shards, shardPath(path, n))
	}
	return shards, nil
}

// checkOurs fails if the file at path does not begin as all our JUnit files do.
func checkOurs(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, len(xmlHead))
	if _, err := io.ReadFull(f, head); err != nil || string(head) != xmlHead {
		return fmt.Errorf("%s is in the place of a shard and was not written by us", path)
	}
	return nil
}
