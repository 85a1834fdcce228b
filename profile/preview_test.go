package profile_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

// owners says whose each record of evidence is.
func (m *model) owners(t testing.TB) map[profile.EvidenceKey]profile.ID {
	t.Helper()
	out := map[profile.EvidenceKey]profile.ID{}
	for id, key := range m.keys {
		_, owner, err := m.dir.Event(t.Context(), id)
		require.NoError(t, err)
		out[key] = owner
	}
	return out
}

// between computes an outcome from whose evidence was before and after. What is
// not there after was retracted.
func between(before, after map[profile.EvidenceKey]profile.ID) profile.Outcome {
	var out profile.Outcome
	gets, gives := map[profile.ID]map[profile.ID]int{}, map[profile.ID]map[profile.ID]int{}
	add := func(m map[profile.ID]map[profile.ID]int, a, b profile.ID) {
		if m[a] == nil {
			m[a] = map[profile.ID]int{}
		}
		m[a][b]++
	}
	ended := map[profile.ID]bool{}
	for key, was := range before {
		is, stands := after[key]
		if stands && was != is {
			out.Evidence++
		}
		if was != "" {
			if _, ok := ended[was]; !ok {
				ended[was] = true
			}
			ended[was] = ended[was] && (!stands || is == "")
		}
		if !stands {
			continue
		}
		if was != "" {
			add(gives, was, is)
		}
		if is != "" {
			add(gets, is, was)
		}
	}
	parts := func(m map[profile.ID]int) []profile.Part {
		var out []profile.Part
		for _, id := range slices.Sorted(maps.Keys(m)) {
			out = append(out, profile.Part{Profile: id, Evidence: m[id]})
		}
		return out
	}
	for _, id := range slices.Sorted(maps.Keys(gets)) {
		p := parts(gets[id])
		switch {
		case len(p) == 1 && p[0].Profile == "":
			out.Created = append(out.Created, id)
		case len(p) > 1:
			out.Merged = append(out.Merged, profile.Regrouping{Profile: id, Parts: p})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(gives)) {
		p := parts(gives[id])
		renamed := len(p) == 1 && p[0].Profile != id && len(gets[p[0].Profile]) == 1
		if !ended[id] && (len(p) > 1 || renamed) {
			out.Split = append(out.Split, profile.Regrouping{Profile: id, Parts: p})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ended)) {
		if ended[id] {
			out.Ended = append(out.Ended, id)
		}
	}
	return out
}

// What Preview says of a decision is what the decision then does; to ask, even
// several times, changes nothing.
func TestPreviewIsWhatHappens(t *testing.T) {
	eachWorld(t, func(t *testing.T, cfg profile.Config, rng *rand.Rand) {
		w := chaos(rng)
		m := newModel(t, cfg)
		var before map[profile.EvidenceKey]profile.ID
		var said *profile.Outcome
		m.ask = func(what profile.WhatIf) {
			before = m.owners(t)
			out, err := m.dir.Preview(t.Context(), what)
			require.NoError(t, err)
			again, err := m.dir.Preview(t.Context(), what)
			require.NoError(t, err)
			require.Equal(t, out, again)
			m.check(t, fmt.Sprintf("asking %+v", what))
			said = &out
		}
		order := rng.Perm(len(w.events))
		for len(order) > 0 {
			if rng.IntN(3) > 0 {
				m.observe(t, w.events[order[0]])
				order = order[1:]
				continue
			}
			said = nil
			what := m.decide(t, rng)
			if said != nil {
				require.Equal(t, between(before, m.owners(t)), *said, what)
			}
			m.check(t, what)
		}
	})
}

func TestPreviewRefusesWhatCannotBe(t *testing.T) {
	d := open(t, profile.Config{})
	r := observe(t, d, event("1", day(1), phone(li), device("D1")))
	pair := &[2]profile.Identifier{phone(li), device("D1")}
	for name, c := range map[string]struct {
		what profile.WhatIf
		want error
	}{
		"nothing":           {profile.WhatIf{}, profile.ErrInvalidDecision},
		"two things":        {profile.WhatIf{Link: pair, Unlink: r.Evidence}, profile.ErrInvalidDecision},
		"unknown evidence":  {profile.WhatIf{Unlink: profile.EvidenceKey{1}}, profile.ErrNotFound},
		"unknown event":     {profile.WhatIf{Retract: "9"}, profile.ErrNotFound},
		"unknown value":     {profile.WhatIf{Link: &[2]profile.Identifier{phone(li), device("D9")}}, profile.ErrNotFound},
		"one and the same":  {profile.WhatIf{Separate: &[2]profile.Identifier{phone(li), phone("+86" + li)}}, profile.ErrInvalidDecision},
		"what does no link": {profile.WhatIf{Link: &[2]profile.Identifier{phone(li), {Kind: "order/tmall", Value: "1"}}}, profile.ErrInvalidDecision},
		"not declared":      {profile.WhatIf{Withdraw: pair}, profile.ErrNotFound},
		"rules that cannot": {profile.WhatIf{Rules: &profile.Rules{Kinds: []profile.Kind{{Name: "phone", Limit: -1}}}}, profile.ErrConfig},
	} {
		_, err := d.Preview(t.Context(), c.what)
		require.ErrorIs(t, err, c.want, name)
	}
}
