package results

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// File is one file of a bundle.
type File struct {
	Name    string
	Content io.Reader
}

// maxName is the longest name of a file or folder in a bundle. Allure takes attachments with names of 1 to 100 characters of
// A-Z, a-z, 0-9, dot, dash and underscore only; every other reader takes those, too.
const maxName = 100

// reportName is the first file of every bundle.
const reportName = "report.txt"

// maxBundles bounds how many bundles of one case there may be in a folder.
const maxBundles = 10_000

// Bundle writes everything there is about a failure into a new folder under dir, which it creates if need be: report.txt,
// which tells the story, then the files in their order. It returns their paths best first, fit for Case.Attachments. Names are
// made safe for every CI system. An earlier bundle of the same case is kept. On an error the paths are those that were written.
func Bundle(dir string, c Case, files ...File) (paths []string, err error) {
	folder, err := newFolder(dir, c.ID)
	if err != nil {
		return nil, fmt.Errorf("bundle of %s: %w", c.ID, err)
	}
	names := fileNames(files)
	report := func(w io.Writer) error { return writeReport(w, c, names) }
	for i, name := range names {
		write := report
		if i > 0 {
			write = func(w io.Writer) error { _, err := io.Copy(w, files[i-1].Content); return err }
		}
		path := filepath.Join(folder, name)
		if err := writeFile(path, os.O_EXCL, write); err != nil {
			return paths, fmt.Errorf("bundle of %s: %w", c.ID, err)
		}
		paths = append(paths, path)
	}
	if err := errors.Join(syncDir(folder), syncDir(dir)); err != nil {
		return paths, fmt.Errorf("bundle of %s: %w", c.ID, err)
	}
	return paths, nil
}

// newFolder makes a folder that did not exist before.
func newFolder(dir string, id ID) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	base := safeName(id.Name+"--"+id.Class, maxName-len("-10000"))
	for n := 1; n <= maxBundles; n++ {
		folder := filepath.Join(dir, numbered(base, n))
		err := os.Mkdir(folder, 0o755)
		if err == nil || !errors.Is(err, os.ErrExist) {
			return folder, err
		}
	}
	return "", fmt.Errorf("%s holds %d bundles of it already", dir, maxBundles)
}

// fileNames are report.txt and the safe names of the files, all different.
func fileNames(files []File) []string {
	names := []string{reportName}
	taken := map[string]bool{strings.ToLower(reportName): true}
	for _, f := range files {
		safe := safeName(f.Name, maxName-len("-10000"))
		ext := filepath.Ext(safe)
		name := safe
		for n := 2; taken[strings.ToLower(name)]; n++ { // two names that differ in case only are one on some systems
			name = numbered(strings.TrimSuffix(safe, ext), n) + ext
		}
		taken[strings.ToLower(name)] = true
		names = append(names, name)
	}
	return names
}

func numbered(name string, n int) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, n)
}

// safeName turns s into 1 to limit characters of A-Z, a-z, 0-9, dot, dash and underscore that do not begin with a dot or a
// dash. A name that had to be cut ends with a hash of the whole.
func safeName(s string, limit int) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, s)
	safe = strings.TrimLeft(safe, ".-")
	if safe == "" {
		safe = "unnamed"
	}
	if len(safe) <= limit {
		return safe
	}
	h := fnv.New32a()
	io.WriteString(h, s)
	mark := fmt.Sprintf("-%08x", h.Sum32())
	return safe[:limit-len(mark)] + mark
}

// writeReport tells the story of one failure: the verdict, how to repeat it, the facts, the other files, the evidence.
func writeReport(w io.Writer, c Case, names []string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n", c.Headline())
	if c.Repro != "" {
		fmt.Fprintf(&b, "repeat:\n\n    %s\n\n", oneLine(c.Repro))
	}
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, p := range facts(c) {
		fmt.Fprintf(table, "%s\t%s\n", oneLine(p.Name), oneLine(p.Value))
	}
	table.Flush()
	if len(names) > 1 {
		fmt.Fprintf(&b, "\nfiles beside this one, best first:\n\n    %s\n", strings.Join(names[1:], "\n    "))
	}
	if c.Detail != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimRight(clean(c.Detail), "\n"))
	}
	for i, a := range c.Reruns {
		fmt.Fprintf(&b, "\n---- further attempt %d: %s\n", i+1, headline(a.Verdict, a.Message))
		if a.Detail != "" {
			fmt.Fprintf(&b, "\n%s\n", strings.TrimRight(clean(a.Detail), "\n"))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// facts are what is known about a case in a word or two each. Empty ones are left out.
func facts(c Case) []Property {
	ps := []Property{
		{"case", c.Name},
		{"on", c.Class},
		{"suite", c.Suite},
		{"verdict", string(c.Verdict)},
		{"kind", string(c.kind())},
		{"rate", c.Rate()},
		{"signature", c.Signature},
		{"labels", strings.Join(c.Labels, " ")},
	}
	if !c.Start.IsZero() {
		ps = append(ps, Property{"started", c.Start.Format(time.RFC3339)})
	}
	ps = append(ps, Property{"took", c.Elapsed.Round(time.Millisecond).String()})
	ps = append(ps, c.Properties...)
	kept := ps[:0]
	for _, p := range ps {
		if p.Value != "" {
			kept = append(kept, p)
		}
	}
	return kept
}
