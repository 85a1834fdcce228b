package profile

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Suspicion says what is the matter with a profile.
type Suspicion string

// The suspicions.
const (
	// ManyIdentifiers is a profile that links more identifiers than a person has.
	ManyIdentifiers Suspicion = "many_identifiers"
	// ManyValues is a profile whose evidence says more about one trait than can
	// be true of a person: five names.
	ManyValues Suspicion = "many_values"
	// SharedIdentifier is a profile with an identifier by which evidence of
	// others would have joined it and was refused: a kiosk, a family's phone.
	SharedIdentifier Suspicion = "shared_identifier"
)

// Suspect is a profile that looks like more than one person.
type Suspect struct {
	Profile ID `json:"profile"`
	// Why has one entry for each suspicion and name, by these.
	Why []SuspectReason `json:"why"`
}

// SuspectReason is one thing that makes a profile suspect. It names no value.
type SuspectReason struct {
	Suspicion Suspicion `json:"suspicion"`
	// Name is the kind of the identifiers, or the trait; empty for identifiers
	// of all kinds.
	Name string `json:"name,omitempty"`
	// Count is how many identifiers or values it has, or how many profiles have
	// evidence of one identifier, itself included: of the most shared one.
	Count int `json:"count"`
}

// String says it for people.
func (r SuspectReason) String() string {
	switch r.Suspicion {
	case ManyValues:
		return fmt.Sprintf("%d values of %s", r.Count, r.Name)
	case SharedIdentifier:
		return fmt.Sprintf("a %s of %d profiles", r.Name, r.Count)
	}
	return fmt.Sprintf("%d identifiers", r.Count)
}

// String says it for people, without any value.
func (s Suspect) String() string {
	why := make([]string, len(s.Why))
	for i, r := range s.Why {
		why[i] = r.String()
	}
	return strings.Join(why, "; ")
}

// Suspecting says from where on a profile is suspect.
type Suspecting struct {
	// Identifiers is the most linking identifiers of a person. Default: 50.
	// Negative: do not look.
	Identifiers int
	// Values is the most that evidence may say about a trait, by trait. Default:
	// three names and two birthdays.
	Values map[string]int
	// Profiles is the most profiles that evidence of one identifier may belong
	// to. Default: 2. Negative: do not look.
	Profiles int
}

// Suspects yields the profiles that look like a shared device or a mega-profile,
// by ID: what to look at before blocking a value, setting a limit
// ([Directory.Preview] says what comes of it), or unlinking evidence. Left out
// are visitors who are over. To read page by page, pass the last ID read as
// after. The cost is that of reading all profiles.
func (d *Directory) Suspects(ctx context.Context, s Suspecting, after ID) iter.Seq2[Suspect, error] {
	s.Identifiers, s.Profiles = cmp.Or(s.Identifiers, 50), cmp.Or(s.Profiles, 2)
	if s.Values == nil {
		s.Values = map[string]int{"name": 3, "birthday": 2}
	}
	return func(yield func(Suspect, error) bool) {
		var found []Suspect
		err := d.eachProfile(ctx, func(g *graph, c *cluster) {
			if c.id() > after {
				if why := s.why(g, c); len(why) > 0 {
					found = append(found, Suspect{c.id(), why})
				}
			}
		})
		if err != nil {
			yield(Suspect{}, err)
			return
		}
		for _, x := range found {
			if err := ctx.Err(); err != nil {
				yield(Suspect{}, err)
				return
			}
			if !yield(x, nil) {
				return
			}
		}
	}
}

func (s *Suspecting) why(g *graph, c *cluster) []SuspectReason {
	var why []SuspectReason
	if s.Identifiers > 0 && len(c.nodes) > s.Identifiers {
		why = append(why, SuspectReason{Suspicion: ManyIdentifiers, Count: len(c.nodes)})
	}
	values := map[string]map[string]bool{}
	for _, e := range c.evidence {
		for i := range e.traits {
			name := g.traits[e.traits[i].trait].name
			if v := folded(e.traits[i].val); v != "" && s.Values[name] > 0 {
				if values[name] == nil {
					values[name] = map[string]bool{}
				}
				values[name][v] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if n := len(values[name]); n > s.Values[name] {
			why = append(why, SuspectReason{ManyValues, name, n})
		}
	}
	most := map[string]int{}
	for _, n := range c.nodes {
		of := map[ID]bool{c.id(): true}
		for _, r := range n.refusals() {
			if r.reason != ReasonUnlinked && r.evidence.home != nil {
				of[r.evidence.home.id()] = true
			}
		}
		if s.Profiles > 0 && len(of) > s.Profiles {
			most[n.kind.Name] = max(most[n.kind.Name], len(of))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(most)) {
		why = append(why, SuspectReason{SharedIdentifier, name, most[name]})
	}
	return why
}
