package initramfs

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// loaded is a program without what is not loaded: symbols and debug data, a third of ours, lie behind all segments, and every guest would unpack them into its memory.
// size is in bytes.
func loaded(program *os.File) (r io.Reader, size int64, err error) {
	f, err := elf.NewFile(program)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", program.Name(), err)
	}
	for _, p := range f.Progs {
		size = max(size, int64(p.Off+p.Filesz))
	}
	var header elf.Header64
	if f.Class != elf.ELFCLASS64 || size < int64(binary.Size(header)) {
		info, err := program.Stat()
		if err != nil {
			return nil, 0, err
		}
		return io.NewSectionReader(program, 0, info.Size()), info.Size(), nil
	}
	if err := binary.Read(io.NewSectionReader(program, 0, size), f.ByteOrder, &header); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", program.Name(), err)
	}
	header.Shoff, header.Shnum, header.Shstrndx = 0, 0, 0 // the table of the sections is gone
	var head bytes.Buffer
	if err := binary.Write(&head, f.ByteOrder, &header); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", program.Name(), err)
	}
	at := int64(head.Len())
	return io.MultiReader(&head, io.NewSectionReader(program, at, size-at)), size, nil
}
