package program_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/program"
)

func TestADefinitionRoundTrips(t *testing.T) {
	in := program.Definition{
		Format: 1, Version: "2026-03", ReturnDays: 7, ExcludeTenders: []string{"voucher"},
		Rules: []program.Rule{{Name: "base", Unit: loyalty.Points, On: program.Goods, Points: 1, Per: 100, Tiers: []string{"gold"}, Expiry: loyalty.Expiry{Kind: loyalty.ExpireMonths, N: 12}}},
		Tiers: &ladder,
		Merge: program.MergePolicy{Card: program.CardTier, Tier: program.TierHigher, Once: []string{"base"}},
		Units: []loyalty.UnitConfig{{Unit: loyalty.Points, Shortfall: loyalty.Clamp}},
	}
	data, err := json.Marshal(in)
	require.NoError(t, err)
	out, err := program.ParseDefinition(data)
	require.NoError(t, err)
	require.Equal(t, in, out)
}

func TestADefinitionIsRefusedWithTheFieldNamed(t *testing.T) {
	for text, field := range map[string]string{
		`{}`:                            "format",
		`{"format":2}`:                  "format 2",
		`{"format":1,"ruels":[]}`:       "ruels",
		`{"format":1} x`:                "after",
		`{"format":1,"rules":[{}]}`:     "rules[0].name",
		`{"format":1,"return_days":-1}`: "return_days",
		`{"format":1,"rules":[{"name":"a","points":1,"per":0}]}`:                                            "rules[0]",
		`{"format":1,"rules":[{"name":"a","points":1,"per":1,"tiers":["x"]}]}`:                              "rules[0].tiers",
		`{"format":1,"rules":[{"name":"a","points":1,"per":1},{"name":"a","points":1,"per":1}]}`:            "rules[1].name",
		`{"format":1,"tiers":{"unit":"u","tiers":[{"name":"a","threshold":2},{"name":"b","threshold":2}]}}`: "tiers.tiers[1]",
		`{"format":1,"merge":{"card":"best"}}`:                                                              "merge.card",
		`{"format":1,"merge":{"once":["nothing"]}}`:                                                         "merge.once[0]",
	} {
		_, err := program.ParseDefinition([]byte(text))
		require.ErrorIs(t, err, program.ErrDefinition, text)
		require.ErrorContains(t, err, field, text)
	}
}

func FuzzParseDefinition(f *testing.F) {
	f.Add([]byte(`{"format":1,"rules":[{"name":"base","points":1,"per":100,"expiry":{"kind":"months","n":12}}]}`))
	f.Add([]byte(`{"format":1,"tiers":{"unit":"spend","window_months":12,"tiers":[{"name":"gold","threshold":5}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := program.ParseDefinition(data)
		if err != nil {
			require.ErrorIs(t, err, program.ErrDefinition)
			return
		}
		again, err := json.Marshal(d)
		require.NoError(t, err)
		same, err := program.ParseDefinition(again)
		require.NoError(t, err)
		final, err := json.Marshal(same)
		require.NoError(t, err)
		require.JSONEq(t, string(again), string(final))
	})
}
