// Package kernels fetches, keeps and describes the kernels that guests boot: User Mode Linux and distribution kernels out of Debian's packages, and the
// user's own builds. They lie in one folder each below the user's cache folder. It may import harness/guest/unpack, harness/guest/apt and
// harness/guest/elfpatch.
//
//	store, err := kernels.Open()
//	k, err := store.Fetch(ctx, "uml-6.1", func(line string) { fmt.Fprintln(os.Stderr, line) })
//	k, err = store.Lookup(kernels.UML, "6.1")
//	exec.Command(k.Linux, "mem=512M", "initrd="+initrd, "con=null", "con0=fd:0,fd:1")
package kernels

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Kind is how a kernel is started.
type Kind string

const (
	// UML is User Mode Linux: an ordinary program.
	UML Kind = "uml"
	// BzImage is an x86 boot image, for a virtual machine.
	BzImage Kind = "bzimage"
)

// Kernel is a kernel in the store.
type Kernel struct {
	// Name is how users call it: uml-6.1, deb-6.1.0-50-amd64, or their own word.
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Release is what uname -r says in it.
	Release string `json:"release"`
	// Linux is the path of the program or the boot image. Nothing else is needed to start it: a UML program finds its C library itself.
	Linux string `json:"linux"`
	// Modules is the path of the folder that holds modules.dep, modules.builtin and the modules, which may be compressed; "" if there are none.
	// In modules.dep the last dependency is to be loaded first.
	Modules string `json:"modules,omitempty"`
	// From tells where it came from: a package and its version, or a path.
	From string `json:"from"`
	// Home is the folder that the program finds its C library by; "" if it uses the machine's.
	Home string `json:"home,omitempty"`
	// Source tells whether a user's build has changed since.
	Source string `json:"source,omitempty"`
}

// description is the file in a kernel's folder that describes it. Paths in it are relative to the folder.
const description = "kernel.json"

// read reads a kernel's description.
func read(dir string) (Kernel, error) {
	path := filepath.Join(dir, description)
	text, err := os.ReadFile(path)
	if err != nil {
		return Kernel{}, fmt.Errorf("read a kernel's description: %w", err)
	}
	var k Kernel
	if err := json.Unmarshal(text, &k); err != nil {
		return Kernel{}, fmt.Errorf("read %s: %w", path, err)
	}
	return k.in(dir), nil
}

// write writes a kernel's description into its folder.
func (k Kernel) write(dir string) error {
	text, err := json.MarshalIndent(k, "", "\t")
	if err != nil {
		return fmt.Errorf("describe kernel %s: %w", k.Name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, description), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write a kernel's description: %w", err)
	}
	return nil
}

// in is the kernel with its paths below dir.
func (k Kernel) in(dir string) Kernel {
	k.Linux = filepath.Join(dir, k.Linux)
	if k.Modules != "" {
		k.Modules = filepath.Join(dir, k.Modules)
	}
	return k
}
