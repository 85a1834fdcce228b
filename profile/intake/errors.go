package intake

import (
	"errors"
	"fmt"
	"strings"
)

// The conditions that stop a run as a whole. Each comes in a [*FileError].
var (
	// ErrMissingColumn reports a header without a column that the mapping reads.
	ErrMissingColumn = errors.New("intake: column is missing")
	// ErrUnknownColumn reports a header with a column that the mapping neither
	// reads nor ignores.
	ErrUnknownColumn = errors.New("intake: column is unknown")
	// ErrRepeatedColumn reports a header that has a column twice.
	ErrRepeatedColumn = errors.New("intake: column is there twice")
	// ErrEncoding reports input that is not UTF-8.
	ErrEncoding = errors.New("intake: not UTF-8: convert it before the import, from GBK for example")
	// ErrTooLong reports a record beyond the limit, often for a quote that was
	// never closed.
	ErrTooLong = errors.New("intake: record is too long, or a quote is not closed")
	// ErrNoHeader reports an input without a header line.
	ErrNoHeader = errors.New("intake: no header line")
)

var (
	// ErrCheckpoint reports a checkpoint that does not belong to the mapping
	// or to the input.
	ErrCheckpoint = errors.New("intake: checkpoint does not fit")
	// ErrTooManyRejects reports that a run stopped at Config.MaxRejects.
	ErrTooManyRejects = errors.New("intake: too many rows are rejected")
	// ErrConfig reports a [Config] or [Input] that cannot work.
	ErrConfig = errors.New("intake: invalid configuration")
)

// FileError says where in which file a run stopped. It unwraps to the
// condition. Columns of the header are named only where the header is
// plausible, that is where no column is missing from it.
type FileError struct {
	// File is the Input.Name, Line counts from 1; 0 concerns the whole file.
	File string
	Line int
	// Columns are the columns concerned.
	Columns []string
	Err     error
}

func (e *FileError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: %s", e.Err, e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if len(e.Columns) > 0 {
		fmt.Fprintf(&b, ": %q", e.Columns)
	}
	return b.String()
}

// Unwrap returns the condition.
func (e *FileError) Unwrap() error { return e.Err }

// Reject is a row that was left out.
type Reject struct {
	// Line is where the row begins, from 1.
	Line int `json:"line"`
	// Reason says why, without repeating anything of the row.
	Reason string `json:"reason"`
}

func (r Reject) String() string { return fmt.Sprintf("line %d: %s", r.Line, r.Reason) }
