package target

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"faultline/harness/guest"
	"faultline/harness/guest/kernels"
	"faultline/harness/machine"
	"faultline/targetfs/usercopy"
)

func umlKind() Kind {
	return Kind{
		Name:  "uml",
		Usage: "uml:KERNEL" + guestUsage,
		Doc:   "a fresh file system in a real kernel that may die, run as an ordinary process: User Mode Linux; faultline kernel list shows the kernels",
		Needs: []string{"a kernel of faultline kernel", "the type's mkfs and fsck"},
		open:  openGuest,
		tries: guestTries,
	}
}

func qemuKind() Kind {
	return Kind{
		Name:  "qemu",
		Usage: "qemu:KERNEL" + guestUsage + "[,kvm=auto|on|off]",
		Doc:   "the same in a virtual machine, for kernels of distributions",
		Needs: []string{"qemu-system-x86_64", "a kernel of faultline kernel", "the type's mkfs and fsck"},
		open:  openGuest,
		tries: guestTries,
	}
}

const guestUsage = "[,fs=gfs2][,on=ext4][,size=512M][,mkfs=OPTIONS][,mount=OPTIONS][,copy=POLICY][,nodes=1][,mem=512M][,check=end|program|batch=N|off]"

// guestTries is how many guests are started for a target, if they do not come up or die before it is ready.
const guestTries = 3

// worthAnother reports whether another guest may do better: this one did not come up, or has died. What a guest says itself the next one would say too.
func worthAnother(err error) bool {
	if failed, is := errors.AsType[*guest.Error](err); is {
		return !failed.Refused
	}
	_, died := errors.AsType[*machine.Death](err)
	return died
}

// guestOptions are what a spec of a guest says.
type guestOptions struct {
	kind   kernels.Kind
	kernel string
	fs     guestType
	on     guestType // the type below an overlay
	size   int64     // of the disk, bytes
	mkfs   string
	mount  string
	memory int64 // bytes
	check  bool  // the disk is checked when the guest was turned off
	batch  int   // and after so many programs; 0 for never
	kvm    guest.KVM
	copy   usercopy.Policy // of fs=fuse
	chosen bool            // the policy was asked for
	nodes  int             // of fs=fuse; programs run on the first
}

const (
	defaultGuestFS = "gfs2"
	defaultGuestOn = "ext4"
	defaultMemory  = 512 << 20
	leastMemory    = 128 << 20
)

func parseGuest(spec, arg string) (guestOptions, error) {
	o := guestOptions{kind: kernels.UML, size: defaultImageSize, memory: defaultMemory, check: true, kvm: guest.Auto, copy: usercopy.NoFault, nodes: 1}
	keys := []string{"fs", "on", "size", "mkfs", "mount", "copy", "nodes", "mem", "check"}
	if strings.HasPrefix(spec, qemuKind().Name+":") {
		o.kind = kernels.BzImage
		keys = append(keys, "kvm")
	}
	kernel, values, err := splitOptions(spec, arg, keys...)
	if err != nil {
		return o, err
	}
	o.kernel, o.mkfs, o.mount = kernel, values["mkfs"], values["mount"]
	if kernel == "" {
		return o, &UsageError{spec, "a kernel is missing; faultline kernel list shows those that are here"}
	}
	if err := o.parseTypes(spec, values); err != nil {
		return o, err
	}
	for key, to := range map[string]*int64{"size": &o.size, "mem": &o.memory} {
		if text, given := values[key]; given {
			if *to, err = parseSize(spec, text); err != nil {
				return o, err
			}
		}
	}
	if err := o.parseServed(spec, values); err != nil {
		return o, err
	}
	return o, o.parseChoices(spec, values)
}

func (o *guestOptions) parseTypes(spec string, values map[string]string) (err error) {
	name, given := values["fs"]
	if !given {
		name = defaultGuestFS
	}
	if o.fs, err = findGuestType(spec, name); err != nil {
		return err
	}
	on, given := values["on"]
	switch {
	case given && !o.fs.stacked:
		return &UsageError{spec, fmt.Sprintf("on= says what is below fs=overlay; %s is on a disk of its own", name)}
	case !o.fs.stacked:
		return nil
	case !given:
		on = defaultGuestOn
	}
	if o.on, err = findGuestType(spec, on); err == nil && (!o.on.onDisk() || o.on.served) {
		err = &UsageError{spec, fmt.Sprintf("on=%s is not a type for a disk", on)}
	}
	return err
}

func (o *guestOptions) parseChoices(spec string, values map[string]string) error {
	choose := func(key, fallback string, choices ...string) (string, error) {
		value, given := values[key]
		if !given {
			return fallback, nil
		}
		if !slices.Contains(choices, value) {
			return "", &UsageError{spec, fmt.Sprintf("%s=%s is not one of %s", key, value, strings.Join(choices, ", "))}
		}
		return value, nil
	}
	if text, given := values["check"]; given {
		if err := o.parseCheck(spec, text); err != nil {
			return err
		}
	}
	kvm, err := choose("kvm", string(guest.Auto), string(guest.Auto), string(guest.On), string(guest.Off))
	if err != nil {
		return err
	}
	o.kvm = guest.KVM(kvm)
	if disk := o.disk(); disk != nil && o.size < disk.minSize {
		return &UsageError{spec, fmt.Sprintf("the size %s is too small for %s; it needs at least %s", sizeText(o.size), disk.name, sizeText(disk.minSize))}
	}
	if o.memory < leastMemory {
		return &UsageError{spec, fmt.Sprintf("mem=%s is too little; a guest needs at least %s", sizeText(o.memory), sizeText(leastMemory))}
	}
	return nil
}

// disk is the type that the disk is formatted with; nil if there is none.
func (o guestOptions) disk() *fsType {
	of := o.fs
	if of.stacked {
		of = o.on
	}
	if !of.onDisk() {
		return nil
	}
	return of.disk()
}

// spec is the canonical form: what is not the default, in a fixed order, and the type always.
func (o guestOptions) spec() string {
	kind := umlKind().Name
	if o.kind == kernels.BzImage {
		kind = qemuKind().Name
	}
	spec := kind + ":" + o.kernel + ",fs=" + o.fs.name
	add := func(differs bool, key, value string) {
		if differs {
			spec += "," + key + "=" + value
		}
	}
	add(o.fs.stacked, "on", o.on.name)
	add(o.size != defaultImageSize, "size", sizeText(o.size))
	add(o.mkfs != "", "mkfs", o.mkfs)
	add(o.mount != "", "mount", o.mount)
	add(o.copy != usercopy.NoFault, "copy", o.copy.String())
	add(o.nodes != 1, "nodes", strconv.Itoa(o.nodes))
	add(o.memory != defaultMemory, "mem", sizeText(o.memory))
	add(o.checkText() != "end", "check", o.checkText())
	add(o.kvm != guest.Auto, "kvm", string(o.kvm))
	return spec
}
