package contact

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

// A book and a row are told the same story, of consents, credits, messages and
// their ends: every answer is the same, and so is the row at each step. Copies of
// the book's row stay as they were.
func TestABookIsARow(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	var book Book
	verdicts := map[Verdict]int{}
	for range 80 {
		g := gate(t, Policy{
			Caps: []Cap{
				{Max: 1 + r.IntN(3), Rolling: time.Duration(1+r.IntN(72)) * time.Hour, PerBrand: r.IntN(2) == 0},
				{Max: 1 + r.IntN(3), Calendar: []Period{Day, Week, Month}[r.IntN(3)], Channel: "sms"},
			},
			Quiet:     []Quiet{{From: "22:00", To: "09:00", Channels: []string{"sms"}}},
			Blackouts: []BlackoutDates{{From: "2026-01-05", To: "2026-01-06", Brand: pick("", "luna")}},
			Channels:  map[string]Channel{"wechat": {NeedsCredit: true, ReplyWindow: 48 * time.Hour}, "wecom": {NeedsFollow: true}, "sms": {Cost: 5}},
		})
		now := shanghai(t, "2026-01-01 00:00")
		row := Row{}.WithFollow("wecom", "", r.IntN(2) == 0, now).WithReply("wechat", "", now)
		for i := range r.IntN(4) {
			row = row.WithCredit(Credit{ID: fmt.Sprint("c", i), Channel: "wechat", Count: 1 + r.IntN(2), Template: pick("", "cart")})
		}
		book.Reset(row)
		var keys []string
		for i := range 60 {
			now = now.Add(time.Duration(r.IntN(20*60)) * time.Minute)
			before, was := book.Row(), fmt.Sprint(book.Row())
			switch r.IntN(4) {
			case 0:
				act := profile.ConsentAct{Purpose: "marketing", Channel: pick("", "sms", "wechat"), Granted: r.IntN(4) > 0, Inferred: r.IntN(3) == 0}
				at := now.Add(-time.Duration(r.IntN(48)) * time.Hour)
				row = row.WithConsent(act, at)
				book.Consent(act, at)
			case 1:
				if len(keys) > 0 {
					key, result := keys[r.IntN(len(keys))], Result(1+r.IntN(2))
					row = row.Settle(key, result)
					book.Settle(key, result)
				}
			default:
				m := Message{
					Key: fmt.Sprint("m", i), Template: "cart", Category: "cart", Brand: pick("", "luna"),
					Purpose: pick("marketing", "marketing", Transactional), Channels: [][]string{{"wechat", "sms"}, {"sms"}, {"wecom", "wechat", "sms"}}[r.IntN(3)],
				}
				keys = append(keys, m.Key)
				want, next := g.Decide(row, m, Facts{}, now)
				row = next
				require.Equal(t, want, book.Decide(g, &m, Facts{}, now), "seed %d", seed)
				verdicts[want.Verdict]++
			}
			require.Equal(t, fmt.Sprint(row), fmt.Sprint(book.Row()), "seed %d", seed)
			require.Equal(t, was, fmt.Sprint(before), "seed %d: a copy stays", seed)
		}
	}
	for v := Allow; v <= Suppress; v++ {
		require.Greater(t, verdicts[v], 15, v)
	}
}

// Caps look no further back than they must; counting every message from the
// beginning of the period says the same.
func TestCapsCountWhatIsInTheirPeriod(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	var zones []*time.Location
	for _, name := range []string{"Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "UTC"} {
		loc, err := time.LoadLocation(name)
		require.NoError(t, err)
		zones = append(zones, loc)
	}
	full := 0
	for range 20_000 {
		zone := zones[r.IntN(len(zones))]
		c := Cap{Max: 1 + r.IntN(3), Calendar: []Period{Day, Week, Month}[r.IntN(3)]}
		if r.IntN(3) == 0 {
			c.Calendar, c.Rolling = "", time.Duration(1+r.IntN(72))*time.Hour
		}
		g, err := New(Policy{Caps: []Cap{c}})
		require.NoError(t, err)
		at := time.Date(2026, time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), 0, 0, time.UTC)
		var sent []Sent
		for when := at.Add(-time.Duration(r.IntN(40*24)) * time.Hour); when.Before(at) && len(sent) < 8; when = when.Add(time.Duration(r.IntN(300)) * time.Hour / 4) {
			sent = append(sent, Sent{At: when, Channel: "sms", Uncounted: r.IntN(5) == 0})
		}
		n := 0
		for _, s := range sent {
			in := at.Sub(s.At) < c.Rolling
			if c.Rolling == 0 {
				in = !s.At.Before(c.Calendar.start(at, zone))
			}
			if in && !s.Uncounted {
				n++
			}
		}
		_, ok := g.caps[0].frees(sent, &Message{}, "sms", zone, at)
		require.Equal(t, n < c.Max, ok, "seed %d: %s at %s after %v", seed, c, at, sent)
		if !ok {
			full++
		}
	}
	require.Greater(t, full, 1000)
}
