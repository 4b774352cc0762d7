package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Format is the version of the journal's format. A reader refuses a journal with a higher one.
const Format = 1

// Header is the first record of a journal: what this run is. A resumed run appends one of its own.
type Header struct {
	Format  int       `json:"format"`            // set when it is written
	Version string    `json:"version,omitempty"` // of the program that made the run
	Seed    uint64    `json:"seed"`
	Targets []string  `json:"targets,omitempty"`
	Args    []string  `json:"args,omitempty"` // the command line
	Host    string    `json:"host,omitempty"`
	Kernel  string    `json:"kernel,omitempty"` // of the host, as uname -r says it
	Start   time.Time `json:"start,omitzero"`
	Planned int       `json:"planned"` // number of cases that should get a verdict
	Mounts  []Mount   `json:"mounts,omitempty"`
}

// Mount says what a target was: its file system, mounted how, and by which kernel, which a guest has of its own.
type Mount struct {
	Target  string `json:"target"`
	Type    string `json:"type"`
	Options string `json:"options,omitempty"`
	Kernel  string `json:"kernel,omitempty"` // as uname -r says it
	Stalls  string `json:"stalls,omitempty"` // how system calls are stopped there; empty if they cannot be
}

func (m Mount) String() string {
	text := fmt.Sprintf("%s: %s (%s), Linux %s", m.Target, m.Type, m.Options, m.Kernel)
	if m.Stalls != "" {
		text += ", stalls with " + m.Stalls
	}
	return text
}

// Started is the record that says a case is about to run.
type Started struct {
	ID
	Time time.Time `json:"time"`
}

// Record is one line of a journal. Exactly one field is set.
type Record struct {
	Header *Header  `json:"header,omitempty"`
	Start  *Started `json:"start,omitempty"`
	End    *Case    `json:"end,omitempty"`
	Finish *Totals  `json:"finish,omitempty"`
}

// maxLine is the longest line of a journal, in bytes. End cuts the texts of a case that would be longer; Read refuses to
// load a line that is.
const maxLine = 8 << 20

// Journal is the truth about a run: JSON lines, appended as things happen. All methods may be called by any goroutine.
//
// An error of Start, End or Finish means that the record is not safely stored. After a failed sync the journal refuses all
// further records: the kernel may have dropped the pages it could not write, so a later success would prove nothing
// (fsync(2), "NOTES").
type Journal struct {
	path string
	sync func(*os.File) error

	mu      sync.Mutex // guards what follows, and the order of lines
	file    *os.File
	written int64 // bytes handed to the kernel
	broken  error // set once nothing can be trusted any more

	syncing sync.Mutex // one fdatasync at a time; the others queue here
	synced  int64      // bytes known to be on disk; guarded by syncing
}

// Create starts a new journal at path and writes h durably. It fails when the file exists already.
func Create(path string, h Header) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create journal: %w", err)
	}
	j, err := begin(f, path, h)
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		// The file is ours, made a moment ago, and holds nothing.
		return nil, errors.Join(fmt.Errorf("create journal %s: %w", path, err), f.Close(), os.Remove(path))
	}
	return j, nil
}

// Resume opens the journal at path to go on with its run, and appends h durably. A torn end (of a process or machine that
// died while it wrote) is cut off first. It fails when another process has the journal open for writing.
func Resume(path string, h Header) (*Journal, error) {
	if _, err := ReadHeader(path); err != nil {
		return nil, fmt.Errorf("resume: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, fmt.Errorf("resume journal: %w", err)
	}
	j, err := begin(f, path, h)
	if err != nil {
		f.Close()
		return nil, err
	}
	return j, nil
}

// begin takes the lock, cuts off a torn end, and writes the header.
func begin(f *os.File, path string, h Header) (*Journal, error) {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("lock journal %s (is another run using it?): %w", path, err)
	}
	size, err := cutTornEnd(f)
	if err != nil {
		return nil, fmt.Errorf("cut the torn end of journal %s: %w", path, err)
	}
	j := &Journal{path: path, file: f, written: size, sync: fdatasync}
	h.Format = Format
	if err := j.store(true, Record{Header: &h}); err != nil {
		return nil, err
	}
	return j, nil
}

func fdatasync(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }

// Start records that the cases are about to run. It returns when that is on disk, so that after the death of the machine the
// journal names the cases that were running. Concurrent calls share one fdatasync, so give it a batch or call it from
// many goroutines rather than one case at a time.
func (j *Journal) Start(ids ...ID) error {
	now := time.Now()
	records := make([]Record, len(ids))
	for i, id := range ids {
		if err := id.Check(); err != nil {
			return fmt.Errorf("journal start: %w", err)
		}
		records[i].Start = &Started{ID: id, Time: now}
	}
	return j.store(true, records...)
}

// End records the verdict of a case. It survives the death of this process at once. It survives the death of the machine at
// once when the case failed, and otherwise from the next Start on.
func (j *Journal) End(c Case) error {
	if err := c.Check(); err != nil {
		return fmt.Errorf("journal end: %w", err)
	}
	return j.store(failed(c.Verdict), Record{End: &c})
}

// Finish records that the run is complete, durably. It does not close the journal.
func (j *Journal) Finish(t Totals) error {
	return j.store(true, Record{Finish: &t})
}

// Close syncs and closes the journal.
func (j *Journal) Close() error {
	err := j.flush(j.size())
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken == nil {
		j.broken = os.ErrClosed
	}
	return errors.Join(err, j.file.Close())
}

func (j *Journal) size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.written
}

// store appends records, and syncs them if they must be durable.
func (j *Journal) store(durable bool, records ...Record) error {
	var lines bytes.Buffer
	for _, r := range records {
		if err := encodeLine(&lines, r); err != nil {
			return fmt.Errorf("journal %s: %w", j.path, err)
		}
	}
	end, err := j.append(lines.Bytes())
	if err == nil && durable {
		err = j.flush(end)
	}
	if err != nil {
		return fmt.Errorf("write journal %s: %w", j.path, err)
	}
	return nil
}

// append writes whole lines, or nothing, and returns the size of the journal after them.
func (j *Journal) append(lines []byte) (end int64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return 0, j.broken
	}
	if _, err := j.file.Write(lines); err != nil {
		// The disk is full, say. Take back the part of a line that got through, or no later line could be read.
		if undo := j.file.Truncate(j.written); undo != nil {
			j.broken = fmt.Errorf("%w, and then: %w", err, undo)
		}
		return 0, err
	}
	j.written += int64(len(lines))
	return j.written, nil
}

// flush returns when the first end bytes are on disk. A caller that had to wait for another's fdatasync finds that the next
// one, made by the first of the waiting, covers all of them.
func (j *Journal) flush(end int64) error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.synced >= end {
		return nil
	}
	j.mu.Lock()
	written, err := j.written, j.broken
	j.mu.Unlock()
	if err != nil {
		return err
	}
	if err := j.syncLinked(); err != nil {
		j.mu.Lock()
		j.broken = err
		j.mu.Unlock()
		return err
	}
	j.synced = written
	return nil
}

// syncLinked syncs the file and makes sure that it still has a name: writing to a removed file succeeds, for nothing.
func (j *Journal) syncLinked() error {
	if err := j.sync(j.file); err != nil {
		return fmt.Errorf("fdatasync: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(j.file.Fd()), &st); err != nil {
		return fmt.Errorf("fstat: %w", err)
	}
	if st.Nlink == 0 {
		return fmt.Errorf("the file was removed while the run was using it: %w", os.ErrNotExist)
	}
	return nil
}

// encodeLine appends r as one line. The texts of a case are cut when the line would be too long.
func encodeLine(w *bytes.Buffer, r Record) error {
	start := w.Len()
	if err := encodeJSON(w, r); err != nil {
		return err
	}
	if w.Len()-start <= maxLine {
		return nil
	}
	if r.End == nil {
		return fmt.Errorf("a record of %d bytes is too long", w.Len()-start)
	}
	w.Truncate(start)
	short := clipCase(*r.End, maxLine/64)
	if err := encodeJSON(w, Record{End: &short}); err != nil {
		return err
	}
	if n := w.Len() - start; n > maxLine {
		w.Truncate(start)
		return fmt.Errorf("the record of case %s is too long (%d bytes) even with its texts cut", r.End.ID, n)
	}
	return nil
}

// clipCase cuts every free text of c to limit bytes.
func clipCase(c Case, limit int) Case {
	where := ""
	if len(c.Attachments) > 0 {
		where = c.Attachments[0]
	}
	c.Message = clipLine(c.Message, limit)
	c.Detail = clip(c.Detail, limit, where)
	reruns := make([]Attempt, len(c.Reruns))
	for i, a := range c.Reruns {
		a.Message = clipLine(a.Message, limit)
		a.Detail = clip(a.Detail, limit, where)
		reruns[i] = a
	}
	c.Reruns = reruns
	return c
}

// encodeJSON appends v and a newline. HTML escaping is off: programs are full of "->" and stay readable.
func encodeJSON(w *bytes.Buffer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
