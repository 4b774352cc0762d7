package agent

import (
	"errors"
	"io"
	"sync"

	"faultline/harness/machine"
	"faultline/harness/machine/wire"
	"faultline/harness/watch"
)

// news is what the kernel log has to say since the host was told last.
type news struct {
	link *wire.Link
	log  machine.Log

	mu   sync.Mutex
	mark watch.Mark
}

// logBatch is how many lines are sent at once.
const logBatch = 2000

// tell sends new lines, in order whoever calls. A kernel that says more than a batch at once has its last words kept.
func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	lines, complete := n.log.Since(n.mark)
	if len(lines) == 0 {
		return
	}
	n.mark = watch.Mark(lines[len(lines)-1].Seq)
	if len(lines) > logBatch {
		lines, complete = lines[len(lines)-logBatch:], false
	}
	_ = n.link.Send(wire.Frame{Kind: wire.Log, Body: wire.JSON(wire.LogLines{Lines: lines, Complete: complete})}) // the link has ended: the host knows
}

// ended reports the end of a link that is no fault.
func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) }
