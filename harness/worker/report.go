package worker

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Report is what became of one program.
type Report struct {
	Seq uint64 `json:"-"`
	// Elapsed is the time from set-up to clean-up, in the child.
	Elapsed time.Duration `json:"-"`
	// Ran counts the steps that were done. Skipped counts those that were not, because a name they use was not made by a step that
	// was allowed to fail.
	Ran     int `json:"-"`
	Skipped int `json:"-"`
	// Failure is the first wrong step, nil if all were right.
	Failure *Failure `json:"failure,omitempty"`
	// Setup is set if the program's files could not be made; then no step ran.
	Setup *Trouble `json:"setup,omitempty"`
	// Cleanup is set if something of the program could not be removed.
	Cleanup *Trouble `json:"cleanup,omitempty"`
	// Broken says why the program could not be run at all: it cannot be parsed, has too many actors.
	Broken string `json:"broken,omitempty"`
}

// Passed reports a program that did what its text says.
func (r Report) Passed() bool {
	return r.Failure == nil && r.Setup == nil && r.Cleanup == nil && r.Broken == ""
}

// Trouble is a call outside of the program's steps that failed.
type Trouble struct {
	// Doing names the call and the file: "write A at 1p".
	Doing string `json:"doing"`
	// Err is an errno name.
	Err string `json:"err"`
}

func (t *Trouble) String() string { return t.Doing + ": " + t.Err }

// headSize is the length of the fixed part of a report: length of the rest, sequence number, elapsed ns, ran, skipped.
const headSize = 4 + 8 + 8 + 4 + 4

// Append appends the report to b, as ReadReport reads it. A program that passed has the fixed part only.
func (r Report) Append(b []byte) []byte {
	var rest []byte
	if !r.Passed() {
		rest, _ = json.Marshal(r) // strings and numbers only: no error
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(rest)))
	b = binary.LittleEndian.AppendUint64(b, r.Seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Elapsed))
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Ran))
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Skipped))
	return append(b, rest...)
}

// ReadReport reads one report; the error is io.EOF between two reports.
func ReadReport(from io.Reader) (r Report, err error) {
	var head [headSize]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return r, err
	}
	r.Seq = binary.LittleEndian.Uint64(head[4:])
	r.Elapsed = time.Duration(binary.LittleEndian.Uint64(head[12:]))
	r.Ran = int(binary.LittleEndian.Uint32(head[20:]))
	r.Skipped = int(binary.LittleEndian.Uint32(head[24:]))
	rest := make([]byte, binary.LittleEndian.Uint32(head[:]))
	if _, err := io.ReadFull(from, rest); err != nil || len(rest) == 0 {
		return r, err
	}
	if err := json.Unmarshal(rest, &r); err != nil {
		return r, fmt.Errorf("decode report of program %d: %w", r.Seq, err)
	}
	return r, nil
}
