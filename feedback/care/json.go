package care

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

const formatVersion = 1

func decodeStrict(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

type policyJSON struct {
	Format   int          `json:"format"`
	Kind     Kind         `json:"kind,omitempty"`
	Brand    string       `json:"brand,omitempty"`
	Priority string       `json:"priority,omitempty"`
	Targets  []targetJSON `json:"targets"`
}

type targetJSON struct {
	Name          string `json:"name"`
	Goal          Goal   `json:"goal"`
	Within        string `json:"within"`
	Calendar      string `json:"calendar,omitempty"`
	EscalateAt    []int  `json:"escalate_at,omitempty"`
	ThroughPauses bool   `json:"through_pauses,omitempty"`
}

// MarshalJSON writes the policy with its format version, durations as Go text.
func (p Policy) MarshalJSON() ([]byte, error) {
	w := policyJSON{Format: formatVersion, Kind: p.Kind, Brand: p.Brand, Priority: p.Priority, Targets: []targetJSON{}}
	for _, t := range p.Targets {
		w.Targets = append(w.Targets, targetJSON{t.Name, t.Goal, t.Within.String(), t.Calendar, t.EscalateAt, t.ThroughPauses})
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes and validates all but the names
// of calendars, which [New] does; the error matches [ErrInvalid].
func (p *Policy) UnmarshalJSON(b []byte) error {
	var w policyJSON
	if err := decodeStrict(b, &w); err != nil {
		return fmt.Errorf("%w: policy: %w", ErrInvalid, err)
	}
	if w.Format != formatVersion {
		return fmt.Errorf("%w: policy: format %d, want %d", ErrInvalid, w.Format, formatVersion)
	}
	out := Policy{Kind: w.Kind, Brand: w.Brand, Priority: w.Priority}
	for _, t := range w.Targets {
		within, err := time.ParseDuration(t.Within)
		if err != nil {
			return fmt.Errorf("%w: target %q: within: %q is no duration", ErrInvalid, t.Name, t.Within)
		}
		out.Targets = append(out.Targets, Target{t.Name, t.Goal, within, t.Calendar, t.EscalateAt, t.ThroughPauses})
	}
	if err := out.validate(nil); err != nil {
		return err
	}
	*p = out
	return nil
}

type ruleJSON struct {
	Format int `json:"format"`
	plainRule
}

// plainRule has the fields of Rule and none of its methods.
type plainRule Rule

// MarshalJSON writes the rule with its format version.
func (r Rule) MarshalJSON() ([]byte, error) {
	return json.Marshal(ruleJSON{formatVersion, plainRule(r)})
}

// UnmarshalJSON reads what MarshalJSON writes; [New] validates it. The error
// matches [ErrInvalid].
func (r *Rule) UnmarshalJSON(b []byte) error {
	var w ruleJSON
	if err := decodeStrict(b, &w); err != nil {
		return fmt.Errorf("%w: rule: %w", ErrInvalid, err)
	}
	if w.Format != formatVersion {
		return fmt.Errorf("%w: rule %q: format %d, want %d", ErrInvalid, w.Name, w.Format, formatVersion)
	}
	*r = Rule(w.plainRule)
	return nil
}
