// Package elfpatch changes User Mode Linux binaries so that they run on this machine: with the C library they were built for, and on processors whose
// register state is larger than they expect. It works on the bytes of 64-bit little-endian ELF files and imports nothing of ours.
//
//	image, err = elfpatch.SetLoader(image, "/cache/lib/ld-linux-x86-64.so.2", "$ORIGIN/lib")
//	image, fixed := elfpatch.WidenXstate(image)
package elfpatch

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Sizes and places in 64-bit ELF files, elf(5).
const (
	ehdrPhoff  = 32 // e_phoff
	phdrSize   = 56 // sizeof(Elf64_Phdr)
	phdrOffset = 8  // p_offset
	phdrFilesz = 32 // p_filesz
	dynSize    = 16 // sizeof(Elf64_Dyn)
)

// SetLoader returns a copy of an executable that starts with the dynamic loader at the absolute path interp and looks for its libraries in runpath
// first ($ORIGIN stands for the executable's folder). Running the loader by hand would not do: UML executes itself again.
//
// The kernel takes the loader's name from the file, at p_offset of PT_INTERP, and nothing reads it from memory for a meaning: so the new name is
// appended, and the old name's place, which is loaded, holds runpath.
func SetLoader(image []byte, interp, runpath string) ([]byte, error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return nil, fmt.Errorf("read the executable: %w", err)
	}
	if f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB {
		return nil, errors.New("it is no 64-bit little-endian ELF file")
	}
	index, old := find(f, elf.PT_INTERP)
	_, dynamic := find(f, elf.PT_DYNAMIC)
	if old == nil || dynamic == nil {
		return nil, errors.New("it is linked statically: it has no dynamic loader")
	}
	if !inside(old, image) || !inside(dynamic, image) {
		return nil, errors.New("the name of its loader or its dynamic section lies outside of the file")
	}
	if uint64(len(runpath)+1) > old.Filesz {
		return nil, fmt.Errorf("the library path %s is longer than the %d bytes there are", runpath, old.Filesz-1)
	}
	out := bytes.Clone(image)
	if err := setRunpath(out[dynamic.Off:dynamic.Off+dynamic.Filesz/dynSize*dynSize], old.Vaddr); err != nil {
		return nil, err
	}
	place := out[old.Off : old.Off+old.Filesz]
	clear(place)
	copy(place, runpath)
	header := out[binary.LittleEndian.Uint64(out[ehdrPhoff:])+uint64(index*phdrSize):]
	binary.LittleEndian.PutUint64(header[phdrOffset:], uint64(len(out)))
	binary.LittleEndian.PutUint64(header[phdrFilesz:], uint64(len(interp)+1))
	return append(append(out, interp...), 0), nil
}

// find returns the first program header of a type and its index, or nil.
func find(f *elf.File, t elf.ProgType) (int, *elf.Prog) {
	for i, p := range f.Progs {
		if p.Type == t {
			return i, p
		}
	}
	return 0, nil
}

// inside reports whether a segment lies in the file.
func inside(p *elf.Prog, image []byte) bool {
	size := uint64(len(image))
	return p.Off <= size && p.Filesz <= size-p.Off
}

// setRunpath makes the text at address text the library path: in the entry of the dynamic section that there is for one, which UML programs have, or
// else in a spare one. Such texts are counted from the string table; one before it has a negative distance, which wraps as the loader's
// addition does.
func setRunpath(section []byte, text uint64) error {
	var strings uint64
	var path, spare []byte
	for entry := range slices.Chunk(section, dynSize) {
		switch tag(entry) {
		case elf.DT_STRTAB:
			strings = binary.LittleEndian.Uint64(entry[8:])
		case elf.DT_RUNPATH, elf.DT_RPATH:
			path = entry
		case elf.DT_NULL:
			if spare != nil && path == nil {
				path = spare // one more is left to end the section
			}
			spare = entry
		}
	}
	if path == nil || strings == 0 {
		return errors.New("its dynamic section has no place for a library path")
	}
	binary.LittleEndian.PutUint64(path, uint64(elf.DT_RUNPATH))
	binary.LittleEndian.PutUint64(path[8:], text-strings)
	return nil
}

func tag(entry []byte) elf.DynTag { return elf.DynTag(binary.LittleEndian.Uint64(entry)) }
