package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/attune-shop/attune/cmd/attune/internal/datasets"
)

// csvFlags describe a data set of one's own.
type csvFlags struct {
	Train     string `help:"File to train on." placeholder:"FILE"`
	Test      string `help:"File of what was chosen next." placeholder:"FILE"`
	Prefixes  string `help:"In place of --test for next-item, a file of lines of items, a tab, and the next item." placeholder:"FILE"`
	Negatives string `help:"For leave-one-out, a file of lines of (user,item) and the items to rank that item among." placeholder:"FILE"`
	Protocol  string `help:"top-k asks for all test items of a user by one list, leave-one-out for each by its own, next-item for each item of a session by those before it. Without it what the files are for, else top-k." placeholder:"NAME"`
	K         *int   `help:"Length of a list; 10 without it." placeholder:"N"`
	Seen      *bool  `help:"Whether lists may hold what the user knows; only those of next-item without it." negatable:""`
}

// given returns the first flag that is set, "" where none is.
func (c *csvFlags) given() string {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"train", c.Train != ""}, {"test", c.Test != ""}, {"prefixes", c.Prefixes != ""}, {"negatives", c.Negatives != ""},
		{"protocol", c.Protocol != ""}, {"k", c.K != nil}, {"seen", c.Seen != nil},
	} {
		if f.set {
			return f.name
		}
	}
	return ""
}

// files returns the files of a set, which lie below a folder where one is given.
func (c *csvFlags) files(dir string) (datasets.Files, error) {
	below := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	f := datasets.Files{
		Train: below(c.Train), Test: below(c.Test), Prefixes: below(c.Prefixes), Negatives: below(c.Negatives),
		Protocol: c.Protocol, K: 10,
	}
	if f.Protocol == "" {
		switch {
		case f.Prefixes != "":
			f.Protocol = datasets.NextItem
		case f.Negatives != "":
			f.Protocol = datasets.LeaveOneOut
		default:
			f.Protocol = datasets.TopK
		}
	}
	f.Seen = f.Protocol == datasets.NextItem
	if c.Seen != nil {
		f.Seen = *c.Seen
	}
	if c.K != nil {
		f.K = *c.K
	}
	return f, checkFiles(f)
}

// checkFiles tells which flag is missing, wrong, or against another.
func checkFiles(f datasets.Files) error {
	switch {
	case f.Protocol != datasets.TopK && f.Protocol != datasets.LeaveOneOut && f.Protocol != datasets.NextItem:
		return fmt.Errorf("--protocol must be %s, %s or %s", datasets.TopK, datasets.LeaveOneOut, datasets.NextItem)
	case f.K < 1:
		return errors.New("--k must be at least 1")
	case f.Train == "":
		return errors.New("--train is required for --dataset csv")
	case f.Test == "" && f.Prefixes == "":
		return errors.New("--test is required for --dataset csv, or --prefixes")
	case f.Test != "" && f.Prefixes != "":
		return errors.New("--prefixes stands in place of --test; give one of them")
	case f.Prefixes != "" && f.Protocol != datasets.NextItem:
		return fmt.Errorf("--prefixes is for --protocol %s", datasets.NextItem)
	case f.Negatives != "" && f.Protocol != datasets.LeaveOneOut:
		return fmt.Errorf("--negatives is for --protocol %s", datasets.LeaveOneOut)
	}
	for _, file := range []struct{ flag, path string }{
		{"train", f.Train}, {"test", f.Test}, {"prefixes", f.Prefixes}, {"negatives", f.Negatives},
	} {
		if file.path == "" {
			continue
		}
		if _, err := os.Stat(file.path); err != nil {
			return fmt.Errorf("--%s: %w", file.flag, err)
		}
	}
	return nil
}
