package target

import (
	"context"
	"maps"
	"sync"
)

// Guests that are alike can do the same, and to find out costs as much as a quarter of a boot. So the first one is asked for everything, the next one for what the first
// could not, as a probe may also fail by chance, and those after them for nothing.

// knowledge is what is known of guests that are alike.
type knowledge struct {
	mu    sync.Mutex
	found probed
	asked int // how many guests have answered
}

// askedTwice is how many guests must say that they lack something.
const askedTwice = 2

// needs lists those that need not be tried any more.
func (k *knowledge) needs() (known []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked == 0 {
		return nil
	}
	for _, row := range probes {
		if _, lacks := k.found.Lacks[row.need]; !lacks || k.asked >= askedTwice {
			known = append(known, row.need)
		}
	}
	return known
}

// learn takes what one more guest has found out about the needs that were not known to it, and returns what is known now. What one guest can do all can.
func (k *knowledge) learn(p probed) probed {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked++; k.asked == 1 {
		k.found = p
	}
	maps.DeleteFunc(k.found.Lacks, func(need, _ string) bool { _, lacks := p.Lacks[need]; return !lacks })
	return k.all()
}

// now is what is known.
func (k *knowledge) now() probed {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.all()
}

func (k *knowledge) all() probed {
	all := k.found
	all.Lacks = maps.Clone(all.Lacks)
	return all
}

// inspectAs is inspect for a guest that there are others like.
func (b *local) inspectAs(ctx context.Context, others *alike) error {
	p := others.known.now()
	if known := others.known.needs(); len(known) < len(probes) {
		news, err := b.probe(ctx, known)
		if err != nil {
			return err
		}
		p = others.known.learn(news)
	}
	b.declare(p)
	return b.makeOther(ctx)
}
