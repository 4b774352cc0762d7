package worker

import (
	"os"
	"sync"
)

// excerpt keeps the beginning and the end of a stream: a traceback begins with its cause.
type excerpt struct {
	mu         sync.Mutex
	begin, end []byte
	left       int // bytes between them that were dropped
}

const excerptBytes = 4 << 10

// fill reads the stream to its end.
func (x *excerpt) fill(from *os.File) {
	defer from.Close()
	buf := make([]byte, excerptBytes)
	for {
		n, err := from.Read(buf)
		x.add(buf[:n])
		if err != nil {
			return
		}
	}
}

func (x *excerpt) add(text []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := min(len(text), excerptBytes-len(x.begin))
	x.begin = append(x.begin, text[:n]...)
	x.end = append(x.end, text[n:]...)
	if over := len(x.end) - excerptBytes; over > 0 {
		x.end = append(x.end[:0], x.end[over:]...)
		x.left += over
	}
}

func (x *excerpt) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.left == 0 {
		return string(x.begin) + string(x.end)
	}
	return string(x.begin) + "\n[...]\n" + string(x.end)
}
