package remote

import (
	"encoding/binary"
	"sync"
	"time"

	"faultline/harness/machine/wire"
)

// clock translates the agent's time to ours. What comes over the channel was under way for some time; the least of these times is the best
// guess, and errs by making things later than they were, which no verdict minds.
type clock struct {
	mu   sync.Mutex
	zero time.Time // the moment at which the agent began
}

// set takes the agent's time, which is now or was a little ago.
func (c *clock) set(now time.Duration) {
	zero := time.Now().Add(-now)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.zero.IsZero() || zero.Before(c.zero) {
		c.zero = zero
	}
}

// hear takes a beat.
func (c *clock) hear(body []byte) {
	if len(body) == 8 {
		c.set(time.Duration(binary.LittleEndian.Uint64(body)))
	}
}

func (c *clock) ours(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return wire.FromWire(t, c.zero)
}
