package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Kind says what a frame is.
type Kind uint8

// The kinds of frames. Those marked > go to the agent, those marked < come from it.
const (
	Hello   Kind = iota + 1 // < Greeting, the first frame
	Beat                    // < > nothing, or the time of the sender: 8 bytes, ns since it began
	Call                    // > a Request; the id is the call's
	Answer                  // < a Response to the call with the id
	Data                    // < > bytes of a stream
	Credit                  // < > 4 bytes: how many more bytes of a stream may be sent
	End                     // < > a stream has no more bytes
	Program                 // > 8 bytes sequence number and a program's text, for the worker with the id
	Begun                   // < 8 bytes sequence number: the program is handed to the worker now
	Report                  // < a worker.Report
	State                   // < WorkerState of the worker with the id
	Quiet                   // < the worker with the id will report no more
	Exited                  // < WorkerEnd or ProcessEnd of the worker or process with the id
	Log                     // < LogLines
)

// Frame is one message. Numbers are little-endian: 4 bytes length of the body, 1 byte kind, 4 bytes id, 4 bytes CRC-32C of all the rest, body.
type Frame struct {
	Kind Kind
	ID   uint32
	Body []byte
}

const (
	headBytes = 4 + 1 + 4 + 4
	// MaxBody is the length of the longest body, in bytes: far more than the longest program.
	MaxBody = 16 << 20
)

// ErrTorn means that bytes of the channel were lost or changed.
var ErrTorn = errors.New("the channel has torn a frame")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append appends the frame's bytes to b.
func (f Frame) Append(b []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.Body)))
	b = append(b, byte(f.Kind))
	b = binary.LittleEndian.AppendUint32(b, f.ID)
	b = binary.LittleEndian.AppendUint32(b, checksum(b[start:], f.Body))
	return append(b, f.Body...)
}

// checksum is of the head without its own four bytes, and the body.
func checksum(head, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, body)
}

// Read reads one frame. The error is io.EOF between two frames, io.ErrUnexpectedEOF within one, or wraps ErrTorn. It needs no more memory than
// bytes have come.
func Read(from io.Reader) (Frame, error) {
	var head [headBytes]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return Frame{}, err
	}
	length := binary.LittleEndian.Uint32(head[:])
	f := Frame{Kind: Kind(head[4]), ID: binary.LittleEndian.Uint32(head[5:])}
	if length > MaxBody {
		return Frame{}, fmt.Errorf("%w: its length is %d", ErrTorn, length)
	}
	var body bytes.Buffer
	n, err := io.CopyN(&body, from, int64(length))
	if errors.Is(err, io.EOF) {
		return Frame{}, io.ErrUnexpectedEOF
	}
	if err != nil {
		return Frame{}, err
	}
	f.Body = body.Bytes()[:n]
	if checksum(head[:9], f.Body) != binary.LittleEndian.Uint32(head[9:]) {
		return Frame{}, fmt.Errorf("%w: its checksum is wrong", ErrTorn)
	}
	return f, nil
}
