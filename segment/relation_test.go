package segment_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
	"github.com/cxkit/cxkit/segment/segmenttest"
	"github.com/stretchr/testify/require"
)

func related(kind, party string) profile.RelationAct {
	return profile.RelationAct{Type: kind, Party: party}
}

func act(id, at string, acts ...profile.RelationAct) profile.Event {
	t, err := time.Parse(time.DateOnly, at)
	if err != nil {
		panic(err)
	}
	return profile.Event{ID: id, Time: t, Relations: acts}
}

func TestAnAssistantAtThisOutlet(t *testing.T) {
	c := segmenttest.New(t, segment.Related("assistant").Under("outlet-12/").As("assistant"), "")
	c.Add(act("e1", "2026-01-01", related("assistant", "outlet-12/a7")))
	c.Add(act("e2", "2026-02-01", related("assistant", "outlet-9/a1")))
	c.At("2025-12-31").Out().Until("2026-01-01")
	c.At("2026-01-01").In().Because("assistant", "outlet-12/a7").Until("2026-02-01")
	c.At("2026-02-01").Out().Because("assistant", "outlet-9/a1, wanted: has assistant under outlet-12/").Forever()
}

func TestARelationEnds(t *testing.T) {
	t.Run("by an act", func(t *testing.T) {
		c := segmenttest.New(t, segment.Related("household").To("h1"), "")
		ended := related("household", "h1")
		ended.Ended = true
		c.Add(act("e1", "2026-01-01", related("household", "h1"))).Add(act("e2", "2026-03-01", ended))
		c.At("2026-02-01").In().Until("2026-03-01")
		c.At("2026-03-01").Out()
	})
	t.Run("at its Until", func(t *testing.T) {
		c := segmenttest.New(t, segment.Related("guardian").Exists(), "")
		until := related("guardian", "g1")
		until.Until = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
		c.Add(act("e1", "2026-01-01", until))
		c.At("2026-01-31 23:59").In().Until("2026-02-01")
		c.At("2026-02-01").Out()
	})
}

func TestRelationsOneAtATimeOrSeveral(t *testing.T) {
	for _, single := range []bool{true, false} {
		c := segmenttest.New(t, segment.Related("friend").OneAtATime(single).To("wu"), "")
		c.Add(act("e1", "2026-01-01", related("friend", "wu"))).Add(act("e2", "2026-02-01", related("friend", "xu")))
		c.At("2026-01-15").In()
		if single {
			c.At("2026-02-01").Out()
		} else {
			c.At("2026-02-01").In().Forever()
		}
	}
}

// TestRelationsOfADirectory reads relations where profile keeps them.
func TestRelationsOfADirectory(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	d, err := profile.New(profile.Config{Now: func() time.Time { return now }})
	require.NoError(t, err)
	e, err := segment.New(segment.Config{History: d})
	require.NoError(t, err)
	require.NoError(t, e.Define(ctx, now, segment.Definition{Name: "served", Rule: segment.Related("assistant").To("a7")}))
	phone := []profile.Identifier{{Kind: "phone", Value: "+8613800138000"}}
	for i, party := range []string{"a7", "a8"} {
		_, err := d.Observe(ctx, profile.Event{
			ID: fmt.Sprint("e", i), Time: now, Identifiers: phone,
			Relations: []profile.RelationAct{related("assistant", party)},
		})
		require.NoError(t, err)
		require.NoError(t, e.CatchUp(ctx))
		v, err := e.View("served")
		require.NoError(t, err)
		id, err := d.Lookup(ctx, phone[0])
		require.NoError(t, err)
		relations, err := d.Relations(ctx, id, now)
		require.NoError(t, err)
		require.Equal(t, relations[0].Party == "a7", v.Contains(id))
		require.Equal(t, party, relations[0].Party)
		now = now.Add(time.Hour)
	}
}

// midAutumn is the fifteenth day of the eighth month of the Chinese lunar
// calendar; a table stands for a library.
var midAutumn = map[int]string{2024: "2024-09-17", 2025: "2025-10-06", 2026: "2026-09-25", 2027: "2027-09-15"}

var lunar = segment.NewCalendar("chinese", func(v profile.Value, year int) []time.Time {
	day, known := midAutumn[year]
	if text, _ := v.Text(); text != "lunar 08-15" || !known {
		return nil
	}
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return nil
	}
	return []time.Time{t}
})

func TestALunarBirthday(t *testing.T) {
	rule := segment.Attr("birthday").AnniversaryBy(lunar, 7)
	c := segmenttest.New(t, rule, "Asia/Shanghai").Trait("birthday", "lunar 08-15")
	c.At("2026-09-17 23:59").Out().Until("2026-09-18")
	c.At("2026-09-18").In().Until("2026-09-26")
	c.At("2026-09-26").Out().Until("2027-09-08")
	c.At("2028-01-01").Out().Forever()
	segmenttest.New(t, rule, "Asia/Shanghai").Trait("birthday", "unreadable").At("2026-09-25").Out().Forever()

	doc, err := rule.MarshalJSON()
	require.NoError(t, err)
	require.JSONEq(t, `{"attr":"birthday","anniversary":7,"calendar":"chinese"}`, string(doc))
	back, err := segment.ParseRule(doc, segment.Attr("any").AnniversaryBy(lunar, 0))
	require.NoError(t, err)
	require.Equal(t, rule.String(), back.String())
	_, err = segment.ParseRule(doc)
	require.ErrorIs(t, err, segment.ErrRule)
	_, err = segment.Compile(segment.Definition{Name: "a", Rule: segment.Attr("b").AnniversaryBy(segment.Calendar{}, 0)})
	require.ErrorIs(t, err, segment.ErrRule)
}
