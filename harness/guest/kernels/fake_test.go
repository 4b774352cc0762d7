package kernels

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// program is an ELF file with one segment at an address, and text behind its header.
func program(vaddr uint64, text string) []byte {
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	p := elf.Prog64{Type: uint32(elf.PT_LOAD), Vaddr: vaddr, Filesz: uint64(120 + len(text)), Memsz: uint64(120 + len(text))}
	return append(encode(h, p), text...)
}

func encode(parts ...any) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		if err := binary.Write(&b, binary.LittleEndian, p); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// uml is a program that looks like User Mode Linux.
func uml(release string) []byte {
	return program(0x60000000, "\x00Linux version "+release+" (me@here) (gcc) #1\n\x00")
}

// boot is the beginning of an x86 boot image.
func boot(version string) []byte {
	b := make([]byte, 0x400)
	copy(b[bootMagicAt:], bootMagic)
	binary.LittleEndian.PutUint16(b[bootVersionAt:], 0x100)
	copy(b[0x300:], version)
	return b
}

// ko is a module with the given lines in .modinfo.
func ko(info ...string) []byte {
	const names = "\x00.modinfo\x00.shstrtab\x00"
	text := strings.Join(info, "\x00") + "\x00"
	h := elf.Header64{Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 2, Shoff: uint64(64 + len(text) + len(names))}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	modinfo := elf.Section64{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: 64, Size: uint64(len(text))}
	strtab := elf.Section64{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: uint64(64 + len(text)), Size: uint64(len(names))}
	return encode(h, []byte(text), []byte(names), elf.Section64{}, modinfo, strtab)
}

func put(t *testing.T, dir, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func store(t *testing.T) *Store {
	t.Helper()
	s, err := At(filepath.Join(t.TempDir(), "kernels"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
