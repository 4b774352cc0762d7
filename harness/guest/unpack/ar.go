package unpack

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The parts of an ar(5) archive: a magic, then members, each with a header of 60 bytes and data padded to an even length.
const (
	arMagic    = "!<arch>\n"
	arHeader   = 60
	arNameEnd  = 16
	arSize     = 48
	arSizeEnd  = 58
	arTrailer  = "`\n"
	memberData = "data.tar"
)

// dataMember finds the member of a Debian package (deb(5)) that holds its files. It returns the member's name, whose ending tells the compression.
func dataMember(r io.Reader) (string, io.Reader, error) {
	var magic [len(arMagic)]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return "", nil, fmt.Errorf("read the magic: %w", short(err))
	}
	if string(magic[:]) != arMagic {
		return "", nil, errors.New("it is no ar archive")
	}
	for {
		name, size, err := memberHeader(r)
		if err != nil {
			return "", nil, err
		}
		if strings.HasPrefix(name, memberData) {
			return name, &member{r, size}, nil
		}
		if _, err := io.CopyN(io.Discard, r, size+size%2); err != nil {
			return "", nil, fmt.Errorf("skip member %s: %w", name, short(err))
		}
	}
}

func memberHeader(r io.Reader) (string, int64, error) {
	var h [arHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return "", 0, fmt.Errorf("look for %s: %w", memberData, short(err))
	}
	name := strings.TrimSuffix(strings.TrimRight(string(h[:arNameEnd]), " "), "/")
	size, err := strconv.ParseInt(strings.TrimRight(string(h[arSize:arSizeEnd]), " "), 10, 64)
	if err != nil || size < 0 || string(h[arSizeEnd:]) != arTrailer {
		return "", 0, fmt.Errorf("the header of member %q is malformed", name)
	}
	return name, size, nil
}

// member reads what is left of a member. An archive that ends before the member does is an error, also where a tar would take it for its end.
type member struct {
	r    io.Reader
	left int64
}

func (m *member) Read(p []byte) (int, error) {
	if m.left == 0 {
		return 0, io.EOF
	}
	n, err := m.r.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	if m.left > 0 {
		err = short(err)
	}
	return n, err
}

// short makes an end where more was due an error.
func short(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
