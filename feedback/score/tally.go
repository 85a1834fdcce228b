package score

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/cxkit/cxkit/feedback"
)

// Errors of this package; match them with errors.Is.
var (
	// ErrPooled reports tallies or responses of different instruments:
	// another survey, program, question or scale.
	ErrPooled = errors.New("score: different instruments are not pooled")
	// ErrInvalid reports input outside the stated range.
	ErrInvalid = errors.New("score: invalid")
)

// Instrument is what answers must share to be counted together.
type Instrument struct {
	Survey   string           `json:"survey"`
	Program  feedback.Program `json:"program,omitempty"`
	Brand    string           `json:"brand,omitempty"`
	Question string           `json:"question"`
	Kind     feedback.Kind    `json:"kind"`
	Scale    feedback.Scale   `json:"scale"`
	Form     string           `json:"form"`
}

// Tally counts answers by value. It is not safe for concurrent use.
type Tally struct {
	of     Instrument
	counts []int64 // by value − Scale.Min
}

// NewTally returns an empty tally of a rated question of a survey; "" is the
// first question.
func NewTally(s feedback.Survey, question string) (*Tally, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	q, ok := s.Question(question)
	if !ok || !q.Rated() {
		return nil, fmt.Errorf("%w: survey %q has no rated question %q", ErrInvalid, s.Name, question)
	}
	return &Tally{
		of: Instrument{
			Survey: s.Name, Program: s.Program, Brand: s.Brand, Question: q.Key,
			Kind: q.Kind, Scale: q.Scale, Form: s.Form(),
		},
		counts: make([]int64, q.Scale.Max-q.Scale.Min+1),
	}, nil
}

// Of is what the tally counts.
func (t *Tally) Of() Instrument { return t.of }

// Empty returns a tally of the same instrument without answers.
func (t *Tally) Empty() *Tally { return &Tally{of: t.of, counts: make([]int64, len(t.counts))} }

// Add counts one answer.
func (t *Tally) Add(value int) error { return t.change(value, 1) }

// Remove takes back one answer that was counted: a correction, a second review
// of the same order.
func (t *Tally) Remove(value int) error { return t.change(value, -1) }

// AddN counts n equal answers at once; n is not negative.
func (t *Tally) AddN(value int, n int64) error {
	if n < 0 {
		return fmt.Errorf("%w: %d answers", ErrInvalid, n)
	}
	return t.change(value, n)
}

func (t *Tally) change(value int, n int64) error {
	if !t.of.Scale.Contains(value) {
		return fmt.Errorf("%w: %d is not on the scale from %d to %d", ErrInvalid, value, t.of.Scale.Min, t.of.Scale.Max)
	}
	c := &t.counts[value-t.of.Scale.Min]
	if n < 0 && *c < -n {
		return fmt.Errorf("%w: no answer %d to take back", ErrInvalid, value)
	}
	if n > maxCount-*c {
		return fmt.Errorf("%w: more than %d answers of a value", ErrInvalid, maxCount)
	}
	*c += n
	return nil
}

// maxCount bounds a value's count so that no sum over the scale overflows.
const maxCount = math.MaxInt32

// AddResponse counts the answer of a response to the tally's question and
// reports whether there was one. The error matches [ErrPooled] where the
// response belongs to another instrument.
func (t *Tally) AddResponse(r feedback.Response) (bool, error) {
	if r.Survey != t.of.Survey || r.Form != t.of.Form || r.Program != t.of.Program || r.Brand != t.of.Brand {
		return false, fmt.Errorf("%w: survey %q (%s) into %q (%s)", ErrPooled,
			r.Survey, r.Program, t.of.Survey, t.of.Program)
	}
	v, ok := r.Rating(t.of.Question)
	if !ok {
		return false, nil
	}
	return true, t.Add(v)
}

// Merge adds the counts of another tally of the same instrument.
func (t *Tally) Merge(o *Tally) error {
	if t.of != o.of {
		return poolError(t.of, o.of)
	}
	for i, n := range o.counts {
		if n > maxCount-t.counts[i] {
			return fmt.Errorf("%w: more than %d answers of a value", ErrInvalid, maxCount)
		}
	}
	for i, n := range o.counts {
		t.counts[i] += n
	}
	return nil
}

func poolError(a, b Instrument) error {
	return fmt.Errorf("%w: %q %q (%s) and %q %q (%s)", ErrPooled,
		a.Survey, a.Question, a.Program, b.Survey, b.Question, b.Program)
}

// N is the number of answers.
func (t *Tally) N() int64 {
	var n int64
	for _, c := range t.counts {
		n += c
	}
	return n
}

// Count is the number of answers of a value.
func (t *Tally) Count(value int) int64 {
	if !t.of.Scale.Contains(value) {
		return 0
	}
	return t.counts[value-t.of.Scale.Min]
}

// Top counts the good answers, Bottom the bad ones, by the boxes of the scale.
func (t *Tally) Top() int64 { return t.where(t.of.Scale.IsTop) }

// Bottom counts the bad answers.
func (t *Tally) Bottom() int64 { return t.where(t.of.Scale.IsBottom) }

func (t *Tally) where(in func(int) bool) int64 {
	var n int64
	for i, c := range t.counts {
		if in(i + t.of.Scale.Min) {
			n += c
		}
	}
	return n
}

// NPS returns promoters, passives and detractors; ok is false where the
// question is not of kind NPS.
func (t *Tally) NPS() (n NPS, ok bool) {
	if t.of.Kind != feedback.NPS {
		return NPS{}, false
	}
	top, bottom := t.Top(), t.Bottom()
	return NPS{Promoters: top, Passives: t.N() - top - bottom, Detractors: bottom}, true
}

// Mean is the mean of the answers and their standard deviation (with n − 1);
// NaN where there are too few. Sums are exact integers, so the order of the
// answers does not matter.
func (t *Tally) Mean() (mean, deviation float64) {
	var n, sum int64
	for i, c := range t.counts {
		n, sum = n+c, sum+int64(i)*c
	}
	mean = float64(sum) / float64(n)
	var squares float64
	for i, c := range t.counts {
		squares += (float64(i) - mean) * (float64(i) - mean) * float64(c)
	}
	if n < 2 {
		return mean + float64(t.of.Scale.Min), math.NaN()
	}
	return mean + float64(t.of.Scale.Min), math.Sqrt(squares / float64(n-1))
}

const formatVersion = 1

type tallyJSON struct {
	Format int        `json:"format"`
	Of     Instrument `json:"of"`
	Counts []int64    `json:"counts"`
}

// MarshalJSON writes the counts with their format version.
func (t *Tally) MarshalJSON() ([]byte, error) {
	return json.Marshal(tallyJSON{formatVersion, t.of, t.counts})
}

// UnmarshalJSON reads what MarshalJSON writes; the error matches [ErrInvalid].
func (t *Tally) UnmarshalJSON(b []byte) error {
	var w tallyJSON
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&w); err != nil {
		return fmt.Errorf("%w: tally: %w", ErrInvalid, err)
	}
	if w.Format != formatVersion {
		return fmt.Errorf("%w: tally: format %d, want %d", ErrInvalid, w.Format, formatVersion)
	}
	s := feedback.Survey{
		Name: w.Of.Survey, Program: w.Of.Program, Brand: w.Of.Brand,
		Questions: []feedback.Question{{Key: w.Of.Question, Kind: w.Of.Kind, Scale: w.Of.Scale}},
	}
	out, err := NewTally(s, w.Of.Question)
	if err != nil {
		return fmt.Errorf("%w: tally: %w", ErrInvalid, err)
	}
	if len(w.Counts) != len(out.counts) {
		return fmt.Errorf("%w: tally: %d counts for a scale from %d to %d", ErrInvalid, len(w.Counts), w.Of.Scale.Min, w.Of.Scale.Max)
	}
	for _, n := range w.Counts {
		if n < 0 || n > maxCount {
			return fmt.Errorf("%w: tally: a count of %d", ErrInvalid, n)
		}
	}
	*t = Tally{of: w.Of, counts: w.Counts}
	return nil
}
