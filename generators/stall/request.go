package stall

// aioOpcodes are those of linux/aio_abi.h.
var aioOpcodes = map[string]int{"aio-read": 0, "aio-write": 1, "aio-preadv": 7}

// request puts what an asynchronous call hands over into memory: the request, a pointer to it, room for its event, and the pieces of a vector.
func (l *layout) request() {
	if !l.aio() {
		return
	}
	const vector = 104
	l.Line("n = anon(zero*200)")
	memory, length := l.pieces[0].memory, l.pieces[0].length
	if l.vector() {
		for i, p := range l.pieces {
			at := vector + 16*i
			l.Line("put(n[%d:%d], iovec{iov_base=%s, iov_len=%s})", at, at+16, p.memory, p.length)
		}
		memory, length = "n[104:200]", string(rune('0'+len(l.pieces)))
	}
	l.Line("put(n[0:64], iocb{aio_data=7, aio_lio_opcode=%d, aio_fildes=d, aio_buf=%s, aio_nbytes=%s})", aioOpcodes[l.op], memory, length)
	l.Line("put(n[64:72], pointer{to=n[0:64]})")
}
