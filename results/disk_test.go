package results

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/onsi/gomega"
)

// Whoever has the file open reads the old content to its end: the new one is another file, put in its place.
func TestReplaceFileIsAllOrNothing(t *testing.T) {
	g := gomega.NewWithT(t)
	path := filepath.Join(t.TempDir(), "f")
	put := func(content string, err error) error {
		return replaceFile(path, func(w io.Writer) error { io.WriteString(w, content); return err })
	}
	g.Expect(put("old", nil)).To(gomega.Succeed())
	reader, err := os.Open(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer reader.Close()

	g.Expect(put("newer", nil)).To(gomega.Succeed())
	g.Expect(io.ReadAll(reader)).To(gomega.Equal([]byte("old")))
	g.Expect(readFile(t, path)).To(gomega.Equal("newer"))

	broken := errors.New("broken")
	g.Expect(put("half", broken)).To(gomega.MatchError(broken))
	g.Expect(readFile(t, path)).To(gomega.Equal("newer"))
	left, err := os.ReadDir(filepath.Dir(path))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(left).To(gomega.HaveLen(1))
}
