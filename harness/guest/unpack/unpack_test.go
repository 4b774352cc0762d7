package unpack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/onsi/gomega"
	"github.com/ulikunitz/xz"
)

// pack compresses text as the ending says.
func pack(t *testing.T, ext string, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch ext {
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".xz":
		w, err = xz.NewWriter(&b)
	case ".zst":
		w, err = zstd.NewWriter(&b)
	default:
		return text
	}
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func arMember(name string, text []byte) string {
	pad := strings.Repeat("\n", len(text)%2)
	return fmt.Sprintf("%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", len(text)) + string(text) + pad
}

// deb is a package with the given tar.
func deb(t *testing.T, ext string, files []byte) []byte {
	return []byte(arMagic + arMember("debian-binary", []byte("2.0\n")) + arMember("control.tar.xz/", []byte("odd")) + arMember("data.tar"+ext, pack(t, ext, files)))
}

// tarball is a tar with one entry.
func tarball(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		text := strings.Repeat(h.Name+"\n", 300)
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(text))
		} else {
			text = ""
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func regular(name string, mode int64) tar.Header {
	return tar.Header{Name: name, Mode: mode, Typeflag: tar.TypeReg}
}

func unpackInto(t *testing.T, dir string, archive []byte, where func(string) string) error {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	return Deb(bytes.NewReader(archive), root, where)
}

func same(name string) string { return name }

func TestDeb(t *testing.T) {
	for _, ext := range []string{"", ".gz", ".xz", ".zst"} {
		t.Run("data.tar"+ext, func(t *testing.T) {
			g := gomega.NewWithT(t)
			dir := t.TempDir()
			files := tarball(t, tar.Header{Name: "./usr/", Typeflag: tar.TypeDir, Mode: 0o755}, regular("./usr/bin/linux", 0o4755), regular("./usr/lib/note", 0o600),
				regular("./usr/other", 0o644), tar.Header{Name: "./usr/lib/link", Linkname: "../bin/linux", Typeflag: tar.TypeSymlink},
				tar.Header{Name: "./dev/null", Typeflag: tar.TypeChar, Mode: 0o666})
			err := unpackInto(t, dir, deb(t, ext, files), func(name string) string {
				if name == "usr/other" {
					return ""
				}
				return strings.Replace(name, "usr/", "k/", 1)
			})
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(os.ReadFile(dir + "/k/lib/link")).To(gomega.BeEquivalentTo(strings.Repeat("./usr/bin/linux\n", 300)))
			g.Expect(filepath.Glob(dir + "/*/*")).To(gomega.ConsistOf(dir+"/k/bin", dir+"/k/lib"))
			g.Expect(filepath.Glob(dir + "/*")).To(gomega.ConsistOf(dir + "/k"))
			info, err := os.Stat(dir + "/k/bin/linux")
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(info.Mode()).To(gomega.Equal(os.FileMode(0o755)), "executable, and nothing more")
			info, err = os.Stat(dir + "/k/lib/note")
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(info.Mode()).To(gomega.Equal(os.FileMode(0o644)))
		})
	}
}

// What an archive says never leads out of the folder, whoever made it.
func TestHostileArchives(t *testing.T) {
	link := func(name, to string) tar.Header {
		return tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeSymlink}
	}
	for name, c := range map[string]struct {
		files []tar.Header
		want  string
	}{
		"a path upwards":              {[]tar.Header{regular("../evil", 0o644)}, "leads outside"},
		"a path upwards in between":   {[]tar.Header{regular("a/../../evil", 0o644)}, "leads outside"},
		"an absolute path":            {[]tar.Header{regular("/evil", 0o644)}, "leads outside"},
		"a link upwards":              {[]tar.Header{link("a/link", "../../evil")}, "leads outside"},
		"an absolute link":            {[]tar.Header{link("link", "/etc/passwd")}, "leads outside"},
		"a file twice":                {[]tar.Header{regular("a", 0o644), regular("a", 0o644)}, "exists"},
		"a file over a link":          {[]tar.Header{link("a", "b"), regular("a", 0o644)}, "exists"},
		"a folder that is a link out": {[]tar.Header{link("a/b", "../c"), link("c", "a/../.."), regular("c/evil", 0o644)}, "leads outside"},
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			outer := t.TempDir()
			dir := filepath.Join(outer, "in")
			g.Expect(os.Mkdir(dir, 0o755)).To(gomega.Succeed())
			g.Expect(unpackInto(t, dir, deb(t, ".gz", tarball(t, c.files...)), same)).To(gomega.MatchError(gomega.ContainSubstring(c.want)))
			g.Expect(filepath.Glob(outer + "/*")).To(gomega.ConsistOf(dir))
		})
	}
}

// The folder's own guard holds also where a path goes through a link that was there before.
func TestALinkThatWasThere(t *testing.T) {
	g := gomega.NewWithT(t)
	outer := t.TempDir()
	dir := filepath.Join(outer, "in")
	g.Expect(os.Mkdir(dir, 0o755)).To(gomega.Succeed())
	g.Expect(os.Symlink("..", dir+"/up")).To(gomega.Succeed())
	g.Expect(unpackInto(t, dir, deb(t, "", tarball(t, regular("up/evil", 0o644))), same)).NotTo(gomega.Succeed())
	g.Expect(outer + "/evil").NotTo(gomega.BeAnExistingFile())
}

// An archive that is cut off anywhere is an error, never a shorter archive.
func TestTruncation(t *testing.T) {
	for _, ext := range []string{"", ".gz", ".xz", ".zst"} {
		t.Run("data.tar"+ext, func(t *testing.T) {
			g := gomega.NewWithT(t)
			whole := deb(t, ext, tarball(t, regular("a", 0o644), regular("b", 0o644)))
			g.Expect(unpackInto(t, t.TempDir(), whole, same)).To(gomega.Succeed())
			step := max(1, len(whole)/60)
			for n := 0; n < len(whole)-1; n += step { // the last byte may be the padding
				g.Expect(unpackInto(t, t.TempDir(), whole[:n], same)).NotTo(gomega.Succeed(), "the first %d of %d bytes", n, len(whole))
			}
		})
	}
}

// A flipped bit is found by the checksum of the compression.
func TestCorruption(t *testing.T) {
	for _, ext := range []string{".gz", ".xz", ".zst"} {
		g := gomega.NewWithT(t)
		whole := deb(t, ext, tarball(t, regular("a", 0o644)))
		whole[len(whole)-12] ^= 1
		g.Expect(unpackInto(t, t.TempDir(), whole, same)).NotTo(gomega.Succeed(), ext)
	}
}

func TestNoPackage(t *testing.T) {
	for text, want := range map[string]string{
		"":              "read the magic: unexpected EOF",
		"PK\x03\x04zip": "read the magic: unexpected EOF",
		"#!/bin/sh\nls": "it is no ar archive",
		arMagic:         "look for data.tar: unexpected EOF",
		arMagic + arMember("debian-binary", []byte("2.0\n")):                                  "look for data.tar: unexpected EOF",
		arMagic + strings.Replace(arMember("data.tar", nil), "0         `", "-1        `", 1): `the header of member "data.tar" is malformed`,
		arMagic + strings.Replace(arMember("data.tar", nil), "`", "'", 1):                     `the header of member "data.tar" is malformed`,
	} {
		gomega.NewWithT(t).Expect(unpackInto(t, t.TempDir(), []byte(text), same)).To(gomega.MatchError(gomega.ContainSubstring(want)), "%q", text)
	}
}
