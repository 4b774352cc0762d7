package model

import (
	"errors"

	"faultline/generators/prog"
)

// maxRequests bounds the list of OCFS2_IOC_INFO here.
const maxRequests = 4

// ocfs2Info answers a list of requests, to each of which a pointer leads, one after the other (fs/ocfs2/ioctl.c: ocfs2_info_handle). The list is read on the way.
func (r *request) ocfs2Info() (*value, error) {
	n, err := r.get("oi_count")
	if err != nil || n < 1 || n > maxRequests {
		return nil, errors.New("the model asks one to four requests")
	}
	list, err := r.memoryAt("oi_requests", 0)
	if err != nil {
		return nil, err
	}
	for k := range n {
		at := list.Ranges[0]
		at.From = at.From.Plus(prog.Bytes(k * prog.Structs["pointer"].Size))
		pointer, bad, err := r.m.structAt(r.step, prog.Buf{Ranges: []prog.Range{at}}, "pointer")
		if bad == nil && err == nil {
			bad, err = r.answered(&request{argument: pointer, step: r.step})
		}
		if err != nil {
			return nil, err
		}
		if bad != nil {
			r.failed = then(r.leaveAll(r.m.counts(0, 0)), bad) // those before it have got their answers
			return nil, nil
		}
	}
	return nil, nil
}

// answered is one request, to which a pointer leads: the size of a cluster, or of a block.
func (r *request) answered(pointer *request) (bad prog.Expect, err error) {
	const (
		magic                  = 0x4f32494e // OCFS2_INFO_MAGIC
		clusterSize, blockSize = 1, 2
		filled                 = 1 << 30 // OCFS2_INFO_FL_FILLED
	)
	of, bad, err := pointer.pointed(r.step, "to", "ocfs2_request")
	if bad != nil || err != nil {
		return bad, err
	}
	size := of.record.Size
	n, err := of.numbers("ir_magic", "ir_code", "ir_size", "ir_flags")
	if err != nil || n[0] != magic || n[1] != clusterSize && n[1] != blockSize || n[2] != size || n[3] != 0 {
		return nil, errors.New("the model asks for the size of clusters or of blocks")
	}
	b, err := pointer.memoryAt("to", size)
	if err != nil {
		return nil, err
	}
	fields := map[string]bounds{"ir_code": exactly(n[1]), "ir_size": exactly(size), "ir_flags": exactly(filled), "answer": between(512, 1<<20)}
	r.results = append(r.results, result{r.m.lookup(r.step, b, true), &value{record: of.record, fields: fields}})
	return nil, nil
}
