package guest

import (
	"context"
	"fmt"
	"time"
)

// A boot is half a second of work, and on a machine that has ten others to do it takes as many times longer: guests were given up that were on their way.

const (
	// patienceEvery is how often the machine is looked at.
	patienceEvery = 100 * time.Millisecond
	// longestWait bounds the time in all, as a multiple of the limit.
	longestWait = 20
)

// patiently ends the context when a guest has had limit to come up. What goes by while load, the number of threads that want to run for each CPU, is above one counts
// as much less.
func patiently(ctx context.Context, limit time.Duration, load func() float64) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		ticker := time.NewTicker(patienceEvery)
		defer ticker.Stop()
		began := time.Now()
		for had := time.Duration(0); had < limit && time.Since(began) < longestWait*limit; {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				had += time.Duration(float64(patienceEvery) / max(load(), 1))
			}
		}
		why := fmt.Errorf("it has not come up for %v", limit)
		if waited := time.Since(began); waited > 2*limit {
			why = fmt.Errorf("%w; on a machine with so much else to do that was %v", why, waited.Round(time.Second))
		}
		cancel(why)
	}()
	return ctx, cancel
}
