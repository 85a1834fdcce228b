package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Errors about definitions.
var (
	// ErrDefinition reports a definition without a proper name or with an unknown zone.
	ErrDefinition = errors.New("segment: invalid definition")
	// ErrUnknownSegment reports a segment that is not defined.
	ErrUnknownSegment = errors.New("segment: unknown segment")
	// ErrCycle reports segments that are made of each other.
	ErrCycle = errors.New("segment: definitions form a cycle")
	// ErrDefined reports a second segment of the same name and another content.
	ErrDefined = errors.New("segment: already defined")
	// ErrInUse reports a segment that others are made of.
	ErrInUse = errors.New("segment: other segments are made of it")
)

// Definition is a segment: a named rule.
type Definition struct {
	// Name is how the segment is called, 1 to 128 bytes of text.
	Name string
	// Rule decides who belongs to it.
	Rule Rule
	// Zone is the IANA zone of calendar windows and anniversaries, such as
	// "Asia/Shanghai". Default: UTC.
	Zone string
}

// Hash identifies the content of the definition: name, zone and the rule
// without the names of clauses; functions count by name. It is 16 hexadecimal
// digits, empty for a rule that is not well formed.
func (d Definition) Hash() string {
	if d.Rule.n.check("rule", 0) != nil {
		return ""
	}
	var b bytes.Buffer
	doc := open(&b)
	doc.text("name", d.Name)
	doc.text("zone", d.Zone)
	d.Rule.n.encode(doc.key("rule"), false)
	doc.close()
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:8])
}

// Ruleset is a set of definitions that can be evaluated over the data of one
// customer at a time, without an index. It is immutable and safe for
// concurrent use.
type Ruleset struct {
	catalog  *catalog
	segments map[string]*compiled
	ordered  []Definition
}

// Compile checks definitions and makes them ready. Segments may be made of
// each other in any order of the arguments. The error matches [ErrRule],
// [ErrDefinition], [ErrUnknownSegment], [ErrDefined] or [ErrCycle].
func Compile(definitions ...Definition) (*Ruleset, error) {
	rs := &Ruleset{catalog: newCatalog(), segments: map[string]*compiled{}}
	ordered, err := dependencyOrder(definitions)
	if err != nil {
		return nil, err
	}
	rs.ordered = ordered
	for _, d := range ordered {
		c, err := rs.catalog.compile(d, rs.segments)
		if err != nil {
			return nil, err
		}
		rs.segments[d.Name] = c
	}
	return rs, nil
}

// dependencyOrder sorts definitions so that each comes after those it is made of.
func dependencyOrder(definitions []Definition) ([]Definition, error) {
	byName := make(map[string]Definition, len(definitions))
	for _, d := range definitions {
		if err := d.check(); err != nil {
			return nil, err
		}
		if _, ok := byName[d.Name]; ok {
			return nil, fmt.Errorf("%w: %s is there twice", ErrDefined, d.Name)
		}
		byName[d.Name] = d
	}
	var ordered []Definition
	state := map[string]int{} // 1 being visited, 2 done
	var visit func(d Definition) error
	visit = func(d Definition) error {
		switch state[d.Name] {
		case 1:
			return fmt.Errorf("%w: through %s", ErrCycle, d.Name)
		case 2:
			return nil
		}
		state[d.Name] = 1
		for _, name := range d.Rule.n.segments(nil) {
			if dep, ok := byName[name]; ok {
				if err := visit(dep); err != nil {
					return err
				}
			}
		}
		state[d.Name] = 2
		ordered = append(ordered, d)
		return nil
	}
	for _, d := range definitions {
		if err := visit(d); err != nil {
			return nil, err
		}
	}
	return ordered, nil
}

func (d Definition) check() error {
	if d.Name == "" || len(d.Name) > 128 || profile.ID(d.Name).Validate() != nil {
		return fmt.Errorf("%w: a name is 1 to 128 bytes of text", ErrDefinition)
	}
	if _, err := loadZone(d.Zone); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDefinition, d.Name, err)
	}
	if err := d.Rule.n.check("rule", 0); err != nil {
		return fmt.Errorf("%w (in %s)", err, d.Name)
	}
	return nil
}

func loadZone(name string) (*time.Location, error) {
	switch name {
	case "":
		return time.UTC, nil
	case "Local":
		return nil, errors.New("zone Local differs from machine to machine")
	}
	if loc, ok := knownZones.Load(name); ok {
		return loc.(*time.Location), nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("unknown zone %q", name)
	}
	knownZones.Store(name, loc)
	return loc, nil
}

// knownZones are those that were read from disk once, by name.
var knownZones sync.Map

// segments lists the names of the segments that the rule is made of.
func (n *node) segments(into []string) []string {
	switch n.kind {
	case nodeIn:
		into = append(into, n.segment)
	case nodeFunc:
		into = append(into, n.fn.deps.Segments...)
	}
	for _, k := range n.kids {
		into = k.segments(into)
	}
	return into
}

// Definitions lists the segments, each after those that it is made of.
func (rs *Ruleset) Definitions() []Definition { return slices.Clone(rs.ordered) }

func (rs *Ruleset) find(segment string) (*compiled, error) {
	c := rs.segments[segment]
	if c == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownSegment, segment)
	}
	return c, nil
}

// Match reports whether the customer belongs to the segment at t, by the facts
// that have happened by then. Traits are taken as they stand in the record.
// The error matches [ErrUnknownSegment].
func (rs *Ruleset) Match(segment string, r Record, t time.Time) (bool, error) {
	c, err := rs.find(segment)
	if err != nil {
		return false, err
	}
	in, _ := eval(newSubject(rs.catalog, r), c.root, micros(t))
	return in, nil
}

// NextChange is the first instant after t at which membership changes if
// nothing happens, the zero time for never (or not within 200 years).
// What lies after t in the record is taken to happen.
func (rs *Ruleset) NextChange(segment string, r Record, t time.Time) (time.Time, error) {
	c, err := rs.find(segment)
	if err != nil {
		return time.Time{}, err
	}
	return instant(nextChange(newSubject(rs.catalog, r), c.root, micros(t))), nil
}
