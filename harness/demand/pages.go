package demand

import (
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// pageSize is the unit in which pages are given out, bytes.
var pageSize = os.Getpagesize()

// pages are those of one file.
type pages struct {
	mu   sync.Mutex
	list []*page
}

// page is one page. The fields are fixed once answered is closed.
type page struct {
	answered chan struct{}
	bad      bool
	data     []byte // nil for zeros
}

func (p *page) isAnswered() bool {
	select {
	case <-p.answered:
		return true
	default:
		return false
	}
}

// resize gives the file so many pages; those that stay keep what they are.
func (p *pages) resize(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.list) < n {
		p.list = append(p.list, &page{answered: make(chan struct{})})
	}
	p.list = p.list[:n]
}

func (p *pages) size() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return uint64(len(p.list)) * uint64(pageSize)
}

// at is the page, or nil behind the end.
func (p *pages) at(number int) *page {
	p.mu.Lock()
	defer p.mu.Unlock()
	if number >= len(p.list) {
		return nil
	}
	return p.list[number]
}

// carryOut does an order.
func (p *pages) carryOut(o Order) unix.Errno {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.From > o.To || uint64(o.To) > uint64(len(p.list)) || len(o.Data) > 0 && len(o.Data) != int(o.To-o.From)*pageSize {
		return unix.EINVAL
	}
	data := slices.Clone(o.Data)
	for i, page := range p.list[o.From:o.To] {
		switch {
		case page.isAnswered() && o.Do == Free:
			continue
		case page.isAnswered():
			return unix.EEXIST
		}
		switch o.Do {
		case Serve:
			if len(data) > 0 {
				page.data = data[i*pageSize : (i+1)*pageSize]
			}
		case Spoil:
			page.bad = true
		case Free:
		default:
			return unix.EINVAL
		}
		close(page.answered)
	}
	return 0
}
