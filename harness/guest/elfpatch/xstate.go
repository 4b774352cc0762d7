package elfpatch

import (
	"bytes"
	"encoding/binary"
)

// setregset is the machine code, the same in UML 5.10, 6.1 and 6.12 of Debian, that stores the length of the register buffer, 2696 bytes (HOST_FP_SIZE),
// and loads PTRACE_SETREGSET (0x4205) as the first argument of ptrace:
//
//	movq $2696, -8(%rbp)   ... 88 0a 00 00
//	mov  $0x4205, %edi         bf 05 42 00 00
var setregset = []byte{0x88, 0x0a, 0x00, 0x00, 0xbf, 0x05, 0x42, 0x00, 0x00}

// anyLength is longer than every processor's state. The host cuts it to its own size.
const anyLength = 1 << 16

// WidenXstate returns a copy of a UML binary that boots on processors with a register state of more than 2696 bytes (those with AMX), and whether
// there was something to change. UML up to 6.12 passes that length to PTRACE_SETREGSET(NT_X86_XSTATE), and the host refuses every
// length but that of its own state (arch/x86/kernel/fpu/regset.c, xstateregs_set; a longer one is cut to it), so that the guest's first process dies in
// put_fp_registers. A longer length is cut to the right one on every machine. What lies behind the 2696 bytes is read by the host, and not used:
// the header within them says that those parts are empty. Reading the registers keeps its length: its buffer has no more room.
func WidenXstate(image []byte) ([]byte, bool) {
	at := bytes.Index(image, setregset)
	if at < 0 || bytes.Count(image, setregset) != 1 {
		return image, false
	}
	out := bytes.Clone(image)
	binary.LittleEndian.PutUint32(out[at:], anyLength)
	return out, true
}
