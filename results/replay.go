package results

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"
)

// Read yields the records of the journal at path in order, one at a time. A torn end is tolerated silently: it is what a
// killed writer leaves. A damaged line with good ones behind it is yielded as an error that gives its number, and reading goes on.
// A file that cannot be read ends the sequence with an error.
func Read(path string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(Record{}, fmt.Errorf("read journal: %w", err))
			return
		}
		defer f.Close()
		var r Record
		for err := range lines(f, func(line []byte) error { r = Record{}; return parse(line, &r) }) {
			rec := r
			if err != nil { // of an earlier line; r is the good one behind it
				rec, err = Record{}, fmt.Errorf("read journal %s: %w", path, err)
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// lines hands every line of r to decode and yields what it says. The errors of lines at the very end are dropped.
func lines(r io.Reader, decode func(line []byte) error) iter.Seq[error] {
	return func(yield func(error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		var buf []byte
		var held []error // of damaged lines with nothing good behind them so far
		for n := 1; ; n++ {
			line, err := readLine(in, &buf)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				err = decode(line)
			} else if !errors.Is(err, errLongLine) {
				yield(err)
				return
			}
			if err != nil {
				if len(held) < maxHeld {
					held = append(held, fmt.Errorf("line %d: %w", n, err))
				}
				continue
			}
			for _, h := range held {
				if !yield(h) {
					return
				}
			}
			held = held[:0]
			if !yield(nil) {
				return
			}
		}
	}
}

// maxHeld bounds how many damaged lines in a row are told one by one.
const maxHeld = 100

var errLongLine = fmt.Errorf("longer than %d bytes", maxLine)

// readLine reads one line into buf, which it reuses. What is behind the last newline is no line. A line that is too long is
// skipped and reported as errLongLine.
func readLine(in *bufio.Reader, buf *[]byte) ([]byte, error) {
	*buf = (*buf)[:0]
	long := false
	for {
		part, err := in.ReadSlice('\n')
		if !long {
			*buf = append(*buf, part...)
		}
		long = long || len(*buf) > maxLine
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return nil, err
		case long:
			return nil, errLongLine
		}
		return *buf, nil
	}
}

// parse decodes one line and makes sure that it is a record.
func parse(line []byte, r *Record) error {
	if err := json.Unmarshal(line, r); err != nil {
		return err
	}
	n := 0
	for _, set := range []bool{r.Header != nil, r.Start != nil, r.End != nil, r.Finish != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("a record has one of header, start, end and finish, this line has %d", n)
	}
	return nil
}

// ReadHeader returns the first header of the journal at path. It fails on a file that is not a journal, and on a journal of a
// newer format.
func ReadHeader(path string) (Header, error) {
	for r, err := range Read(path) {
		if err != nil {
			return Header{}, err
		}
		if r.Header == nil {
			return Header{}, fmt.Errorf("journal %s does not begin with a header", path)
		}
		if r.Header.Format > Format {
			return Header{}, fmt.Errorf("journal %s has format %d, this program knows up to %d", path, r.Header.Format, Format)
		}
		return *r.Header, nil
	}
	return Header{}, fmt.Errorf("%s has no record of a journal", path)
}

// Finished returns the cases of the journal at path that have a verdict, and the cases
// that were started and never ended, in order of their start: if the machine died, one of those killed it. Damaged lines are
// left out and reported in err, joined; the sets are good all the same.
func Finished(path string) (done *Set, open []ID, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read journal: %w", err)
	}
	defer f.Close()
	// Only the ids are decoded: a million cases with all their texts take seconds and leave much garbage.
	type ids struct{ Start, End *ID }
	var rec ids
	done = NewSet()
	running := map[ID]int{}
	order := 0
	var damaged []error
	for lineErr := range lines(f, func(line []byte) error { rec = ids{}; return json.Unmarshal(line, &rec) }) {
		switch {
		case lineErr != nil:
			damaged = append(damaged, lineErr)
		case rec.Start != nil:
			order++
			running[*rec.Start] = order
		case rec.End != nil:
			done.Add(*rec.End)
			delete(running, *rec.End)
		}
	}
	if len(damaged) > 0 {
		err = fmt.Errorf("read journal %s: %w", path, errors.Join(damaged...))
	}
	return done, byOrder(running), err
}

// cutTornEnd truncates f behind its last whole record and returns the new size. It reads backwards, so that the length
// of the journal does not matter.
func cutTornEnd(f *os.File) (int64, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	end := size
	for end > 0 {
		start, err := lineStart(f, end-1)
		if err != nil {
			return 0, err
		}
		if end-start <= maxLine && isRecord(f, start, end) {
			break
		}
		end = start
	}
	if end == size {
		return size, nil
	}
	return end, f.Truncate(end)
}

// lineStart returns where the line that the byte at offset at belongs to begins: behind the newline before it.
func lineStart(f io.ReaderAt, at int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for at > 0 {
		from := max(0, at-int64(len(buf)))
		part := buf[:at-from]
		if _, err := f.ReadAt(part, from); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		at = from
	}
	return 0, nil
}

// isRecord reports whether the bytes from start to end are one whole line that parses.
func isRecord(f io.ReaderAt, start, end int64) bool {
	line := make([]byte, end-start)
	if _, err := f.ReadAt(line, start); err != nil || line[len(line)-1] != '\n' {
		return false
	}
	return parse(line, &Record{}) == nil
}

// byOrder returns the keys of m in the order of their values.
func byOrder(m map[ID]int) []ID {
	ids := slices.Collect(maps.Keys(m))
	slices.SortFunc(ids, func(a, b ID) int { return m[a] - m[b] })
	return ids
}
