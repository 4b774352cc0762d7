package image

import (
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"

	"faultline/targetfs/disk"
)

// A word of a Go field name begins with a capital letter behind a small one: FsFormat, AtimeNsec.
var wordStart = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// kernelNames are the fields whose names in the kernel do not follow from those in package disk.
var kernelNames = map[string]string{"HeaderHash": "hash", "LocalInodes": "local_dinodes"}

// dumpFields prints a structure of package disk, a field a line, with the kernel's names: GoalMeta with the prefix "di" is di_goal_meta.
// The metadata header and what is reserved are left out.
func dumpFields(w io.Writer, prefix string, structure any) {
	v := reflect.ValueOf(structure)
	for _, field := range reflect.VisibleFields(v.Type()) {
		if field.Anonymous || len(field.Index) > 1 || field.Name == "_" {
			continue
		}
		name, given := kernelNames[field.Name]
		if !given {
			name = strings.ToLower(wordStart.ReplaceAllString(field.Name, "${1}_$2"))
		}
		fmt.Fprintf(w, "  %-20s  %s\n", prefix+"_"+name, fieldText(field.Name, v.FieldByIndex(field.Index).Interface()))
	}
}

// fieldText shows bits in hexadecimal, modes in octal, text as text.
func fieldText(name string, value any) string {
	switch x := value.(type) {
	case disk.Inum:
		return fmt.Sprintf("block %d, formal number %d", x.Addr, x.FormalIno)
	case [16]byte:
		return fmt.Sprintf("%x-%x-%x-%x-%x", x[:4], x[4:6], x[6:8], x[8:10], x[10:])
	case [64]byte:
		text, _, _ := strings.Cut(string(x[:]), "\x00")
		return fmt.Sprintf("%q", text)
	}
	switch name {
	case "Mode":
		return fmt.Sprintf("%#o", value)
	case "Flags", "HeaderHash", "Crc":
		return fmt.Sprintf("%#x", value)
	}
	return fmt.Sprint(value)
}
