package apt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Source is a place of packages: one URI with one suite, as sources.list(5) has them.
type Source struct {
	// URI is the archive, Suite a folder below its dists.
	URI, Suite string
	// Components are main, contrib and the like.
	Components []string
	// SignedBy are the absolute paths of the key rings that may sign it, comma-separated; "" for those that apt trusts anyway.
	SignedBy string
}

// System reads the sources of binary packages that are enabled in an apt folder (/etc/apt): sources.list, sources.list.d/*.list and *.sources.
// Files that do not exist are no error.
func System(etc string) ([]Source, error) {
	lists, err := filepath.Glob(filepath.Join(etc, "sources.list.d", "*.list"))
	if err != nil {
		return nil, fmt.Errorf("look for apt sources in %s: %w", etc, err)
	}
	stanzas, err := filepath.Glob(filepath.Join(etc, "sources.list.d", "*.sources"))
	if err != nil {
		return nil, fmt.Errorf("look for apt sources in %s: %w", etc, err)
	}
	var all []Source
	for _, name := range slices.Concat([]string{filepath.Join(etc, "sources.list")}, stanzas, lists) {
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read apt's sources: %w", err)
		}
		parse := parseList
		if strings.HasSuffix(name, ".sources") {
			parse = parseStanzas
		}
		all = append(all, parse(string(text))...)
	}
	return all, nil
}

// parseList reads the one-line form: deb [option=value ...] URI SUITE COMPONENT ... What it does not understand it leaves out.
func parseList(text string) []Source {
	var all []Source
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if kind != "deb" {
			continue
		}
		options := ""
		if rest = strings.TrimSpace(rest); strings.HasPrefix(rest, "[") {
			options, rest, _ = strings.Cut(rest[1:], "]")
		}
		words := strings.Fields(rest)
		if len(words) < 3 {
			continue
		}
		s := Source{URI: words[0], Suite: words[1], Components: words[2:]}
		for _, option := range strings.Fields(options) {
			if keys, is := strings.CutPrefix(strings.ToLower(option), "signed-by="); is {
				s.SignedBy = keyrings(option[len(option)-len(keys):])
			}
		}
		all = append(all, s)
	}
	return all
}

// parseStanzas reads the deb822 form: paragraphs of fields. Every URI of a paragraph has every one of its suites.
func parseStanzas(text string) []Source {
	var all []Source
	for _, p := range paragraphs(text) {
		if !slices.Contains(strings.Fields(p["types"]), "deb") || slices.Contains([]string{"no", "false"}, strings.ToLower(p["enabled"])) {
			continue
		}
		for _, uri := range strings.Fields(p["uris"]) {
			for _, suite := range strings.Fields(p["suites"]) {
				all = append(all, Source{uri, suite, strings.Fields(p["components"]), keyrings(p["signed-by"])})
			}
		}
	}
	return all
}

// paragraphs reads fields by their names in lower case. A line that begins with a space goes on with the field before it; comments are left out.
func paragraphs(text string) []map[string]string {
	var all []map[string]string
	var now map[string]string
	field := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		name, value, isField := strings.Cut(line, ":")
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "":
			now = nil
		case line[0] == ' ' || line[0] == '\t':
			if now != nil {
				now[field] += "\n" + strings.TrimSpace(line)
			}
		case isField:
			if now == nil {
				now = map[string]string{}
				all = append(all, now)
			}
			field = strings.ToLower(name)
			now[field] = strings.TrimSpace(value)
		}
	}
	return all
}

// keyrings keeps the files of a Signed-By: not fingerprints, and not a key in the text.
func keyrings(value string) string {
	words := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(", \t\n", r) })
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return !filepath.IsAbs(w) }), ",")
}
