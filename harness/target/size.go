package target

import "fmt"

// sizeUnits are the letters behind a number of bytes, the largest first.
var sizeUnits = []struct {
	letter string
	bytes  int64
}{{"T", 1 << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}}

// ParseSize reads a number of bytes with K, M, G or T behind it (powers of 1024), as targets and commands write it: "512M".
func ParseSize(text string) (int64, error) {
	for _, u := range sizeUnits {
		var n int64
		if _, err := fmt.Sscanf(text, "%d"+u.letter, &n); err == nil && n > 0 && n <= 1<<20 && text == fmt.Sprint(n)+u.letter {
			return n * u.bytes, nil
		}
	}
	return 0, fmt.Errorf("the size %q is not a number with K, M, G or T behind it, such as 512M", text)
}

// parseSize is ParseSize for a part of a spec.
func parseSize(spec, text string) (int64, error) {
	n, err := ParseSize(text)
	if err != nil {
		return 0, &UsageError{spec, err.Error()}
	}
	return n, nil
}

// sizeText is the inverse of ParseSize.
func sizeText(n int64) string {
	for _, u := range sizeUnits {
		if n%u.bytes == 0 {
			return fmt.Sprint(n/u.bytes) + u.letter
		}
	}
	return fmt.Sprint(n)
}
