package profile_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

type act struct {
	day int
	act profile.ConsentAct
}

func grant(day int, channel string, change ...func(*profile.ConsentAct)) act {
	a := act{day, profile.ConsentAct{Purpose: "marketing", Channel: channel, Granted: true}}
	for _, c := range change {
		c(&a.act)
	}
	return a
}

func withdraw(day int, channel string, change ...func(*profile.ConsentAct)) act {
	a := grant(day, channel, change...)
	a.act.Granted = false
	return a
}

func inferred(a *profile.ConsentAct) { a.Inferred = true }
func pending(a *profile.ConsentAct)  { a.Pending = true }

func until(n int) func(*profile.ConsentAct) {
	return func(a *profile.ConsentAct) { a.ExpiresAt = day(n) }
}

func brand(b string) func(*profile.ConsentAct) {
	return func(a *profile.ConsentAct) { a.Brand = b }
}

func address(id profile.Identifier) func(*profile.ConsentAct) {
	return func(a *profile.ConsentAct) { a.Address = id }
}

// record delivers acts in random order: what stands depends on when they were
// done, not on when they arrived.
func record(t *testing.T, d *profile.Directory, acts []act) profile.ID {
	t.Helper()
	var id profile.ID
	for _, i := range rand.Perm(len(acts)) {
		e := event(fmt.Sprint("c", i), day(acts[i].day), phone(li))
		e.Consents = []profile.ConsentAct{acts[i].act}
		id = observe(t, d, e).Profile
	}
	if id == "" {
		id = observe(t, d, event("c", day(1), phone(li))).Profile
	}
	return id
}

func TestMay(t *testing.T) {
	sms := profile.ConsentQuery{Purpose: "marketing", Channel: "sms"}
	home, work := phone(li), phone("13900139000")
	for name, c := range map[string]struct {
		acts []act
		ask  profile.ConsentQuery
		at   int
		want profile.ConsentReason
	}{
		"never asked":                           {nil, sms, 9, profile.NeverAsked},
		"another purpose":                       {[]act{grant(1, "sms")}, profile.ConsentQuery{Purpose: "survey", Channel: "sms"}, 9, profile.NeverAsked},
		"granted":                               {[]act{grant(1, "sms")}, sms, 9, profile.ExplicitGrant},
		"not yet granted then":                  {[]act{grant(5, "sms")}, sms, 4, profile.NeverAsked},
		"granted at that instant":               {[]act{grant(5, "sms")}, sms, 5, profile.ExplicitGrant},
		"a grant for all covers one":            {[]act{grant(1, "")}, sms, 9, profile.ExplicitGrant},
		"a grant for one says nothing of all":   {[]act{grant(1, "sms")}, profile.ConsentQuery{Purpose: "marketing"}, 9, profile.NeverAsked},
		"the latest wins":                       {[]act{grant(1, "sms"), withdraw(2, "sms")}, sms, 9, profile.ExplicitRefusal},
		"and again":                             {[]act{grant(1, "sms"), withdraw(2, "sms"), grant(3, "sms")}, sms, 9, profile.ExplicitGrant},
		"at one instant, the withdrawal":        {[]act{grant(1, "sms"), withdraw(1, "sms")}, sms, 9, profile.ExplicitRefusal},
		"left everything, came back to one":     {[]act{grant(1, ""), withdraw(2, ""), grant(3, "sms")}, sms, 9, profile.ExplicitGrant},
		"left one, granted all later":           {[]act{withdraw(2, "sms"), grant(3, "")}, sms, 9, profile.ExplicitRefusal},
		"left everything after one":             {[]act{grant(1, "sms"), withdraw(2, "")}, sms, 9, profile.ExplicitRefusal},
		"scopes in no order":                    {[]act{withdraw(1, "", brand("a")), grant(2, "sms")}, profile.ConsentQuery{Purpose: "marketing", Channel: "sms", Brand: "a"}, 9, profile.ExplicitRefusal},
		"another brand":                         {[]act{withdraw(3, "sms", brand("b")), grant(2, "sms")}, profile.ConsentQuery{Purpose: "marketing", Channel: "sms", Brand: "a"}, 9, profile.ExplicitGrant},
		"one address left":                      {[]act{grant(1, "sms"), withdraw(2, "sms", address(work))}, profile.ConsentQuery{Purpose: "marketing", Channel: "sms", Address: work}, 9, profile.ExplicitRefusal},
		"the other address stays":               {[]act{grant(1, "sms"), withdraw(2, "sms", address(work))}, profile.ConsentQuery{Purpose: "marketing", Channel: "sms", Address: home}, 9, profile.ExplicitGrant},
		"over at its instant":                   {[]act{grant(1, "sms", until(5))}, sms, 5, profile.ConsentExpired},
		"not over before":                       {[]act{grant(1, "sms", until(5))}, sms, 4, profile.ExplicitGrant},
		"expired in one scope, granted in all":  {[]act{grant(1, ""), grant(2, "sms", until(5))}, sms, 9, profile.ExplicitGrant},
		"inferred":                              {[]act{grant(1, "sms", inferred)}, sms, 9, profile.InferredGrant},
		"inferred against inferred":             {[]act{grant(3, "sms", inferred), withdraw(1, "", inferred)}, sms, 9, profile.InferredRefusal},
		"explicit beats a later inferred":       {[]act{grant(1, "sms"), withdraw(5, "sms", inferred)}, sms, 9, profile.ExplicitGrant},
		"explicit refusal beats inferred grant": {[]act{withdraw(1, ""), grant(5, "sms", inferred)}, sms, 9, profile.ExplicitRefusal},
		"asked, not confirmed":                  {[]act{grant(1, "sms", pending)}, sms, 9, profile.ConsentPending},
		"confirmed":                             {[]act{grant(1, "sms", pending), grant(2, "sms")}, sms, 9, profile.ExplicitGrant},
		"asked again changes nothing":           {[]act{grant(1, "sms"), grant(2, "sms", pending)}, sms, 9, profile.ExplicitGrant},
		"left, asked again":                     {[]act{withdraw(1, "sms"), grant(2, "sms", pending)}, sms, 9, profile.ConsentPending},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, profile.Config{})
			id := record(t, d, c.acts)
			p, err := d.May(t.Context(), id, c.ask, day(c.at))
			require.NoError(t, err)
			require.Equal(t, c.want, p.Reason, p.String())
			require.Equal(t, c.want == profile.ExplicitGrant || c.want == profile.InferredGrant, p.Granted)
			require.NotEmpty(t, p.String())
		})
	}
}

func TestMayNeedsEveryConsent(t *testing.T) {
	d := open(t, profile.Config{})
	share := profile.ConsentAct{Purpose: "sharing", Granted: true}
	id := record(t, d, []act{grant(1, "sms"), {5, share}})
	ask := profile.ConsentQuery{Purpose: "marketing", Channel: "sms", With: []string{"sharing"}}
	before, err := d.May(t.Context(), id, ask, day(4))
	require.NoError(t, err)
	require.Equal(t, profile.NeverAsked, before.Reason)
	after, err := d.May(t.Context(), id, ask, day(5))
	require.NoError(t, err)
	require.True(t, after.Granted)
}

// A separate consent is an act of its own; nothing that was inferred stands in for it.
func TestASeparateConsentIsExplicit(t *testing.T) {
	d := open(t, profile.Config{})
	share := profile.ConsentAct{Purpose: "sharing", Granted: true, Inferred: true}
	id := record(t, d, []act{grant(1, "sms"), {5, share}})
	ask := profile.ConsentQuery{Purpose: "marketing", Channel: "sms", With: []string{"sharing"}}
	p, err := d.May(t.Context(), id, ask, day(9))
	require.NoError(t, err)
	require.Equal(t, profile.NeverAsked, p.Reason)
	p, err = d.May(t.Context(), id, profile.ConsentQuery{Purpose: "sharing"}, day(9))
	require.NoError(t, err)
	require.Equal(t, profile.InferredGrant, p.Reason, "asked for by itself, it is what it is")
}

// Who had the number before gave no consent for who has it now.
func TestConsentEndsWhereTheAddressIsReleased(t *testing.T) {
	for name, store := range map[string]profile.Store{"memory": nil, "store": profile.NewMemoryStore()} {
		t.Run(name, func(t *testing.T) {
			d := open(t, profile.Config{Store: store})
			mine := phone(li)
			id := record(t, d, []act{grant(1, "sms"), grant(2, "sms", address(mine))})
			require.NoError(t, d.Release(t.Context(), mine, day(5), decided))
			ask := profile.ConsentQuery{Purpose: "marketing", Channel: "sms", Address: mine}
			for at, want := range map[int]profile.ConsentReason{4: profile.ExplicitGrant, 5: profile.AddressReleased} {
				p, err := d.May(t.Context(), id, ask, day(at))
				require.NoError(t, err)
				require.Equal(t, want, p.Reason)
				require.NotEmpty(t, p.String())
			}
			p, err := d.May(t.Context(), id, profile.ConsentQuery{Purpose: "marketing", Channel: "sms"}, day(9))
			require.NoError(t, err)
			require.True(t, p.Granted, "to reach them at another number")

			again := event("new owner", day(6), mine)
			again.Consents = []profile.ConsentAct{{Purpose: "marketing", Channel: "sms", Granted: true}}
			p, err = d.May(t.Context(), observe(t, d, again).Profile, ask, day(9))
			require.NoError(t, err)
			require.Equal(t, profile.ExplicitGrant, p.Reason)
		})
	}
}

// Nobody can have been asked about an address that is none.
func TestNoConsentForAnAddressThatIsNone(t *testing.T) {
	d := open(t, profile.Config{})
	id := record(t, d, []act{grant(1, "")})
	p, err := d.May(t.Context(), id, profile.ConsentQuery{Purpose: "marketing", Address: phone("138****8000")}, day(9))
	require.NoError(t, err)
	require.Equal(t, profile.NeverAsked, p.Reason)
}

func TestMayForAMinorTakesAGuardian(t *testing.T) {
	d := open(t, profile.Config{})
	id := record(t, d, []act{grant(1, "sms")})
	ask := profile.ConsentQuery{Purpose: "marketing", Channel: "sms", Minor: true}
	p, err := d.May(t.Context(), id, ask, day(9))
	require.NoError(t, err)
	require.Equal(t, profile.NeverAsked, p.Reason)

	e := event("g", day(2), phone(li))
	e.Consents = []profile.ConsentAct{{Purpose: "marketing", Channel: "sms", Granted: true, Guardian: "mother"}}
	observe(t, d, e)
	p, err = d.May(t.Context(), id, ask, day(9))
	require.NoError(t, err)
	require.True(t, p.Granted)
	require.Equal(t, "mother", p.Act.Guardian)

	e = event("h", day(3), phone(li))
	e.Consents = []profile.ConsentAct{{Purpose: "profiling", Granted: true, Inferred: true, Guardian: "mother"}}
	observe(t, d, e)
	p, err = d.May(t.Context(), id, profile.ConsentQuery{Purpose: "profiling", Minor: true}, day(9))
	require.NoError(t, err)
	require.Equal(t, profile.NeverAsked, p.Reason, "a guardian's consent is not inferred")

	e = event("i", day(4), phone(li))
	e.Consents = []profile.ConsentAct{{Purpose: "marketing", Channel: "sms"}}
	observe(t, d, e)
	p, err = d.May(t.Context(), id, ask, day(9))
	require.NoError(t, err)
	require.Equal(t, profile.ExplicitRefusal, p.Reason, "the minor may withdraw alone")
}

// Consent follows the person through a merge: a withdrawal at the till holds in the app.
func TestConsentFollowsTheEvidence(t *testing.T) {
	d := open(t, profile.Config{})
	till := event("1", day(1), phone(li))
	till.Consents = []profile.ConsentAct{{Purpose: "marketing", Granted: false}}
	app := event("2", day(0), device("D1"))
	app.Consents = []profile.ConsentAct{{Purpose: "marketing", Granted: true}}
	observe(t, d, till)
	id := observe(t, d, app).Profile
	ask := profile.ConsentQuery{Purpose: "marketing", Channel: "push"}
	p, err := d.May(t.Context(), id, ask, day(9))
	require.NoError(t, err)
	require.True(t, p.Granted)
	observe(t, d, event("3", day(2), phone(li), device("D1")))
	p, err = d.May(t.Context(), id, ask, day(9))
	require.NoError(t, err)
	require.Equal(t, profile.ExplicitRefusal, p.Reason)
	require.Equal(t, "1", p.Event)
	require.True(t, p.At.Equal(day(1)))
}

func TestRestrictedMeansNo(t *testing.T) {
	for name, store := range map[string]profile.Store{"memory": nil, "store": profile.NewMemoryStore()} {
		t.Run(name, func(t *testing.T) {
			d := open(t, profile.Config{Store: store})
			id := record(t, d, []act{grant(1, "sms")})
			ask := profile.ConsentQuery{Purpose: "marketing", Channel: "sms"}
			require.NoError(t, d.Restrict(t.Context(), id, decided))
			require.NoError(t, d.Restrict(t.Context(), id, decided))
			p, err := d.May(t.Context(), id, ask, day(9))
			require.NoError(t, err)
			require.Equal(t, profile.Permission{Reason: profile.ProcessingHalted}, p)
			who, err := d.Get(t.Context(), id)
			require.NoError(t, err)
			require.True(t, who.Restricted)

			require.NoError(t, d.Resume(t.Context(), id, decided))
			p, err = d.May(t.Context(), id, ask, day(9))
			require.NoError(t, err)
			require.True(t, p.Granted)
			var kinds []profile.ChangeKind
			for c, err := range d.Changes(t.Context(), 0) {
				require.NoError(t, err)
				if c.Kind == profile.Restricted || c.Kind == profile.Resumed {
					kinds = append(kinds, c.Kind)
				}
			}
			require.Equal(t, []profile.ChangeKind{profile.Restricted, profile.Resumed}, kinds)
		})
	}
}
