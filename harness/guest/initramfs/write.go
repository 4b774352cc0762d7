package initramfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// ModuleDir is the folder of the modules in the guest. Their names sort in the order in which they are to be inserted.
const ModuleDir = "/modules"

// Create makes the file path with an archive for the kernel whose modules are in dir, as OpenTree and Resolve find them. The error
// is a *NoModule if it lacks one of those that it must have.
func Create(path, init, dir string, must, maybe []string) error {
	tree, err := OpenTree(dir)
	if err != nil {
		return err
	}
	modules, err := tree.Resolve(must, maybe)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write an initramfs: %w", err)
	}
	return errors.Join(Write(f, init, modules), f.Close())
}

// Write writes an archive with init as /init, /dev/console and the modules, in this order. Of init goes what the kernel loads, without symbols and debug data. One that
// is linked dynamically brings its loader and its libraries.
func Write(w io.Writer, init string, modules []string) error {
	f, err := os.Open(init)
	if err != nil {
		return fmt.Errorf("write an initramfs: %w", err)
	}
	defer f.Close()
	libraries, err := needed(f)
	if err != nil {
		return fmt.Errorf("write an initramfs: %w", err)
	}
	program, size, err := loaded(f)
	if err != nil {
		return fmt.Errorf("write an initramfs: %w", err)
	}
	c := &cpio{w: w}
	c.dir("dev")
	c.char("dev/console", 5, 1) // the kernel opens it before /init can mount anything
	c.dir(ModuleDir[1:])
	if err := c.addNeeded(libraries, map[string]bool{}); err != nil {
		return fmt.Errorf("write an initramfs: %w", err)
	}
	if err := c.file("init", 0o755, size, program); err != nil {
		return fmt.Errorf("write an initramfs: %w", err)
	}
	for i, module := range modules {
		data, err := readModule(module)
		if err != nil {
			return fmt.Errorf("write an initramfs: %w", err)
		}
		name := fmt.Sprintf("%s/%03d-%s.ko", ModuleDir[1:], i, moduleName(module))
		if err := c.file(name, 0o644, int64(len(data)), bytes.NewReader(data)); err != nil {
			return fmt.Errorf("write an initramfs: %w", err)
		}
	}
	if err := c.close(); err != nil {
		return fmt.Errorf("write an initramfs: %w", err)
	}
	return nil
}
