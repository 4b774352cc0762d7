package kernels

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// image is what a file with a kernel tells about itself.
type image struct {
	kind    Kind
	release string
}

// The header of x86 boot images (Documentation/arch/x86/boot.rst).
const (
	bootMagicAt   = 0x202 // "HdrS"
	bootMagic     = "HdrS"
	bootVersionAt = 0x20e // the place of the text with the version, less 0x200
	bootSetup     = 0x200
)

// banner is the text that every kernel prints first; UML programs hold it as it is.
var banner = regexp.MustCompile(`Linux version (\d+\.\d+[^ \x00]*) \(`)

// kernelHalf is where the addresses of a kernel that runs on bare hardware begin. UML is linked low, as programs are.
const kernelHalf = 1 << 63

func identifyFile(path string) (image, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return image{}, fmt.Errorf("read a kernel: %w", err)
	}
	return identify(text)
}

// identify tells a UML program from a boot image and finds its release.
func identify(text []byte) (image, error) {
	if bytes.HasPrefix(text, []byte(elf.ELFMAG)) {
		return identifyELF(text)
	}
	if len(text) < bootVersionAt+2 || string(text[bootMagicAt:bootMagicAt+len(bootMagic)]) != bootMagic {
		return image{}, errors.New("it is neither a UML program nor an x86 boot image (bzImage)")
	}
	at := bootSetup + int(binary.LittleEndian.Uint16(text[bootVersionAt:]))
	if at >= len(text) {
		return image{}, errors.New("the boot image ends before its version")
	}
	version, _, _ := bytes.Cut(text[at:min(at+256, len(text))], []byte{0})
	release, _, _ := strings.Cut(string(version), " ")
	if release == "" {
		return image{}, errors.New("the boot image does not tell its version")
	}
	return image{BzImage, release}, nil
}

func identifyELF(text []byte) (image, error) {
	f, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		return image{}, fmt.Errorf("read a program: %w", err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Vaddr >= kernelHalf {
			return image{}, errors.New("it is a vmlinux, which is not what boots; wanted arch/x86/boot/bzImage, or linux of a tree built with ARCH=um")
		}
	}
	m := banner.FindSubmatch(text)
	if m == nil || f.Machine != elf.EM_X86_64 {
		return image{}, errors.New("it is a program, but no User Mode Linux for x86-64")
	}
	return image{UML, string(m[1])}, nil
}
