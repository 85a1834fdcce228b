package feedback

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Budget caps the invitations of one customer across surveys.
//
// Its JSON form carries "format":1, the window as Go text, and refuses unknown
// fields.
type Budget struct {
	// Name appears in reasons.
	Name string
	// Limit is the greatest number of invitations in any span of length
	// Window; a span holds its start and not its end.
	Limit  int
	Window time.Duration
	// Brand limits the budget to the surveys of a brand, Surveys to those
	// named; empty means all.
	Brand   string
	Surveys []string
}

type budgetJSON struct {
	Format  int      `json:"format"`
	Name    string   `json:"name"`
	Limit   int      `json:"limit"`
	Window  string   `json:"window"`
	Brand   string   `json:"brand,omitempty"`
	Surveys []string `json:"surveys,omitempty"`
}

// MarshalJSON writes the budget with its format version.
func (b Budget) MarshalJSON() ([]byte, error) {
	return json.Marshal(budgetJSON{formatVersion, b.Name, b.Limit, b.Window.String(), b.Brand, b.Surveys})
}

// UnmarshalJSON reads what MarshalJSON writes and validates it; the error
// matches [ErrInvalid].
func (b *Budget) UnmarshalJSON(data []byte) error {
	var w budgetJSON
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return fmt.Errorf("%w: budget: %w", ErrInvalid, err)
	}
	if w.Format != formatVersion {
		return fmt.Errorf("%w: budget %q: format %d, want %d", ErrInvalid, w.Name, w.Format, formatVersion)
	}
	window, err := time.ParseDuration(w.Window)
	if err != nil {
		return fmt.Errorf("%w: budget %q: window: %q is no duration", ErrInvalid, w.Name, w.Window)
	}
	out := Budget{w.Name, w.Limit, window, w.Brand, w.Surveys}
	if err := out.validate(); err != nil {
		return err
	}
	*b = out
	return nil
}

func (b Budget) validate() error {
	fail := func(text string) error { return fmt.Errorf("%w: budget %q: %s", ErrInvalid, b.Name, text) }
	if err := checkName(b.Name); err != nil {
		return fail("name: " + err.Error())
	}
	switch {
	case b.Limit < 1:
		return fail("limit below 1")
	case b.Window <= 0:
		return fail("window not above 0")
	}
	return nil
}

func (b Budget) covers(survey, brand string) bool {
	return (b.Brand == "" || b.Brand == brand) && (len(b.Surveys) == 0 || slices.Contains(b.Surveys, survey))
}

// allows reports whether one more invitation at t keeps every span of the
// window within the limit. The times need not be before t: requests may arrive
// out of order.
func (b Budget) allows(times []time.Time, t time.Time) bool {
	all := append(slices.Clone(times), t)
	slices.SortFunc(all, time.Time.Compare)
	for i := 0; i+b.Limit < len(all); i++ {
		first, last := all[i], all[i+b.Limit]
		if !t.Before(first) && !t.After(last) && last.Sub(first) < b.Window {
			return false
		}
	}
	return true
}

// next is the first instant from t on at which the budget allows one more.
func (b Budget) next(times []time.Time, t time.Time) time.Time {
	ends := make([]time.Time, len(times))
	for i, at := range times {
		ends[i] = at.Add(b.Window)
	}
	slices.SortFunc(ends, time.Time.Compare)
	for _, e := range ends {
		if !e.Before(t) && b.allows(times, e) {
			return e
		}
	}
	return time.Time{}
}
