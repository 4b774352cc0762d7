package image_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"faultline/targetfs/disk"
	"faultline/targetfs/image"
)

// Example makes an image with one file in it, and reads the file after closing and opening.
func Example() {
	dir, err := os.MkdirTemp("", "image")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	dev, err := os.Create(filepath.Join(dir, "gfs2.img"))
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	const size = 64 << 20
	if err := dev.Truncate(size); err != nil {
		log.Fatal(err)
	}
	if err := image.Format(dev, size, image.FormatOptions{}); err != nil {
		log.Fatal(err)
	}
	if err := writeHello(dev, size); err != nil {
		log.Fatal(err)
	}
	text, err := readHello(dev, size)
	fmt.Println(text, err)
	// Output: Hello, GFS2 <nil>
}

func writeHello(dev image.Device, size int64) error {
	im, err := image.Open(dev, size, image.Options{})
	if err != nil {
		return err
	}
	var ino uint64
	err = im.Update(func(tx *image.Tx) (err error) {
		ino, err = tx.Create(im.Root(), "hello", image.NewInode{Mode: disk.ModeReg | 0o644})
		return err
	})
	if err != nil {
		return err
	}
	if _, err := im.WriteAt(ino, []byte("Hello, GFS2"), 0); err != nil {
		return err
	}
	return im.Close()
}

func readHello(dev image.Device, size int64) (string, error) {
	im, err := image.Open(dev, size, image.Options{ReadOnly: true})
	if err != nil {
		return "", err
	}
	var file disk.Dinode
	err = im.View(func(tx *image.Tx) error {
		inum, err := tx.Lookup(im.Root(), "hello")
		if err == nil {
			file, err = tx.Stat(inum.Addr)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	text := make([]byte, file.Size)
	_, err = im.ReadAt(file.Num.Addr, text, 0)
	return string(text), err
}
