package disk

import "fmt"

// CorruptError reports bytes that break a rule of the format.
type CorruptError struct {
	Block uint64 // address of the block, in file-system blocks
	What  string // the rule that is broken, with the values found
}

func (e *CorruptError) Error() string { return fmt.Sprintf("block %d is corrupt: %s", e.Block, e.What) }

// Corrupt makes a CorruptError about block.
func Corrupt(block uint64, format string, args ...any) error {
	return &CorruptError{Block: block, What: fmt.Sprintf(format, args...)}
}

// UnsupportedError reports a valid structure that this program can't work with.
type UnsupportedError struct {
	Block uint64
	What  string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("block %d is not supported: %s", e.Block, e.What)
}

// Unsupported makes an UnsupportedError about block.
func Unsupported(block uint64, format string, args ...any) error {
	return &UnsupportedError{Block: block, What: fmt.Sprintf(format, args...)}
}
