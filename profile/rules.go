package profile

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrRules reports a [RulesStore] whose rows were resolved under other rules
// than those of the directory: [Directory.Reconfigure] brings them together.
var ErrRules = errors.New("profile: the Store was resolved under other rules; Reconfigure makes them these")

// Rules are the part of a [Config] that says who is one customer and which value
// of a trait is the golden one. As JSON they carry a format version, durations
// as text ("720h"), and normalizers by name; a field that is unknown is an error.
type Rules struct {
	Kinds           []Kind      `json:"kinds"`
	Traits          []TraitRule `json:"traits,omitempty"`
	Sources         []string    `json:"sources,omitempty"`
	SingleRelations []string    `json:"single_relations"`
}

// Rules returns the rules that hold now, with the defaults of a [Config] filled in.
func (d *Directory) Rules() Rules {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return rulesOf(d.config)
}

func rulesOf(cfg Config) Rules {
	r := Rules{
		Kinds: slices.Clone(cfg.Kinds), Traits: slices.Clone(cfg.Traits),
		Sources: slices.Clone(cfg.Sources), SingleRelations: slices.Clone(cfg.SingleRelations),
	}
	if cfg.Kinds == nil {
		r.Kinds = DefaultKinds()
	}
	if cfg.SingleRelations == nil {
		r.SingleRelations = []string{"assistant", "outlet"}
	}
	return r
}

// into is a configuration with these rules.
func (r Rules) into(cfg Config) Config {
	cfg.Kinds, cfg.Traits, cfg.Sources, cfg.SingleRelations = r.Kinds, r.Traits, r.Sources, r.SingleRelations
	return cfg
}

// rulesVersion is the version of the format.
const rulesVersion = 1

type plainRules Rules

type versionedRules struct {
	Version int `json:"version"`
	plainRules
}

// MarshalJSON writes the rules with the version of the format.
func (r Rules) MarshalJSON() ([]byte, error) {
	return json.Marshal(versionedRules{rulesVersion, plainRules(r)})
}

// UnmarshalJSON reads what MarshalJSON writes; another version, or a field that
// is unknown, matches [ErrConfig].
func (r *Rules) UnmarshalJSON(b []byte) error {
	var v versionedRules
	if err := strictly(b, &v, "Rules"); err != nil {
		return err
	}
	if v.Version != rulesVersion {
		return fmt.Errorf("%w: Rules: version %d, this is of version %d", ErrConfig, v.Version, rulesVersion)
	}
	*r = Rules(v.plainRules)
	return nil
}

func strictly(b []byte, into any, what string) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		if errors.Is(err, ErrConfig) {
			return err
		}
		return fmt.Errorf("%w: %s: %w", ErrConfig, what, err)
	}
	return nil
}

// document writes the rules in the one form in which equal rules are equal text.
func (r Rules) document() string {
	r.Kinds, r.Traits = slices.Clone(r.Kinds), slices.Clone(r.Traits)
	slices.SortFunc(r.Kinds, func(a, b Kind) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Traits, func(a, b TraitRule) int { return strings.Compare(a.Name, b.Name) })
	r.SingleRelations = slices.Sorted(slices.Values(r.SingleRelations))
	for i := range r.Kinds {
		k := &r.Kinds[i]
		k.Blocked, k.BlockedPatterns = slices.Sorted(slices.Values(k.Blocked)), slices.Sorted(slices.Values(k.BlockedPatterns))
		k.Normalizer = cmp.Or(k.Normalizer, "text")
	}
	b, err := json.Marshal(r)
	if err != nil {
		return "" // compiled rules always marshal
	}
	return string(b)
}

type plainKind Kind

// MarshalJSON writes Within as text, "720h0m0s".
func (k Kind) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		plainKind
		Within period `json:"within,omitempty"`
	}{plainKind(k), period(k.Within)})
}

// UnmarshalJSON reads what MarshalJSON writes; an unknown field matches [ErrConfig].
func (k *Kind) UnmarshalJSON(b []byte) error {
	var v struct {
		plainKind
		Within period `json:"within"`
	}
	err := strictly(b, &v, "Kinds")
	*k = Kind(v.plainKind)
	k.Within = time.Duration(v.Within)
	return err
}

type plainTraitRule TraitRule

// MarshalJSON writes HalfLife and TTL as text, "720h0m0s".
func (r TraitRule) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		plainTraitRule
		HalfLife period `json:"half_life,omitempty"`
		TTL      period `json:"ttl,omitempty"`
	}{plainTraitRule(r), period(r.HalfLife), period(r.TTL)})
}

// UnmarshalJSON reads what MarshalJSON writes; an unknown field matches [ErrConfig].
func (r *TraitRule) UnmarshalJSON(b []byte) error {
	var v struct {
		plainTraitRule
		HalfLife period `json:"half_life"`
		TTL      period `json:"ttl"`
	}
	err := strictly(b, &v, "Traits")
	*r = TraitRule(v.plainTraitRule)
	r.HalfLife, r.TTL = time.Duration(v.HalfLife), time.Duration(v.TTL)
	return err
}

// period is a duration as text.
type period time.Duration

func (p period) MarshalText() ([]byte, error) { return []byte(time.Duration(p).String()), nil }

func (p *period) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%w: a duration is written like 720h", ErrConfig)
	}
	*p = period(d)
	return nil
}

// underRules makes sure, once, that the Store was resolved under the present
// rules. It reports whether they are still to be written.
func (d *Directory) underRules(ctx context.Context) (unwritten bool, err error) {
	if d.ruled.Load() {
		return false, nil
	}
	s, ok := d.store.(RulesStore)
	if !ok {
		d.ruled.Store(true)
		return false, nil
	}
	document, err := s.Rules(ctx)
	switch {
	case err != nil:
		return false, err
	case document == "":
		return true, nil
	case document != rulesOf(d.config).document():
		return false, ErrRules
	}
	d.ruled.Store(true)
	return false, nil
}
