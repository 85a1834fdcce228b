package intake_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile/intake"
)

func TestAMappingSurvivesItsJSON(t *testing.T) {
	for name, m := range map[string]intake.Mapping{"members": members(), "orders": orders()} {
		t.Run(name, func(t *testing.T) {
			places := 0
			m.Places = &places
			b, err := json.Marshal(m)
			require.NoError(t, err)
			assert.Contains(t, string(b), `"format":1`)
			back, err := intake.ParseMapping(strings.NewReader(string(b)))
			require.NoError(t, err)
			assert.Equal(t, m, back)
		})
	}
}

const smallMapping = `{
	"format": 1, "source": "crm", "mode": "live", "places": 3, "point": ",", "thousands": ".",
	"events": [{
		"name": "member.joined", "time": {"column": "joined", "zone": "Asia/Shanghai"},
		"identifiers": [{"kind": "member", "value": "card"}],
		"traits": {"spent": {"column": "spent", "type": "money"}}
	}]
}`

func TestABareStringInJSONIsAColumn(t *testing.T) {
	m, err := intake.ParseMapping(strings.NewReader(smallMapping))
	require.NoError(t, err)
	assert.Equal(t, intake.Column("card"), m.Events[0].Identifiers[0].Value)
	events, _ := load(t, m, "card,joined,spent\nM1,2026-01-01,\"1.234,5\"\n")
	n, _ := events[0].Traits["spent"].Int()
	assert.Equal(t, int64(1234500), n)
}

func TestANumberOfSeveralColumnsKeepsThemApart(t *testing.T) {
	text := strings.Replace(smallMapping, `"name"`, `"id": ["card", {"column": "joined"}], "name"`, 1)
	m, err := intake.ParseMapping(strings.NewReader(text))
	require.NoError(t, err)
	events, _ := load(t, m, "card,joined,spent\nM/1,2026-01-01,\nM%2F1,2026-01-01,\n")
	assert.Equal(t, "crm/member.joined/M%2F1/2026-01-01", events[0].ID)
	assert.Equal(t, "crm/member.joined/M%252F1/2026-01-01", events[1].ID)
	m, err = intake.ParseMapping(strings.NewReader(strings.Replace(smallMapping, `"name"`, `"id": "card", "name"`, 1)))
	require.NoError(t, err)
	assert.Equal(t, intake.Fields{intake.Column("card")}, m.Events[0].ID)
}

func TestAMappingThatCannotWorkIsRefusedWithThePathToTheFault(t *testing.T) {
	for path, change := range map[string][2]string{
		"format":                         {`"format": 1`, `"format": 2`},
		`unknown field "sauce"`:          {`"source"`, `"sauce"`},
		`unknown field "colum"`:          {`{"column": "joined"`, `{"colum": "joined"`},
		"source":                         {`"source": "crm", `, ``},
		"mode: is missing":               {`"mode": "live", `, ``},
		"mode: is neither":               {`"mode": "live"`, `"mode": "now"`},
		"events: is empty":               {`"events": [{`, `"events": [], "x": [{`},
		"events[0].time":                 {`"time": {"column": "joined", "zone": "Asia/Shanghai"}`, `"time": {}`},
		"events[0].time: zone":           {"Asia/Shanghai", "Asia/Nowhere"},
		"events[0].identifiers":          {`[{"kind": "member", "value": "card"}]`, `[]`},
		"events[0].identifiers[0].kind":  {`"kind": "member", `, ``},
		"events[0].identifiers[0].value": {`"value": "card"`, `"value": {"column": "card", "const": "x"}`},
		"events[0].traits.spent.type":    {`"money"`, `"float"`},
		"events[0].traits.spent.places":  {`"type": "money"`, `"type": "money", "places": 9`},
		"point":                          {`"point": ","`, `"point": "."`},
		"comma":                          {`"places": 3`, `"comma": "ab"`},
		"input":                          {`"places": 3`, `"input": "xlsx"`},
		"group_by: is for CSV":           {`"places": 3`, `"input": "jsonl", "group_by": ["a"]`},
		"layouts[0]: is not a layout":    {`"places": 3`, `"layouts": ["YYYY-MM-DD"]`},
		"layouts[1]: letter codes":       {`"places": 3`, `"layouts": ["unix", "2006-01-02 MST"]`},
		"columns":                        {`"places": 3`, `"columns": ["card", "joined"]`},
		"invalid character":              {`"source"`, `source`},
		"events[0].id[1]":                {`"name": "member.joined"`, `"id": ["card", {}]`},
		"events[0].when[0]":              {`"name": "member.joined"`, `"when": [{"column": "card"}]`},
		"events[0].order.kind":           {`"name": "member.joined"`, `"order": {"kind": "lost", "key": {"number": "card"}}`},
		"events[0].order.lines[0].each":  {`"name": "member.joined"`, `"order": {"kind": "paid", "key": {"number": "card"}, "lines": [{"each": "items", "sku": "sku"}]}`},
		"events[0].consents[0].purpose":  {`"name": "member.joined"`, `"consents": [{"granted": "card"}]`},
		"type and separator":             {`{"column": "joined", `, `{"column": "joined", "type": "time", `},
	} {
		t.Run(path, func(t *testing.T) {
			text := strings.Replace(smallMapping, change[0], change[1], 1)
			require.NotEqual(t, smallMapping, text)
			_, err := intake.ParseMapping(strings.NewReader(text))
			require.ErrorIs(t, err, intake.ErrMapping)
			if path == "events: is empty" {
				return // the unknown field "x" comes first
			}
			assert.ErrorContains(t, err, path)
		})
	}
	_, err := intake.New(intake.Config{})
	assert.ErrorIs(t, err, intake.ErrMapping)
	_, err = intake.New(intake.Config{Mapping: members(), BatchSize: -1})
	assert.ErrorContains(t, err, "BatchSize")
}
