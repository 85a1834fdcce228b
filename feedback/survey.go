package feedback

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Kind says how a question is answered.
type Kind string

// The kinds of question.
const (
	NPS    Kind = "nps"    // likelihood to recommend, 0 to 10
	CSAT   Kind = "csat"   // satisfaction
	CES    Kind = "ces"    // effort
	Stars  Kind = "stars"  // stars of a review
	Choice Kind = "choice" // one or several of a list
	Text   Kind = "text"   // free text
)

// Program tells instruments apart that look alike and must not be pooled.
type Program string

const (
	// Relational surveys ask about the relation as a whole, by the calendar.
	Relational Program = "relational"
	// Transactional surveys ask about one occasion, right after it.
	Transactional Program = "transactional"
)

// Scale is the range of a rating, both ends included, and its boxes.
type Scale struct {
	// Min and Max are the ends, Min < Max, at most 100 apart.
	Min int `json:"min"`
	Max int `json:"max"`
	// Top is the worst rating that still counts as good (a promoter, a
	// satisfied customer), Bottom the best that counts as bad.
	Top    int `json:"top"`
	Bottom int `json:"bottom"`
	// LowerIsBetter turns the scale around, as in "how much effort did it take?".
	LowerIsBetter bool `json:"lower_is_better,omitempty"`
}

// UsualScale is the common scale of a kind: NPS 0–10 with promoters from 9 and
// detractors to 6 (Reichheld 2003); CSAT 1–5 and Stars 1–5 with 4 and 5 good, 1
// and 2 bad; CES 1–7 of agreement that it was easy, with 5–7 good and 1–3 bad
// (CES 2.0). Choice and Text have none.
func UsualScale(k Kind) Scale {
	switch k {
	case NPS:
		return Scale{Min: 0, Max: 10, Top: 9, Bottom: 6}
	case CSAT, Stars:
		return Scale{Min: 1, Max: 5, Top: 4, Bottom: 2}
	case CES:
		return Scale{Min: 1, Max: 7, Top: 5, Bottom: 3}
	}
	return Scale{}
}

// Contains reports whether v lies on the scale.
func (s Scale) Contains(v int) bool { return s.Min <= v && v <= s.Max }

// Worse reports whether a is a worse rating than b.
func (s Scale) Worse(a, b int) bool {
	if s.LowerIsBetter {
		return a > b
	}
	return a < b
}

// IsTop reports whether v counts as good, IsBottom whether it counts as bad.
func (s Scale) IsTop(v int) bool { return !s.Worse(v, s.Top) }

// IsBottom reports whether v counts as bad.
func (s Scale) IsBottom(v int) bool { return !s.Worse(s.Bottom, v) }

func (s Scale) validate() error {
	switch {
	case s.Min >= s.Max || s.Max-s.Min > 100:
		return fmt.Errorf("scale from %d to %d", s.Min, s.Max)
	case !s.Contains(s.Top) || !s.Contains(s.Bottom) || !s.Worse(s.Bottom, s.Top):
		return fmt.Errorf("boxes top %d and bottom %d on a scale from %d to %d", s.Top, s.Bottom, s.Min, s.Max)
	}
	return nil
}

// Question is one question of a survey.
type Question struct {
	// Key names the question in answers: "recommend", "delivery".
	Key string `json:"key"`
	// Kind says how it is answered.
	Kind Kind `json:"kind"`
	// Text is what the customer reads.
	Text string `json:"text,omitempty"`
	// Scale of a rating, zero for Choice and Text. That of NPS is always
	// [UsualScale].
	Scale Scale `json:"scale,omitzero"`
	// Choices are the options of a Choice; Several allows more than one.
	Choices []string `json:"choices,omitempty"`
	Several bool     `json:"several,omitempty"`
	// Optional questions may stay unanswered.
	Optional bool `json:"optional,omitempty"`
}

// Rated reports whether the answer is a number on a scale.
func (q Question) Rated() bool {
	return q.Kind == NPS || q.Kind == CSAT || q.Kind == CES || q.Kind == Stars
}

func (q Question) validate() error {
	if err := checkName(q.Key); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	if err := checkText(q.Text); err != nil {
		return fmt.Errorf("text: %w", err)
	}
	switch {
	case q.Kind == NPS && q.Scale != UsualScale(NPS):
		return errors.New("scale: that of NPS is 0 to 10, top 9, bottom 6")
	case q.Rated():
		if err := q.Scale.validate(); err != nil {
			return err
		}
	case q.Kind != Choice && q.Kind != Text:
		return fmt.Errorf("kind %q is unknown", q.Kind)
	case q.Scale != Scale{}:
		return fmt.Errorf("scale: a %s has none", q.Kind)
	}
	if q.Kind == Choice {
		if len(q.Choices) < 2 {
			return errors.New("choices: at least two")
		}
		for i, c := range q.Choices {
			if err := checkName(c); err != nil {
				return fmt.Errorf("choices: %w", err)
			}
			if slices.Contains(q.Choices[:i], c) {
				return fmt.Errorf("choices: %q twice", c)
			}
		}
	} else if len(q.Choices) > 0 || q.Several {
		return fmt.Errorf("choices: a %s has none", q.Kind)
	}
	return nil
}

// Survey says what is asked, of whom and how often.
//
// Its JSON form carries "format":1, durations as Go text ("336h0m0s"), and
// refuses unknown fields.
type Survey struct {
	// Name is the key. Give a survey whose scale changes another name: its
	// answers cannot be compared with the former ones.
	Name string
	// Program is required where a question is of kind NPS.
	Program Program
	// Brand is the scope within a group; empty is the whole group.
	Brand string
	// Questions in the order asked; the first is the one that gives the score.
	Questions []Question
	// Cadence is the least time between two invitations of a customer to this
	// survey, and between an answer to it and the next invitation; 0 for none.
	Cadence time.Duration
	// Valid is how long after sending an invitation may be answered; 0 means
	// 14 days.
	Valid time.Duration
	// MaxAge is how old an occasion may be when the customer is asked about it;
	// 0 for any age.
	MaxAge time.Duration
	// SampleBP is the part of the occasions that is asked about, in basis
	// points (1 to 10,000); 0 means all of them.
	SampleBP int
	// Audience names a check of [Config.Checks] that must hold; empty asks everyone.
	Audience string
	// Exclude names checks of [Config.Checks] that leave a customer out while
	// they hold, such as an open case. Their share is reported.
	Exclude []string
	// Opens and Closes bound when invitations are given; zero times do not.
	Opens, Closes time.Time
}

const defaultValid = 14 * 24 * time.Hour

func (s Survey) valid() time.Duration {
	if s.Valid == 0 {
		return defaultValid
	}
	return s.Valid
}

// Question returns the question with the key, or the first one for "".
func (s Survey) Question(key string) (Question, bool) {
	for _, q := range s.Questions {
		if q.Key == key || key == "" {
			return q, true
		}
	}
	return Question{}, false
}

// Form is a hash of what makes answers comparable: the program and every
// question's key, kind, scale and choices. Responses carry that of their survey.
func (s Survey) Form() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q", string(s.Program))
	for _, q := range s.Questions {
		fmt.Fprintf(h, "|%q %q %v %q %t", q.Key, string(q.Kind), q.Scale, q.Choices, q.Several)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Validate says what is wrong with the survey, naming the field; the error
// matches [ErrInvalid].
func (s Survey) Validate() error {
	fail := func(field string, err error) error {
		return fmt.Errorf("%w: survey %q: %s: %w", ErrInvalid, s.Name, field, err)
	}
	if err := checkName(s.Name); err != nil {
		return fail("name", err)
	}
	if err := checkText(s.Brand); err != nil {
		return fail("brand", err)
	}
	if s.Program != "" && s.Program != Relational && s.Program != Transactional {
		return fail("program", fmt.Errorf("%q is unknown", s.Program))
	}
	if len(s.Questions) == 0 {
		return fail("questions", errors.New("none"))
	}
	for i, q := range s.Questions {
		if err := q.validate(); err != nil {
			return fail(fmt.Sprintf("questions[%d]", i), err)
		}
		if slices.ContainsFunc(s.Questions[:i], func(p Question) bool { return p.Key == q.Key }) {
			return fail(fmt.Sprintf("questions[%d]", i), fmt.Errorf("key %q twice", q.Key))
		}
		if q.Kind == NPS && s.Program == "" {
			return fail("program", errors.New("NPS is relational or transactional: say which"))
		}
	}
	switch {
	case s.Cadence < 0:
		return fail("cadence", errors.New("negative"))
	case s.Valid < 0:
		return fail("valid", errors.New("negative"))
	case s.MaxAge < 0:
		return fail("max age", errors.New("negative"))
	case s.SampleBP < 0 || s.SampleBP > 10_000:
		return fail("sample", fmt.Errorf("%d basis points, 0 to 10,000 allowed", s.SampleBP))
	case !s.Opens.IsZero() && !s.Closes.IsZero() && !s.Opens.Before(s.Closes):
		return fail("closes", errors.New("not after opens"))
	}
	return nil
}

const formatVersion = 1

type surveyJSON struct {
	Format    int        `json:"format"`
	Name      string     `json:"name"`
	Program   Program    `json:"program,omitempty"`
	Brand     string     `json:"brand,omitempty"`
	Questions []Question `json:"questions"`
	Cadence   string     `json:"cadence,omitempty"`
	Valid     string     `json:"valid,omitempty"`
	MaxAge    string     `json:"max_age,omitempty"`
	SampleBP  int        `json:"sample_bp,omitempty"`
	Audience  string     `json:"audience,omitempty"`
	Exclude   []string   `json:"exclude,omitempty"`
	Opens     time.Time  `json:"opens,omitzero"`
	Closes    time.Time  `json:"closes,omitzero"`
}

// MarshalJSON writes the survey with its format version.
func (s Survey) MarshalJSON() ([]byte, error) {
	return json.Marshal(surveyJSON{
		Format: formatVersion, Name: s.Name, Program: s.Program, Brand: s.Brand, Questions: s.Questions,
		Cadence: writeDuration(s.Cadence), Valid: writeDuration(s.Valid), MaxAge: writeDuration(s.MaxAge),
		SampleBP: s.SampleBP, Audience: s.Audience, Exclude: s.Exclude, Opens: s.Opens, Closes: s.Closes,
	})
}

// UnmarshalJSON reads what MarshalJSON writes and validates it; the error
// matches [ErrInvalid].
func (s *Survey) UnmarshalJSON(b []byte) error {
	var w surveyJSON
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return fmt.Errorf("%w: survey: %w", ErrInvalid, err)
	}
	if w.Format != formatVersion {
		return fmt.Errorf("%w: survey %q: format %d, want %d", ErrInvalid, w.Name, w.Format, formatVersion)
	}
	out := Survey{
		Name: w.Name, Program: w.Program, Brand: w.Brand, Questions: w.Questions, SampleBP: w.SampleBP,
		Audience: w.Audience, Exclude: w.Exclude, Opens: micro(w.Opens), Closes: micro(w.Closes),
	}
	for _, d := range []struct {
		field string
		text  string
		to    *time.Duration
	}{{"cadence", w.Cadence, &out.Cadence}, {"valid", w.Valid, &out.Valid}, {"max_age", w.MaxAge, &out.MaxAge}} {
		if d.text == "" {
			continue
		}
		v, err := time.ParseDuration(d.text)
		if err != nil {
			return fmt.Errorf("%w: survey %q: %s: %q is no duration", ErrInvalid, w.Name, d.field, d.text)
		}
		*d.to = v
	}
	if err := out.Validate(); err != nil {
		return err
	}
	*s = out
	return nil
}

func writeDuration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// micro brings a time to UTC and the microsecond, the resolution of every record.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Truncate(time.Microsecond).UTC()
}

const maxKeyBytes = 256

func checkName(s string) error {
	switch {
	case s == "":
		return errors.New("empty")
	case len(s) > maxKeyBytes:
		return fmt.Errorf("%d bytes, at most %d allowed", len(s), maxKeyBytes)
	}
	return checkText(s)
}

func checkText(s string) error {
	if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		return errors.New("text with NUL or invalid UTF-8")
	}
	return nil
}
