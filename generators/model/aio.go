package model

import (
	"errors"
	"fmt"

	"faultline/generators/prog"
)

// Asynchronous I/O (io_submit(2)): one request at a time, and its event is fetched next. The request does what pread and its kin do; what they would
// return stands in the event.

// request opcodes (linux/aio_abi.h) and what each does.
var aioOps = map[int64]string{0: "pread", 1: "pwrite", 7: "preadv", 8: "pwritev"}

// submitted is a request whose event has not been fetched.
type submitted struct{ data, res bounds }

// ioSetupStep: the kernel reads the place for the context first, which must hold zero.
func (m *model) ioSetupStep(s *prog.Step) (prog.Expect, error) {
	record := prog.Structs["loff"]
	in, err := m.spanOf(s, s.Args[0].(prog.Buf), 0, record.Size, false)
	switch {
	case err != nil:
		return nil, err
	case in.can < in.n:
		return fails("EFAULT"), nil
	}
	n, err := (&argument{m, m.arguments(in), record}).get("offset")
	switch {
	case err != nil:
		return nil, errors.New("the model does not know what lies where the context goes")
	case n != 0:
		return m.perhapsFault(fails("EINVAL"), in), nil
	}
	out := m.lookup(s, s.Args[0].(prog.Buf), true)
	return m.perhapsFault(m.answer(out, nil), in), nil
}

// read is the struct that a pointer in memory leads to; EFAULT if it cannot be read.
func (m *model) structAt(s *prog.Step, b prog.Buf, name string) (arg *argument, bad prog.Expect, err error) {
	record := prog.Structs[name]
	r := b.Ranges[0]
	r.Whole, r.To = false, r.From.Plus(prog.Bytes(record.Size))
	in := m.lookup(s, prog.Buf{Ranges: []prog.Range{r}}, false)
	switch {
	case in.can < in.n:
		return nil, fails("EFAULT"), nil
	case in.sure < in.n:
		return nil, nil, fmt.Errorf("the model wants a %s that can be read for certain, or not at all", name)
	}
	return &argument{m, m.arguments(in), record}, nil, nil
}

// pointed is the struct that a field of another one points to.
func (a *argument) pointed(s *prog.Step, field, name string) (*argument, prog.Expect, error) {
	of, err := a.ref(s, field)
	if err != nil {
		return nil, nil, err
	}
	return a.m.structAt(s, of.(prog.Buf), name)
}

func (m *model) ioSubmitStep(s *prog.Step) (prog.Expect, error) {
	if b := s.Args[0].(prog.Buf); b.Ranges[0].Whole || b.Ranges[0].To.Minus(b.Ranges[0].From) != prog.Bytes(8) {
		return nil, errors.New("the model submits one request at a time: wanted memory of 8 bytes")
	}
	pointer, bad, err := m.structAt(s, s.Args[0].(prog.Buf), "pointer")
	if bad != nil || err != nil {
		return bad, err
	}
	iocb, bad, err := pointer.pointed(s, "to", "iocb")
	if bad != nil || err != nil {
		return bad, err
	}
	of, err := pointer.ref(s, "to")
	if err != nil {
		return nil, err
	}
	do, bad, err := m.requested(s, iocb)
	if marked := m.mark(s, of.(prog.Buf)); marked != nil {
		return marked, nil
	}
	if bad != nil || err != nil {
		return bad, err
	}
	fd := m.fd(do)
	if isWrite(do.Op) && !fd.write || !isWrite(do.Op) && !fd.read {
		return fails("EBADF"), nil
	}
	if err := m.fetchedNext(s); err != nil {
		return nil, err
	}
	want, err := steps[do.Op](m, do)
	if err != nil {
		return nil, err
	}
	data, err := iocb.get("aio_data")
	if err != nil {
		return nil, err
	}
	m.submitted[s.Actor] = &submitted{exactly(data), m.eventOf(want)}
	return m.counts(1, 1), nil
}

// mark is the key that the kernel writes into every request before it looks at it further (fs/aio.c: KIOCB_KEY, which is 0): a request in
// memory that is read-only is refused.
func (m *model) mark(s *prog.Step, iocb prog.Buf) (bad prog.Expect) {
	const at, length = 8, 4
	r := iocb.Ranges[0]
	r.Whole, r.From, r.To = false, r.From.Plus(prog.Bytes(at)), r.From.Plus(prog.Bytes(at+length))
	key := m.lookup(s, prog.Buf{Ranges: []prog.Range{r}}, true)
	if key.can < key.n {
		return fails("EFAULT")
	}
	m.copyOnWrite(key)
	m.write(key.places, zeros(key.n), key.sure)
	return nil
}

// requested is the request as a step.
func (m *model) requested(s *prog.Step, iocb *argument) (do *prog.Step, bad prog.Expect, err error) {
	n, err := iocb.numbers("aio_lio_opcode", "aio_nbytes", "aio_offset")
	if err != nil {
		return nil, nil, err
	}
	op, length := aioOps[n[0]], n[1]
	if op == "" || length < 0 || length > maxAIO || n[2] < 0 {
		return nil, nil, errors.New("the model submits reads and writes of some bytes, not before the beginning of the file")
	}
	fd, err := iocb.ref(s, "aio_fildes")
	if err != nil {
		return nil, nil, err
	}
	if m.scope(process(s)).fds[string(fd.(prog.Name))] == nil {
		return nil, nil, fmt.Errorf("%v is not open", fd)
	}
	buf, err := iocb.ref(s, "aio_buf")
	if err != nil {
		return nil, nil, err
	}
	memory := buf.(prog.Buf)
	if op == "preadv" || op == "pwritev" {
		memory, bad, err = m.vectorAt(s, memory, length)
	} else {
		memory = reach(memory, length)
	}
	return &prog.Step{Actor: s.Actor, Op: op, Args: []prog.Arg{fd, memory, m.size(n[2])}}, bad, err
}

// maxAIO bounds the bytes, or the pieces, of a request.
const maxAIO = 1 << 20

// reach is memory from the beginning of the buffer on.
func reach(b prog.Buf, n int64) prog.Buf {
	r := b.Ranges[0]
	r.Whole, r.To = false, r.From.Plus(prog.Bytes(n))
	return prog.Buf{Ranges: []prog.Range{r}}
}

// vectorAt reads an iovec of some pieces.
func (m *model) vectorAt(s *prog.Step, at prog.Buf, pieces int64) (v prog.Buf, bad prog.Expect, err error) {
	v.Vector = true
	size := prog.Structs["iovec"].Size
	for i := range pieces {
		piece := at.Ranges[0]
		piece.From = piece.From.Plus(prog.Bytes(i * size))
		iovec, bad, err := m.structAt(s, prog.Buf{Ranges: []prog.Range{piece}}, "iovec")
		if bad != nil || err != nil {
			return v, bad, err
		}
		base, err := iovec.ref(s, "iov_base")
		if err != nil {
			return v, nil, err
		}
		n, err := iovec.get("iov_len")
		if err != nil {
			return v, nil, err
		}
		v.Ranges = append(v.Ranges, reach(base.(prog.Buf), n).Ranges...)
	}
	return v, nil, nil
}

// fetchedNext refuses a request whose event is not fetched by the actor's next step, before anybody waits for the actor: until then nothing says
// how far the request is.
func (m *model) fetchedNext(s *prog.Step) error {
	for k := m.at + 1; k < len(m.prog.Steps); k++ {
		next := &m.prog.Steps[k]
		switch {
		case next.Actor == s.Actor && next.Op == "io_getevents":
			return nil
		case next.Actor == s.Actor || s.Actor == "", next.Op == "wait" && next.Args[0] == prog.Name(s.Actor):
			return errors.New("the model wants io_getevents as the next step")
		}
	}
	return nil
}

// errnos are the numbers of the errors that a request may end with, on every machine.
var errnos = map[string]int64{"EFAULT": 14, "EINVAL": 22, "EAGAIN": 11, "EIO": 5}

// eventOf are the results that an event may hold, errors as negative numbers.
func (m *model) eventOf(want prog.Expect) bounds {
	const worst = -4095
	var b bounds
	for i, o := range want {
		one := bounds{o.Lo, o.Hi}
		if o.Err != "" {
			one = exactly(worst)
			if n := errnos[o.Err]; n != 0 {
				one = exactly(-n)
			}
		}
		switch {
		case i == 0:
			b = one
		default:
			if one.lo.In(m.page) < b.lo.In(m.page) {
				b.lo = one.lo
			}
			if one.hi.In(m.page) > b.hi.In(m.page) {
				b.hi = one.hi
			}
		}
	}
	return b
}

func (m *model) ioGeteventsStep(s *prog.Step) (prog.Expect, error) {
	done := m.submitted[s.Actor]
	delete(m.submitted, s.Actor)
	if done == nil {
		return nil, errors.New("no request has been submitted whose event could be fetched")
	}
	record := prog.Structs["io_event"]
	out, err := m.spanOf(s, s.Args[0].(prog.Buf), 0, record.Size, true)
	if err != nil {
		return nil, err
	}
	v := &value{record: record, fields: map[string]bounds{"data": done.data, "res": done.res, "res2": exactly(0)}}
	want := m.answer(out, v)
	for i, o := range want {
		if o.Err == "" {
			want[i] = prog.Exactly(prog.Bytes(1))
		}
	}
	return want, nil
}
