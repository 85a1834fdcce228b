package contact

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

func shanghai(t testing.TB, local string) time.Time {
	loc, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	at, err := time.ParseInLocation("2006-01-02 15:04", local, loc)
	require.NoError(t, err)
	return at.UTC()
}

func consenting(channels ...string) Row {
	var r Row
	for _, c := range channels {
		r = r.WithConsent(profile.ConsentAct{Purpose: "marketing", Channel: c, Granted: true}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	return r
}

func marketing(key string, channels ...string) Message {
	return Message{Key: key, Template: "cart", Purpose: "marketing", Category: "cart", Channels: channels}
}

func gate(t testing.TB, p Policy) *Gate {
	if p.Zone == "" {
		p.Zone = "Asia/Shanghai"
	}
	g, err := New(p)
	require.NoError(t, err)
	return g
}

func TestDecisions(t *testing.T) {
	noon := "2026-11-10 12:00"
	never := "never given for marketing"
	for name, c := range map[string]struct {
		policy  Policy
		row     Row
		message Message
		now     string
		want    Decision
		until   string
	}{
		"the zero policy asks for consent": {
			message: marketing("m", "sms"), now: noon,
			want: Decision{Verdict: Suppress, Reason: NoConsent, Detail: never, Passed: []Refusal{}},
		},
		"and is content with it": {
			row: consenting("sms"), message: marketing("m", "sms"), now: noon,
			want: Decision{Verdict: Allow, Channel: "sms"},
		},
		"the next channel where the first has no consent": {
			policy: Policy{Channels: map[string]Channel{"sms": {Cost: 7}}},
			row:    consenting("sms"), message: marketing("m", "wechat", "sms"), now: noon,
			want: Decision{Verdict: Fallback, Channel: "sms", Reason: NoConsent, Detail: never, Cost: 7, Passed: []Refusal{}},
		},
		"need is asked first": {
			message: Message{Purpose: "marketing", NeedMet: true, Channels: []string{"sms"}}, now: noon,
			want: Decision{Verdict: Suppress, Reason: NeedMet},
		},
		"what is over is over at its instant": {
			row: consenting("sms"), now: noon,
			message: Message{Purpose: "marketing", NotAfter: shanghai(t, noon), Channels: []string{"sms"}},
			want:    Decision{Verdict: Suppress, Reason: Expired},
		},
		"a gap in the template blocks": {
			row: consenting("sms"), now: noon,
			message: Message{Purpose: "marketing", Missing: []string{"item", "price"}, Channels: []string{"sms"}},
			want:    Decision{Verdict: Suppress, Reason: MissingVariable, Detail: "item, price"},
		},
		"restricted customers get nothing, not even receipts": {
			row: Row{Restricted: true}, now: noon,
			message: Message{Purpose: Transactional, Channels: []string{"sms"}},
			want:    Decision{Verdict: Suppress, Reason: Restricted},
		},
		"a message without a channel": {
			message: marketing("m"), now: noon, want: Decision{Verdict: Suppress, Reason: NoChannel},
		},
		"quiet hours over midnight, late": {
			policy: Policy{Quiet: []Quiet{{From: "22:00", To: "09:00"}}},
			row:    consenting("sms"), message: marketing("m", "sms"), now: "2026-11-10 22:00",
			want: Decision{Verdict: Defer, Channel: "sms", Reason: QuietHours, Detail: "22:00–09:00"}, until: "2026-11-11 09:00",
		},
		"quiet hours over midnight, early": {
			policy: Policy{Quiet: []Quiet{{From: "22:00", To: "09:00"}}},
			row:    consenting("sms"), message: marketing("m", "sms"), now: "2026-11-10 08:59",
			want: Decision{Verdict: Defer, Channel: "sms", Reason: QuietHours, Detail: "22:00–09:00"}, until: "2026-11-10 09:00",
		},
		"the first minute after quiet hours": {
			policy: Policy{Quiet: []Quiet{{From: "22:00", To: "09:00"}}},
			row:    consenting("sms"), message: marketing("m", "sms"), now: "2026-11-10 09:00",
			want: Decision{Verdict: Allow, Channel: "sms"},
		},
		"quiet hours of another channel": {
			policy: Policy{Quiet: []Quiet{{From: "22:00", To: "09:00", Channels: []string{"call"}}}},
			row:    consenting("sms"), message: marketing("m", "sms"), now: "2026-11-10 23:00",
			want: Decision{Verdict: Allow, Channel: "sms"},
		},
		"a blackout ends at local midnight, and quiet hours follow": {
			policy: Policy{Quiet: []Quiet{{From: "22:00", To: "09:00"}}, Blackouts: []BlackoutDates{{Name: "mourning", From: "2026-04-04", To: "2026-04-05"}}},
			row:    consenting("sms"), message: marketing("m", "sms"), now: "2026-04-04 12:00",
			want: Decision{Verdict: Defer, Channel: "sms", Reason: Blackout, Detail: "mourning"}, until: "2026-04-06 09:00",
		},
		"a blackout of another brand": {
			policy: Policy{Blackouts: []BlackoutDates{{From: "2026-04-04", Brand: "luna"}}},
			row:    consenting("sms"), message: marketing("m", "sms"), now: "2026-04-04 12:00",
			want: Decision{Verdict: Allow, Channel: "sms"},
		},
		"a wait beyond MaxDefer is no wait": {
			policy: Policy{Blackouts: []BlackoutDates{{From: "2026-04-04", To: "2026-04-14"}}},
			row:    consenting("sms"), message: marketing("m", "sms"), now: "2026-04-04 12:00",
			want: Decision{Verdict: Suppress, Reason: TooLate, Detail: "blackout date until 2026-04-15 00:00", Passed: []Refusal{}},
		},
		"a wait past its use is no wait, but another channel may go": {
			policy: Policy{Quiet: []Quiet{{From: "22:00", To: "09:00", Channels: []string{"sms"}}}},
			row:    consenting("sms", "email"), now: "2026-11-10 23:00",
			message: Message{Purpose: "marketing", NotAfter: shanghai(t, "2026-11-11 08:00"), Channels: []string{"sms", "email"}},
			want:    Decision{Verdict: Fallback, Channel: "email", Reason: TooLate, Detail: "quiet hours until 2026-11-11 09:00", Passed: []Refusal{}},
		},
		"a receipt asks nobody and waits for nothing": {
			policy:  Policy{Quiet: []Quiet{{From: "00:00", To: "23:59"}}, Caps: []Cap{{Max: 1, Calendar: Day}}},
			message: Message{Key: "m", Purpose: Transactional, Channels: []string{"sms"}}, now: noon,
			want: Decision{Verdict: Allow, Channel: "sms"},
		},
		"a purpose may be loosened in part": {
			policy:  Policy{Quiet: []Quiet{{From: "22:00", To: "09:00"}}, Purposes: map[string]Exempt{"service": {Consent: true}}},
			message: Message{Key: "m", Purpose: "service", Channels: []string{"sms"}}, now: "2026-11-10 23:00",
			want: Decision{Verdict: Defer, Channel: "sms", Reason: QuietHours, Detail: "22:00–09:00"}, until: "2026-11-11 09:00",
		},
		"transactional may be tightened": {
			policy:  Policy{Purposes: map[string]Exempt{Transactional: {}}},
			message: Message{Key: "m", Purpose: Transactional, Channels: []string{"sms"}}, now: noon,
			want: Decision{Verdict: Suppress, Reason: NoConsent, Detail: "never given for transactional", Passed: []Refusal{}},
		},
		"no follower, no message": {
			policy: Policy{Channels: map[string]Channel{"wechat": {NeedsFollow: true}}},
			row:    consenting("wechat", "sms"), message: marketing("m", "wechat", "sms"), now: noon,
			want: Decision{Verdict: Fallback, Channel: "sms", Reason: NotFollowing, Passed: []Refusal{}},
		},
		"no credit": {
			policy: Policy{Channels: map[string]Channel{"wechat": {NeedsCredit: true}}},
			row:    consenting("wechat").WithCredit(Credit{ID: "c", Channel: "wechat", Template: "other", Count: 1}), message: marketing("m", "wechat"), now: noon,
			want: Decision{Verdict: Suppress, Reason: NoCredit, Passed: []Refusal{}},
		},
		"a credit that is over": {
			policy: Policy{Channels: map[string]Channel{"wechat": {NeedsCredit: true}}},
			row:    consenting("wechat").WithCredit(Credit{ID: "c", Channel: "wechat", Count: 1, ExpiresAt: shanghai(t, noon)}), message: marketing("m", "wechat"), now: noon,
			want: Decision{Verdict: Suppress, Reason: NoCredit, Passed: []Refusal{}},
		},
		"an open reply window does without a credit": {
			policy: Policy{Channels: map[string]Channel{"wechat": {NeedsCredit: true, ReplyWindow: 48 * time.Hour}}},
			row:    consenting("wechat").WithReply("wechat", "", shanghai(t, "2026-11-08 12:01")), message: marketing("m", "wechat"), now: noon,
			want: Decision{Verdict: Allow, Channel: "wechat"},
		},
		"a reply window closes at its instant": {
			policy: Policy{Channels: map[string]Channel{"wechat": {ReplyWindow: 48 * time.Hour}}},
			row:    consenting("wechat").WithReply("wechat", "", shanghai(t, "2026-11-08 12:00")), message: marketing("m", "wechat"), now: noon,
			want: Decision{Verdict: Suppress, Reason: WindowClosed, Passed: []Refusal{}},
		},
		"a channel that refused is not asked again": {
			row: consenting("wechat", "sms"), now: noon,
			message: Message{Purpose: "marketing", Channels: []string{"wechat", "sms"}, Refused: []string{"wechat"}},
			want:    Decision{Verdict: Fallback, Channel: "sms", Reason: Refused, Passed: []Refusal{}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := json.Marshal(c.row)
			require.NoError(t, err)
			if c.until != "" {
				c.want.Until = shanghai(t, c.until)
			}
			got, row := gate(t, c.policy).Decide(c.row, c.message, Facts{}, shanghai(t, c.now))
			require.True(t, got.Until.Equal(c.want.Until), "until %s, want %s", got.Until, c.want.Until)
			got.Until = c.want.Until
			require.Equal(t, c.want, got, got.String())
			after, err := json.Marshal(c.row)
			require.NoError(t, err)
			require.Equal(t, string(before), string(after), "the row given must not change")
			if got.Sends() {
				require.Len(t, row.Sent, 1)
				require.True(t, row.Sent[0].Held)
			} else {
				require.Equal(t, c.row, row)
			}
		})
	}
}

func TestCaps(t *testing.T) {
	for name, c := range map[string]struct {
		cap   Cap
		sent  []Sent
		brand string
		now   string
		until string // "" is at once
	}{
		"rolling: the oldest of the last two has to be a day old": {
			cap: Cap{Max: 2, Rolling: 24 * time.Hour}, now: "2026-11-10 12:00", until: "2026-11-10 18:00",
			sent: []Sent{{At: shanghai(t, "2026-11-09 11:00")}, {At: shanghai(t, "2026-11-09 18:00")}, {At: shanghai(t, "2026-11-10 09:00")}},
		},
		"rolling: exactly that old does not count": {
			cap: Cap{Max: 1, Rolling: 24 * time.Hour}, now: "2026-11-10 12:00",
			sent: []Sent{{At: shanghai(t, "2026-11-09 12:00")}},
		},
		"day: until local midnight": {
			cap: Cap{Max: 1, Calendar: Day}, now: "2026-11-10 12:00", until: "2026-11-11 00:00",
			sent: []Sent{{At: shanghai(t, "2026-11-10 00:00")}},
		},
		"day: yesterday does not count": {
			cap: Cap{Max: 1, Calendar: Day}, now: "2026-11-10 00:00",
			sent: []Sent{{At: shanghai(t, "2026-11-09 23:59")}},
		},
		"week: begins on Monday": {
			cap: Cap{Max: 1, Calendar: Week}, now: "2026-11-14 12:00", until: "2026-11-16 00:00",
			sent: []Sent{{At: shanghai(t, "2026-11-09 00:00")}},
		},
		"week: Sunday belongs to the week before": {
			cap: Cap{Max: 1, Calendar: Week}, now: "2026-11-15 12:00", until: "2026-11-16 00:00",
			sent: []Sent{{At: shanghai(t, "2026-11-09 10:00")}},
		},
		"month: until the first": {
			cap: Cap{Max: 1, Calendar: Month}, now: "2026-11-29 12:00", until: "2026-12-01 00:00",
			sent: []Sent{{At: shanghai(t, "2026-11-01 00:00")}},
		},
		"held messages count": {
			cap: Cap{Max: 1, Calendar: Day}, now: "2026-11-10 12:00", until: "2026-11-11 00:00",
			sent: []Sent{{At: shanghai(t, "2026-11-10 08:00"), Held: true}},
		},
		"another channel": {
			cap: Cap{Max: 1, Calendar: Day, Channel: "sms"}, now: "2026-11-10 12:00",
			sent: []Sent{{At: shanghai(t, "2026-11-10 08:00"), Channel: "wechat"}},
		},
		"a cap on another channel does not bind": {
			cap: Cap{Max: 1, Calendar: Day, Channel: "wechat"}, now: "2026-11-10 12:00",
			sent: []Sent{{At: shanghai(t, "2026-11-10 08:00"), Channel: "wechat"}},
		},
		"another category": {
			cap: Cap{Max: 1, Calendar: Day, Category: "cart"}, now: "2026-11-10 12:00",
			sent: []Sent{{At: shanghai(t, "2026-11-10 08:00"), Category: "welcome"}},
		},
		"the brands of a group share a cap": {
			cap: Cap{Max: 1, Calendar: Day}, now: "2026-11-10 12:00", until: "2026-11-11 00:00", brand: "luna",
			sent: []Sent{{At: shanghai(t, "2026-11-10 08:00"), Brand: "sol"}},
		},
		"or each has its own": {
			cap: Cap{Max: 1, Calendar: Day, PerBrand: true}, now: "2026-11-10 12:00", brand: "luna",
			sent: []Sent{{At: shanghai(t, "2026-11-10 08:00"), Brand: "sol"}},
		},
		"what is exempt was not counted": {
			cap: Cap{Max: 1, Calendar: Day}, now: "2026-11-10 12:00",
			sent: []Sent{{At: shanghai(t, "2026-11-10 08:00"), Uncounted: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			row := consenting("sms")
			row.Sent = c.sent
			m := marketing("m", "sms")
			m.Brand = c.brand
			d, _ := gate(t, Policy{Caps: []Cap{c.cap}}).Decide(row, m, Facts{}, shanghai(t, c.now))
			if c.until == "" {
				require.Equal(t, Allow, d.Verdict, d.String())
				return
			}
			require.Equal(t, Defer, d.Verdict, d.String())
			require.Equal(t, Capped, d.Reason)
			require.True(t, d.Until.Equal(shanghai(t, c.until)), d.String())
		})
	}
}

func TestCreditsAreUsedUpAndGivenBack(t *testing.T) {
	g := gate(t, Policy{Channels: map[string]Channel{"wechat": {NeedsCredit: true}}})
	now := shanghai(t, "2026-11-10 12:00")
	row := consenting("wechat").
		WithCredit(Credit{ID: "any", Channel: "wechat", Count: 1}).
		WithCredit(Credit{ID: "any", Channel: "wechat", Count: 9}). // the same grant again
		WithCredit(Credit{ID: "cart", Channel: "wechat", Template: "cart", Count: 1}).
		WithCredit(Credit{ID: "soon", Channel: "wechat", Count: 1, ExpiresAt: now.Add(time.Hour)})
	used := func() (ids []string) {
		for _, c := range row.Credits {
			if c.Used > 0 {
				ids = append(ids, c.ID)
			}
		}
		return ids
	}
	var d Decision
	d, row = g.Decide(row, marketing("1", "wechat"), Facts{}, now)
	require.Equal(t, Allow, d.Verdict)
	require.Equal(t, []string{"soon"}, used(), "the one that is over first")
	_, row = g.Decide(row, marketing("2", "wechat"), Facts{}, now)
	require.Equal(t, []string{"cart", "soon"}, used(), "then the narrower one")
	_, row = g.Decide(row, marketing("3", "wechat"), Facts{}, now)
	d, row = g.Decide(row, marketing("4", "wechat"), Facts{}, now)
	require.Equal(t, NoCredit, d.Reason)
	row = row.Settle("2", Rejected).Settle("2", Rejected).Settle("1", Confirmed)
	require.Equal(t, []string{"any", "soon"}, used(), "given back once")
	require.Len(t, row.Sent, 2)
	d, _ = g.Decide(row, marketing("5", "wechat"), Facts{}, now)
	require.Equal(t, Allow, d.Verdict)
}

func TestConsentScopes(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	act := func(purpose, channel, brand string, granted bool) profile.ConsentAct {
		return profile.ConsentAct{Purpose: purpose, Channel: channel, Brand: brand, Granted: granted}
	}
	ok := func(r Row, brand string, at int) bool {
		yes, _ := r.Consented("marketing", "sms", brand, day(at))
		return yes
	}
	var r Row
	require.False(t, ok(r, "", 9), "silence is no consent")
	r = r.WithConsent(act("marketing", "", "", true), day(1))
	require.True(t, ok(r, "luna", 9), "for all channels and brands")
	require.False(t, ok(r, "", 0), "not before it was given")
	r = r.WithConsent(act("marketing", "sms", "luna", false), day(2))
	require.False(t, ok(r, "luna", 9), "withdrawn for one brand")
	require.True(t, ok(r, "sol", 9), "and not for the other")
	require.True(t, ok(r.WithConsent(act("marketing", "", "", true), day(3)), "luna", 9), "the latest act wins")
	require.False(t, ok(r.WithConsent(act("marketing", "", "", true), day(2)), "luna", 9), "at the same time, the one that withholds")
	require.False(t, ok(r.WithConsent(act("marketing", "sms", "luna", true), day(1)), "luna", 9), "an older act that arrives late")
	inferred := act("marketing", "sms", "luna", true)
	inferred.Inferred = true
	require.False(t, ok(r.WithConsent(inferred, day(8)), "luna", 9), "inference does not beat what was said")
	short := act("marketing", "sms", "", true)
	short.ExpiresAt = day(5)
	s := Row{}.WithConsent(short, day(1))
	require.True(t, ok(s, "", 4))
	require.False(t, ok(s, "", 5), "over at its instant")
	_, why := s.Consented("marketing", "sms", "", day(6))
	require.Equal(t, "over since 2026-01-05", why)
}

func TestConsentFromOutsideReplacesTheRow(t *testing.T) {
	g := gate(t, Policy{})
	now := shanghai(t, "2026-11-10 12:00")
	facts := Facts{Consent: map[string]Permission{"email": {Granted: true}, "sms": {Detail: "minor"}}}
	d, _ := g.Decide(consenting("sms"), marketing("m", "sms", "wechat", "email"), facts, now)
	require.Equal(t, "falls back to email: no consent (minor); wechat: no consent", d.String())
}

func TestTheCustomersOwnZone(t *testing.T) {
	g := gate(t, Policy{Quiet: []Quiet{{From: "22:00", To: "09:00"}}})
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	// 01:30 on the night in which Berlin's clocks jump from 02:00 to 03:00.
	d, _ := g.Decide(consenting("sms"), marketing("m", "sms"), Facts{Zone: berlin}, time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC))
	require.True(t, d.Until.Equal(time.Date(2026, 3, 29, 7, 0, 0, 0, time.UTC)), d.String())
}

func TestMergedRows(t *testing.T) {
	now := shanghai(t, "2026-11-10 12:00")
	a := consenting("sms").WithCredit(Credit{ID: "1", Channel: "wechat", Count: 1})
	a.Sent = []Sent{{Key: "x", At: now}}
	b := Row{Zone: "Asia/Tokyo"}.WithConsent(profile.ConsentAct{Purpose: "marketing", Channel: "sms"}, now).
		WithCredit(Credit{ID: "1", Channel: "wechat", Count: 1, Used: 1}).WithFollow("wechat", "", true, now).WithReply("wechat", "", now)
	b.Sent = []Sent{{Key: "y", At: now.Add(-time.Hour)}, {Key: "x", At: now}}
	m := a.Merge(b)
	require.Equal(t, "Asia/Tokyo", m.Zone)
	require.Equal(t, []Sent{{Key: "y", At: now.Add(-time.Hour)}, {Key: "x", At: now}}, m.Sent)
	require.Equal(t, []Credit{{ID: "1", Channel: "wechat", Count: 1, Used: 1}}, m.Credits, "one grant, used up")
	yes, _ := m.Consented("marketing", "sms", "", now)
	require.False(t, yes, "the later withdrawal wins")
}

// Whatever is asked in whatever order, no more goes out than the caps allow:
// counted afterwards, by a walk over every window.
func TestCapsHoldOnRandomTraffic(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		caps := []Cap{
			{Max: 1 + r.IntN(3), Rolling: time.Duration(1+r.IntN(72)) * time.Hour},
			{Max: 1 + r.IntN(3), Calendar: []Period{Day, Week, Month}[r.IntN(3)], Channel: "sms"},
		}
		g := gate(t, Policy{Caps: caps, Quiet: []Quiet{{From: "22:00", To: "09:00"}}})
		row := consenting("sms", "email")
		now := shanghai(t, "2026-01-01 00:00")
		var out []Sent
		for i := range 100 {
			now = now.Add(time.Duration(r.IntN(20*60)) * time.Minute)
			d, next := g.Decide(row, marketing(string(rune('a'+i)), "sms", "email"), Facts{}, now)
			if d.Verdict == Defer {
				require.True(t, d.Until.After(now))
				if d, next = g.Decide(row, marketing(string(rune('a'+i)), "sms", "email"), Facts{}, d.Until); d.Verdict == Allow {
					now = next.Sent[len(next.Sent)-1].At
				}
			}
			row = next
			if d.Sends() {
				s := row.Sent[len(row.Sent)-1]
				if out = append(out, s); r.IntN(4) == 0 {
					row, out = row.Settle(s.Key, Rejected), out[:len(out)-1]
				}
			}
		}
		for i := range out {
			h := out[i].At.In(g.zone).Hour()
			require.True(t, h >= 9 && h < 22, "sent at %s", out[i].At)
			for _, c := range caps {
				n := 0
				for _, s := range out[i:] {
					inside := s.At.Sub(out[i].At) < c.Rolling
					if c.Calendar != "" {
						inside = s.At.Before(c.Calendar.end(out[i].At, g.zone))
					}
					if inside && (c.Channel == "" || s.Channel == c.Channel) {
						n++
					}
				}
				require.LessOrEqual(t, n, c.Max, "%s from %s", c, out[i].At)
			}
		}
	}
}

func TestPolicyJSON(t *testing.T) {
	p := Policy{
		Zone: "Asia/Shanghai", Quiet: []Quiet{{From: "22:00", To: "09:00"}},
		Blackouts: []BlackoutDates{{Name: "x", From: "2026-04-04"}},
		Caps:      []Cap{{Max: 2, Rolling: 36 * time.Hour}, {Max: 1, Calendar: Week}},
		Channels:  map[string]Channel{"wechat": {NeedsCredit: true, ReplyWindow: 48 * time.Hour}},
		Purposes:  map[string]Exempt{"service": {Consent: true}}, MaxDefer: 48 * time.Hour,
	}
	b, err := json.Marshal(p)
	require.NoError(t, err)
	require.Contains(t, string(b), `"rolling":"36h0m0s"`)
	var q Policy
	require.NoError(t, json.Unmarshal(b, &q))
	require.Equal(t, p, q)
	for _, bad := range []string{`{}`, `{"format":2}`, `{"format":1,"quite":[]}`, `{"format":1,"caps":[{"max":1,"rolling":"a day"}]}`, `{"format":1,"channels":{"sms":{"price":3}}}`} {
		require.Error(t, json.Unmarshal([]byte(bad), &q), bad)
	}
}

func TestWrongPoliciesAreRefusedByField(t *testing.T) {
	for field, p := range map[string]Policy{
		"Zone":              {Zone: "Mars/Olympus"},
		"Quiet[0].From":     {Quiet: []Quiet{{From: "9", To: "10:00"}}},
		"Quiet[0].To":       {Quiet: []Quiet{{From: "09:00", To: "25:00"}}},
		"Quiet[0]:":         {Quiet: []Quiet{{From: "09:00", To: "09:00"}}},
		"Blackouts[0].From": {Blackouts: []BlackoutDates{{From: "4 April"}}},
		"Blackouts[0].To":   {Blackouts: []BlackoutDates{{From: "2026-04-04", To: "x"}}},
		"Blackouts[0]:":     {Blackouts: []BlackoutDates{{From: "2026-04-04", To: "2026-04-03"}}},
		"Caps[0].Max":       {Caps: []Cap{{Calendar: Day}}},
		"Caps[0].Rolling":   {Caps: []Cap{{Max: 1, Rolling: -1}}},
		"Caps[0]:":          {Caps: []Cap{{Max: 1}}},
		"Caps[0].Calendar":  {Caps: []Cap{{Max: 1, Calendar: "decade"}}},
		"MaxDefer":          {MaxDefer: -1},
		"Channels":          {Channels: map[string]Channel{"sms": {Cost: -1}}},
	} {
		_, err := New(p)
		require.ErrorIs(t, err, ErrPolicy)
		require.ErrorContains(t, err, field)
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(`{"format":1,"quiet":[{"from":"22:00","to":"09:00"}],"caps":[{"max":1,"calendar":"day"}],"max_defer":"48h"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Policy
		if json.Unmarshal(b, &p) != nil {
			return
		}
		g, err := New(p)
		if err != nil {
			return
		}
		now := time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)
		d, _ := g.Decide(consenting("sms"), marketing("m", "sms"), Facts{}, now)
		if d.Verdict == Defer && !d.Until.After(now) {
			t.Fatalf("deferred to %s", d.Until)
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var q Policy
		if err := json.Unmarshal(again, &q); err != nil {
			t.Fatal(err)
		}
	})
}
