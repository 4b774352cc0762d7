package fused

import (
	"fmt"
	"log"
	"strconv"
	"strings"
	"time"

	"faultline/targetfs/image"
	"faultline/targetfs/usercopy"
)

// Options say what is mounted, where and how. Image and one directory for each node must be set; the rest may be zero.
type Options struct {
	Image string   // the file with the image
	Dirs  []string // where node 0, node 1, ... are mounted

	ReadOnly           bool            // ro
	NoAtime            bool            // noatime
	AllowOther         bool            // allow_other
	DefaultPermissions bool            // default_permissions: the kernel checks permissions also where only root gets in
	Suid, Dev          bool            // suid, dev: programs and devices on the image mean what they say; root only
	Journal            int             // journal=N: the one that takes the changes
	Nodes              int             // nodes=N: mounts of the image, 1 when 0
	Quota              image.QuotaMode // quota=off, account, on
	Inodes             int             // inodes=N: how many the kernel should know at a time on a node, 131072 when 0

	// Copy is the user-copy policy to begin with, copy=POLICY. With kernel the kernel caches attributes and does not say when a
	// read or a write begins, and so the policy can't be changed afterwards, unless Switchable is set.
	Copy       usercopy.Policy
	Switchable bool // switchable

	CheckOrder bool          // fail operations that break the lock order; for tests
	Commit     time.Duration // flush this long after a change, 5 s when 0
	Log        *log.Logger   // where errors of the image go, one line each; log.Default when nil
}

// ParseOptions reads the text after -o: options with commas between them. An option that isn't known, or whose value can't be used, is
// an error that names it. Image and Dirs are for the caller to set.
func ParseOptions(text string) (Options, error) {
	var o Options
	for _, option := range strings.Split(text, ",") {
		if option == "" {
			continue
		}
		name, value, _ := strings.Cut(option, "=")
		if err := o.set(name, value, strings.Contains(option, "=")); err != nil {
			return o, fmt.Errorf("mount option %q: %w", option, err)
		}
	}
	return o, nil
}

// flags are the options without a value, and what they set. Those that mean nothing here are what mount(8) adds.
var flags = map[string]func(*Options){
	"ro": func(o *Options) { o.ReadOnly = true }, "rw": func(o *Options) { o.ReadOnly = false },
	"noatime": func(o *Options) { o.NoAtime = true }, "relatime": func(o *Options) { o.NoAtime = false },
	"allow_other":         func(o *Options) { o.AllowOther = true },
	"default_permissions": func(o *Options) { o.DefaultPermissions = true },
	"suid":                func(o *Options) { o.Suid = true }, "nosuid": func(o *Options) { o.Suid = false },
	"dev": func(o *Options) { o.Dev = true }, "nodev": func(o *Options) { o.Dev = false },
	"switchable": func(o *Options) { o.Switchable = true },
	"defaults":   func(*Options) {},
}

func (o *Options) set(name, value string, hasValue bool) (err error) {
	if set, ok := flags[name]; ok && !hasValue {
		set(o)
		return nil
	}
	switch name {
	case "journal":
		o.Journal, err = number(value, 0)
	case "inodes":
		o.Inodes, err = number(value, 1)
	case "nodes":
		o.Nodes, err = number(value, 1)
	case "copy":
		o.Copy, err = usercopy.Parse(value)
	case "quota":
		modes := map[string]image.QuotaMode{"off": image.QuotaOff, "account": image.QuotaAccount, "on": image.QuotaOn}
		mode, ok := modes[value]
		if !ok {
			return fmt.Errorf("want off, account or on")
		}
		o.Quota = mode
	default:
		return fmt.Errorf("there is no such option")
	}
	return err
}

func number(text string, least int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		return 0, fmt.Errorf("want a number, %d or more", least)
	}
	return n, nil
}

// nodes is the number of mounts.
func (o *Options) nodes() int { return max(o.Nodes, 1) }

// fast tells whether the kernel may cache attributes and need not say when a system call begins.
func (o *Options) fast() bool {
	return !o.Switchable && o.Copy == usercopy.Kernel
}
