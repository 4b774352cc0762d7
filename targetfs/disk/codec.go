package disk

import (
	"encoding/binary"
	"hash/crc32"
)

var be = binary.BigEndian

// decode reads a T from the start of b. A buffer that is too short is corruption of the block it came from.
func decode[T any](b []byte, addr uint64) (T, error) {
	var v T
	if _, err := binary.Decode(b, be, &v); err != nil {
		return v, Corrupt(addr, "%d bytes are too few for a %T", len(b), v)
	}
	return v, nil
}

// encode writes v at the start of b, which must be large enough.
func encode(b []byte, v any) {
	if _, err := binary.Encode(b, be, v); err != nil {
		panic("disk: " + err.Error())
	}
}

// Hash is the CRC-32 (IEEE 802.3) that GFS2 uses for dirent names, resource group headers and lh_hash.
func Hash(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

// HashName is Hash of a file name.
func HashName(name string) uint32 { return crc32.ChecksumIEEE([]byte(name)) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c is CRC-32C without the final inversion, as the kernel's crc32c() returns it (fs/gfs2/lops.c, lh_crc).
func crc32c(b []byte) uint32 { return ^crc32.Checksum(b, castagnoli) }
