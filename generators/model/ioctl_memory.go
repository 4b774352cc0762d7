package model

import (
	"errors"
	"slices"

	"faultline/generators/prog"
)

// Memory that the struct of a request points to.

// result is what a request leaves in such memory when it succeeds.
type result struct {
	out *span
	v   *value
}

// memoryAt is the memory that a field points to, up to n bytes of it; all that the field names without n.
func (r *request) memoryAt(field string, n int64) (prog.Buf, error) {
	of, err := r.ref(r.step, field)
	if err != nil {
		return prog.Buf{}, err
	}
	b := of.(prog.Buf)
	if n > 0 {
		b = reach(b, n)
	}
	return b, nil
}

// reads is what the kernel finds where a field points to. If it can read none of it, or not all, the request fails.
func (r *request) reads(field string, n int64) (c content, ok bool, err error) {
	b, err := r.memoryAt(field, n)
	if err != nil {
		return nil, false, err
	}
	in := r.m.lookup(r.step, b, false)
	switch {
	case in.can < in.n:
		r.failed = fails("EFAULT")
		return nil, false, nil
	case in.sure < in.n:
		return nil, false, errors.New("the model wants memory that can be read for certain, or not at all")
	}
	return r.m.arguments(in), true, nil
}

// readsStruct is a struct that the kernel finds where a field points to; nil if it cannot be read, and the request fails.
func (r *request) readsStruct(field, name string) (*argument, error) {
	arg, bad, err := r.pointed(r.step, field, name)
	if bad != nil {
		r.failed = bad
	}
	return arg, err
}

// writes notes that the request writes n bytes to where a field points to.
func (r *request) writes(field string, n int64, v *value) error {
	b, err := r.memoryAt(field, n)
	if err == nil {
		r.results = append(r.results, result{r.m.lookup(r.step, b, true), v})
	}
	return err
}

// leaveAll leaves the results in their order, of which the first that cannot be written ends the request.
func (r *request) leaveAll(want prog.Expect) prog.Expect {
	for _, one := range r.results {
		if len(want) > 1 || len(want) == 1 && want[0].Err != "" {
			one.v = nil // perhaps it is not written at all
		}
		want = then(want, r.m.answer(one.out, one.v))
	}
	return want
}

// then is how two parts of a call end, one after the other: only both together succeed.
func then(want, end prog.Expect) prog.Expect {
	fault := func(o prog.Outcome) bool { return o.Err == "EFAULT" }
	if slices.ContainsFunc(end, fault) && !slices.ContainsFunc(want, fault) {
		want = append(want, prog.Fails("EFAULT"))
	}
	if !slices.ContainsFunc(end, func(o prog.Outcome) bool { return o.Err == "" }) {
		want = slices.DeleteFunc(want, func(o prog.Outcome) bool { return o.Err == "" })
	}
	return want
}
