// Package input holds what the readers of real files in the retail example
// share: what a reader left out and why, whether the rest can be trusted, the
// comparison of the library's figures with those of the files, and exact
// parsing of money and local time.
package input

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUntrusted reports that so much of the input was left out that figures
// made from the rest mislead. A program that sees it should exit non-zero.
var ErrUntrusted = errors.New("input: too much was left out to trust the rest")

// MaxLeftOutPercent is the share of a file's rows, or of all orders, that may
// be left out before [Summary.Verdict] turns into [ErrUntrusted].
const MaxLeftOutPercent = 1

// Place is a line of a file, counted from 1. A row that spans lines is at its first.
type Place struct {
	File string
	Line int
}

func (p Place) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// FormatError is a fault that stops the reading of a whole file: it is missing,
// empty, has an unknown or missing column, or ends inside a quoted field.
type FormatError struct {
	Place  Place // Line is 0 where the fault concerns the file as a whole
	Reason string
	Err    error // the cause, nil where there is none
}

func (e *FormatError) Error() string {
	if e.Place.Line == 0 {
		return fmt.Sprintf("input: %s: %s", e.Place.File, e.Reason)
	}
	return fmt.Sprintf("input: %s: %s", e.Place, e.Reason)
}

// Unwrap returns the cause, so that errors.Is(err, fs.ErrNotExist) works.
func (e *FormatError) Unwrap() error { return e.Err }

// Reject is one row that was left out.
type Reject struct {
	Place  Place
	Reason string
	// Follows is true where the row itself is sound and left out only because
	// the order or customer to which it belongs is.
	Follows bool
}

func (r Reject) String() string { return r.Place.String() + ": " + r.Reason }

// FileCount counts the rows of one file.
type FileCount struct {
	File     string
	Rows     int // without the header
	Rejected int // rows with a fault of their own
	Follows  int // sound rows left out with the order they belong to
}

// Used is the number of rows that were taken.
func (f FileCount) Used() int { return f.Rows - f.Rejected - f.Follows }

// Observation is a peculiarity of the data that is no fault: it was kept, and
// this says how it was read.
type Observation struct {
	Count int
	Text  string
}

// Summary says what a reader took and what it left out.
type Summary struct {
	Files   []FileCount
	Rejects []Reject
	// LeftOut holds the keys of the orders that are left out whole.
	LeftOut map[string]bool
	// Orders is the number of orders in the files, left out ones included.
	Orders int
	// Unplaced are broken rows that name no order, so that any order may lack
	// what they held: one is enough to trust no sum.
	Unplaced []Place
	// Observations are peculiarities that were kept.
	Observations []Observation
}

// Clean reports whether nothing was left out.
func (s Summary) Clean() bool { return len(s.Rejects) == 0 && len(s.LeftOut) == 0 }

// Verdict is nil where the rest can be trusted, and otherwise an error that
// matches [ErrUntrusted] and says which file lost how much.
func (s Summary) Verdict() error {
	var faults []string
	for _, f := range s.Files {
		switch {
		case f.Rows == 0:
			faults = append(faults, f.File+" has no rows")
		case f.Rejected*100 > f.Rows*MaxLeftOutPercent:
			faults = append(faults, fmt.Sprintf("%d of %d rows of %s are broken", f.Rejected, f.Rows, f.File))
		}
	}
	if n := len(s.LeftOut); n*100 > s.Orders*MaxLeftOutPercent {
		faults = append(faults, fmt.Sprintf("%d of %d orders are left out", n, s.Orders))
	}
	for _, p := range s.Unplaced {
		faults = append(faults, fmt.Sprintf("%s is broken and names no order, so any order may lack it", p))
	}
	if faults == nil {
		return nil
	}
	return fmt.Errorf("%w (at most %d %%): %s", ErrUntrusted, MaxLeftOutPercent, strings.Join(faults, "; "))
}

// maxListed bounds the rejects that String lists one by one.
const maxListed = 20

// String is the summary as lines of text: rows per file, then each reject (the
// first twenty), then what was peculiar.
func (s Summary) String() string {
	var b strings.Builder
	for _, f := range s.Files {
		fmt.Fprintf(&b, "%-20s %6d rows, %d used, %d broken, %d left out with their order\n",
			f.File, f.Rows, f.Used(), f.Rejected, f.Follows)
	}
	listed := 0
	for _, r := range s.Rejects {
		if r.Follows {
			continue
		}
		if listed++; listed <= maxListed {
			fmt.Fprintf(&b, "left out  %s\n", r)
		}
	}
	if listed > maxListed {
		fmt.Fprintf(&b, "left out  and %d more rows\n", listed-maxListed)
	}
	if n := len(s.LeftOut); n > 0 {
		fmt.Fprintf(&b, "left out  %d of %d orders whole\n", n, s.Orders)
	}
	for _, o := range s.Observations {
		fmt.Fprintf(&b, "kept      %d %s\n", o.Count, o.Text)
	}
	return b.String()
}

// Check is one line of a reconciliation: the same figure counted twice.
type Check struct {
	Figure  string
	Files   string // counted from the rows of the input files
	Library string // what the library computed from the feed
	Equal   bool
	Note    string // how the figure is defined
}

// AllEqual reports whether there is at least one check and every one is equal.
func AllEqual(checks []Check) bool {
	for _, c := range checks {
		if !c.Equal {
			return false
		}
	}
	return len(checks) > 0
}
