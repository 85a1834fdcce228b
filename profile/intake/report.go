package intake

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Counts are the totals of an import, since its beginning where it was resumed.
type Counts struct {
	// Rows is the number of rows read, the header not counted.
	Rows int `json:"rows"`
	// Skipped are the rows for which the mapping has no event.
	Skipped int `json:"skipped"`
	// Rejected are the rows that were left out, wholly or, batches of messages,
	// in part.
	Rejected int `json:"rejected"`
	// Events is the number of events recorded; in a dry run, that would be handed over.
	Events int `json:"events"`
	// Duplicates is the number of events that the sink had already.
	Duplicates int `json:"duplicates"`
	// Refused is the number of identifiers that the sink did not use or link.
	Refused int `json:"refused"`
}

// CheckpointFormat is the version of a [Checkpoint].
const CheckpointFormat = 1

// Checkpoint is how far an import has come. It holds no personal data.
type Checkpoint struct {
	Format int `json:"format"`
	// Mapping is a hash of the mapping.
	Mapping string `json:"mapping"`
	// Offset is the number of bytes done, Hash their SHA-256, Line the number
	// of lines in them.
	Offset int64  `json:"offset"`
	Hash   string `json:"hash"`
	Line   int    `json:"line"`
	// AfterBroken says that the last row could not be read.
	AfterBroken bool `json:"after_broken,omitempty"`
	// RejectBytes is how much had been written to Input.Rejects.
	RejectBytes int64  `json:"reject_bytes"`
	Counts      Counts `json:"counts"`
}

// The numbers of rejects and of events that a [Report] shows.
const (
	maxShown   = 20
	maxSamples = 5
)

// Report says what came of a run. Besides the Counts it covers this run alone.
type Report struct {
	Counts
	// File is the Input.Name.
	File string
	// Names counts events by name, Identifiers and Traits how often each kind
	// and trait was filled, Reasons identifiers refused by kind and reason.
	Names, Identifiers, Traits, Reasons map[string]int
	// First and Last are the earliest and the latest event time.
	First, Last time.Time
	// Rejects are the first twenty; all of them are in Counts and in Input.Rejects.
	Rejects []Reject
	// Samples are the first five events of a dry run. They hold personal data
	// and are no part of String.
	Samples []profile.Event
	// Checkpoint is how far the run has come.
	Checkpoint Checkpoint
}

func newReport(file string) Report {
	return Report{
		File: file, Names: map[string]int{}, Identifiers: map[string]int{},
		Traits: map[string]int{}, Reasons: map[string]int{},
	}
}

func (r *Report) reject(x Reject) {
	r.Rejected++
	if len(r.Rejects) < maxShown {
		r.Rejects = append(r.Rejects, x)
	}
}

// count takes in what became of an event.
func (r *Report) count(e profile.Event, got profile.Receipt, dry bool) {
	for _, f := range got.Refused {
		r.Refused++
		kind, _, _ := strings.Cut(f.Identifier.Kind, "/")
		r.Reasons[kind+": "+f.Reason.String()]++
	}
	switch {
	case got.Err != nil:
		return
	case got.Duplicate:
		r.Duplicates++
		return
	}
	r.Events++
	r.Names[e.Name]++
	for _, id := range e.Identifiers {
		kind, _, _ := strings.Cut(id.Kind, "/")
		r.Identifiers[kind]++
	}
	for name := range e.Traits {
		r.Traits[name]++
	}
	if r.First.IsZero() || e.Time.Before(r.First) {
		r.First = e.Time
	}
	if e.Time.After(r.Last) {
		r.Last = e.Time
	}
	if dry && len(r.Samples) < maxSamples {
		r.Samples = append(r.Samples, e)
	}
}

// String is the report for people, without personal data.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d rows, %d events, %d duplicates, %d rows skipped, %d rows rejected\n",
		r.File, r.Rows, r.Events, r.Duplicates, r.Skipped, r.Rejected)
	if !r.First.IsZero() {
		fmt.Fprintf(&b, "  from %s to %s\n", r.First.Format(time.RFC3339), r.Last.Format(time.RFC3339))
	}
	for _, part := range []struct {
		title string
		of    map[string]int
	}{{"events", r.Names}, {"identifiers", r.Identifiers}, {"traits", r.Traits}, {"refused", r.Reasons}} {
		for _, name := range slices.Sorted(maps.Keys(part.of)) {
			fmt.Fprintf(&b, "  %-11s %7d  %s\n", part.title, part.of[name], cmp.Or(name, "(no name)"))
		}
	}
	for _, x := range r.Rejects {
		fmt.Fprintf(&b, "  rejected    %s\n", x)
	}
	if more := r.Rejected - len(r.Rejects); more > 0 {
		fmt.Fprintf(&b, "  rejected    %d rows in all\n", r.Rejected)
	}
	return b.String()
}
