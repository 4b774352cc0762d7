package prog

import (
	"embed"
	"strings"
)

//go:embed examples/*.prog
var examples embed.FS

// Example is the text of the example program of an operation, "" if there is none.
func Example(op string) string {
	text, err := examples.ReadFile("examples/" + op + ".prog")
	if err != nil {
		return ""
	}
	return string(text)
}

// Examples lists the example programs' names without ".prog".
func Examples() []string {
	entries, err := examples.ReadDir("examples")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".prog"))
	}
	return names
}
