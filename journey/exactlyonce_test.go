package journey_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

var runs = flag.Int("runs", 10_000, "randomized runs of the exactly-once test")

// errDead is what a store answers to a process that has died.
var errDead = errors.New("the process has died")

// failing is a store seen by one process: it dies at a chosen write, before or
// after the write took place.
type failing struct {
	journey.Store
	left  int // writes until death; negative is immortal
	after bool
	dead  bool
}

func (f *failing) write(do func() error) error {
	if f.dead {
		return errDead
	}
	if f.left == 0 {
		f.dead = true
		if f.after {
			_ = do()
		}
		return errDead
	}
	f.left--
	return do()
}

func (f *failing) Commit(ctx context.Context, b *journey.Batch) error {
	return f.write(func() error { return f.Store.Commit(ctx, b) })
}

func (f *failing) Claim(ctx context.Context, c journey.Claim) (due []journey.Due, err error) {
	err = f.write(func() error {
		due, err = f.Store.Claim(ctx, c)
		return err
	})
	return due, err
}

func (f *failing) Get(ctx context.Context, l journey.Lookup) (journey.Found, error) {
	if f.dead {
		return journey.Found{}, errDead
	}
	return f.Store.Get(ctx, l)
}

// provider is a channel in the world outside: what it was asked, what it did.
type provider struct {
	honorsKeys bool
	called     map[string]int // by key
	did        map[string]int
}

func newProvider(honorsKeys bool) *provider {
	return &provider{honorsKeys, map[string]int{}, map[string]int{}}
}

// do carries out a call; a provider that honors keys does so once.
func (p *provider) do(key string) {
	if !p.honorsKeys || p.did[key] == 0 {
		p.did[key]++
	}
}

// reminders is a journey of two messages and an award, with outcomes that matter.
func reminders() *journey.Builder {
	m := func(template string) journey.Message {
		return journey.Message{Template: template, Purpose: "marketing", Channels: []string{"wechat", "sms"}, Vars: journey.Args{"item": journey.Data("sku")}}
	}
	j := journey.Define("reminders").Key("cart_id")
	j.Enter(journey.Event("cart.updated")).To("waiting")
	j.Goal("bought").On(journey.Event("order.paid"))
	j.State("waiting").
		On(journey.Event("cart.updated")).To("waiting").
		After(2 * time.Hour).To("first")
	j.State("first").Send(m("first")).
		On(journey.Done("first")).To("pause").
		After(48 * time.Hour).To("pause")
	j.State("pause").After(24 * time.Hour).To("second")
	j.State("second").Send(m("second")).Do(journey.Award("patience", journey.Const(profile.Int(10)))).
		After(24 * time.Hour).End("left")
	return j
}

var monday = time.Date(2026, 11, 9, 2, 0, 0, 0, time.UTC)

// house is a store with the world around it.
type house struct {
	store   *journey.Memory
	journey *journey.Definition
	ports   [3]*provider // wechat, sms, award
	now     time.Time
	// customers do the same things at the same times; gather is Config.Gather.
	customers []profile.ID
	gather    int
	// answer decides what a call does; nil confirms.
	answer func(p *provider, d journey.Dispatch) journey.Answer
}

func newHouse(d *journey.Definition, honorsKeys bool) *house {
	return &house{
		store: journey.NewMemory(), journey: d, now: monday,
		ports:     [3]*provider{newProvider(honorsKeys), newProvider(honorsKeys), newProvider(honorsKeys)},
		customers: []profile.ID{"li"},
	}
}

func (h *house) engine(t testing.TB, s journey.Store) *journey.Engine {
	port := func(p *provider) journey.Port {
		return journey.Port{HonorsKeys: p.honorsKeys, Handle: func(_ context.Context, d journey.Dispatch) journey.Answer {
			p.called[d.Key]++
			if h.answer != nil {
				return h.answer(p, d)
			}
			p.do(d.Key)
			return journey.Confirm("")
		}}
	}
	e, err := journey.New(journey.Config{
		Store: s, Now: func() time.Time { return h.now }, Gather: h.gather,
		Contact: contact.Policy{
			Zone: "Asia/Shanghai", Quiet: []contact.Quiet{{From: "22:00", To: "09:00"}},
			Caps:     []contact.Cap{{Max: 1, Calendar: contact.Day}},
			Channels: map[string]contact.Channel{"wechat": {NeedsCredit: true}},
		},
		Channels: map[string]journey.Port{"wechat": port(h.ports[0]), "sms": port(h.ports[1])},
		Actions:  map[journey.Binding]journey.Port{{Kind: journey.AwardEffect}: port(h.ports[2])},
	})
	require.NoError(t, err)
	return e
}

// inputs are the acts of every customer on two carts, in order of time.
func (h *house) inputs() []journey.Input {
	var out []journey.Input
	for i, act := range []struct {
		name  string
		after time.Duration
		cart  string
	}{{"cart.updated", 0, "A"}, {"cart.updated", time.Hour, "B"}, {"cart.updated", 90 * time.Minute, "A"}, {"order.paid", 30 * time.Hour, "B"}} {
		for _, id := range h.customers {
			x := journey.Input{
				ID: fmt.Sprintf("%d/%s", i, id), Name: act.name, Customer: id, Time: monday.Add(act.after), Received: monday.Add(act.after),
				Props: profile.Values{"cart_id": profile.Text(act.cart), "sku": profile.Text("boots")},
			}
			if i == 0 {
				x.Consents = []profile.ConsentAct{{Purpose: "marketing", Granted: true}}
			}
			out = append(out, x)
		}
	}
	return out
}

// ingest gives inputs to an engine, all at once where work is gathered.
func (h *house) ingest(e *journey.Engine, inputs []journey.Input) error {
	if h.gather != 1 {
		receipts, err := e.IngestBatch(context.Background(), inputs)
		for _, r := range receipts {
			err = errors.Join(err, r.Err)
		}
		return err
	}
	for _, x := range inputs {
		if _, err := e.Ingest(context.Background(), x); err != nil {
			return err
		}
	}
	return nil
}

func credit(r contact.Row) contact.Row {
	return r.WithCredit(contact.Credit{ID: "c", Channel: "wechat", Count: 1})
}

// verdicts are the ends of all effects in the outbox, sorted.
func (h *house) verdicts(t testing.TB) (ends []string, byKey map[string]journey.EffectRow) {
	p, err := h.store.Page(context.Background(), journey.Query{Kind: journey.EffectPage, Limit: 1000})
	require.NoError(t, err)
	byKey = map[string]journey.EffectRow{}
	for _, row := range p.Effects {
		byKey[row.Effect.Key] = row
		ends = append(ends, fmt.Sprintf("%s %s %s %s", row.Effect.Key, row.Effect.Name, row.State, row.Decision.Channel))
	}
	slices.Sort(ends)
	return ends, byKey
}

// live plays the inputs and lets time pass until nothing is left; when the
// process dies, the next one gets every input again.
func (h *house) live(t testing.TB, first journey.Store) {
	ctx := context.Background()
	store := first
	var e *journey.Engine
	todo := h.inputs()
	start := func() {
		e = h.engine(t, store)
		err := e.Deploy(ctx, h.journey)
		if errors.Is(err, errDead) {
			store = h.store
			e = h.engine(t, store)
			err = e.Deploy(ctx, h.journey)
		}
		require.NoError(t, err)
	}
	start()
	survive := func(do func() error) {
		for range 3 {
			err := do()
			if err == nil {
				return
			}
			require.ErrorIs(t, err, errDead)
			store = h.store
			start()
			// At least once: everything again.
			again := slices.DeleteFunc(slices.Clone(todo), func(x journey.Input) bool { return x.Time.After(h.now) })
			require.NoError(t, h.ingest(e, again))
		}
		t.Fatal("the process dies again and again")
	}
	for _, id := range h.customers {
		survive(func() error { return e.UpdateContact(ctx, id, credit) })
	}
	next := 0
	for range 1000 {
		var due time.Time
		survive(func() (err error) { due, err = e.NextDue(ctx); return err })
		switch {
		case next < len(todo) && (due.IsZero() || !todo[next].Time.After(due)):
			h.now = later(h.now, todo[next].Time)
			survive(func() error { return h.ingest(e, todo[next:next+len(h.customers)]) })
			next += len(h.customers)
		case due.IsZero():
			return
		default:
			h.now = later(h.now, due)
			survive(func() error { _, err := e.RunDue(ctx, h.now); return err })
		}
	}
	t.Fatal("the journeys do not end")
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// A process dies at every write of a run, before and after it. On channels that
// honor keys the outcome is that of a run without deaths; on others nothing
// happens twice, and what is unclear is on the list.
func TestCrashAtEveryCommit(t *testing.T) {
	d, err := reminders().Build()
	require.NoError(t, err)
	for _, mode := range []struct {
		gather    int
		customers []profile.ID
	}{{1, []profile.ID{"li"}}, {1, []profile.ID{"li", "mo", "wu"}}, {0, []profile.ID{"li", "mo", "wu"}}, {2, []profile.ID{"li", "mo", "wu"}}} {
		house := func(honorsKeys bool) *house {
			h := newHouse(d, honorsKeys)
			h.gather, h.customers = mode.gather, mode.customers
			return h
		}
		whole := house(true)
		counter := &failing{Store: whole.store, left: -1}
		whole.live(t, counter)
		commits := -1 - counter.left
		want, _ := whole.verdicts(t)
		require.Len(t, want, 6*len(mode.customers))
		for k := range commits {
			for _, after := range []bool{false, true} {
				name := fmt.Sprintf("gather %d, %d customers, write %d, after %t", mode.gather, len(mode.customers), k, after)
				h := house(true)
				h.live(t, &failing{Store: h.store, left: k, after: after})
				got, rows := h.verdicts(t)
				require.Equal(t, want, got, name)
				h.check(t, rows, name)

				h = house(false)
				h.live(t, &failing{Store: h.store, left: k, after: after})
				_, rows = h.verdicts(t)
				h.check(t, rows, name)
			}
		}
		t.Logf("gather %d, %d customers: %d crashes", mode.gather, len(mode.customers), commits*4)
	}
}

// check holds outbox and world side by side.
func (h *house) check(t testing.TB, rows map[string]journey.EffectRow, name string) {
	t.Helper()
	did := map[string]int{} // by effect, over all channels
	for _, p := range h.ports {
		for key, n := range p.did {
			if n > 1 {
				t.Fatalf("%s: %s was done %d times", name, key, n)
			}
			for effect := range rows {
				if key == effect || len(key) > len(effect) && key[:len(effect)+1] == effect+"." {
					did[effect] += n
				}
			}
		}
		for key, n := range p.called {
			if !p.honorsKeys && n > 1 && h.answer == nil {
				t.Fatalf("%s: %s was called %d times on a channel that honors no keys", name, key, n)
			}
		}
	}
	for key, row := range rows {
		n := did[key]
		switch row.State {
		case journey.Confirmed:
			if n != 1 {
				t.Fatalf("%s: %s is confirmed and was done %d times", name, key, n)
			}
		case journey.Uncertain:
			if n > 1 {
				t.Fatalf("%s: %s is uncertain and was done %d times", name, key, n)
			}
		default:
			if n != 0 {
				t.Fatalf("%s: %s is %s and was done %d times", name, key, row.State, n)
			}
		}
	}
}

// Two to eight engines on one store; senders that fail before, after and during
// the call, or hang until another engine has taken over; processes that die;
// inputs that come twice and out of order.
func TestExactlyOnceUnderRandomFaults(t *testing.T) {
	seed := rand.Uint64()
	n := *runs
	if testing.Short() || raceEnabled {
		n /= 10
	}
	t.Logf("seed %d, %d runs", seed, n)
	d, err := reminders().Build()
	require.NoError(t, err)
	uncertain, confirmed := 0, 0
	for i := range n {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		h := newHouse(d, r.IntN(2) == 0)
		h.gather = r.IntN(4) // 0 is the default, 1 nothing gathered
		h.customers = []profile.ID{"li", "mo", "wu", "xu"}[:1+r.IntN(4)]
		name := fmt.Sprintf("seed %d, run %d", seed, i)
		h.chaos(t, r, name)
		_, rows := h.verdicts(t)
		h.check(t, rows, name)
		for _, row := range rows {
			switch row.State {
			case journey.Uncertain:
				uncertain++
			case journey.Confirmed:
				confirmed++
			case journey.Pending, journey.Leased:
				t.Fatalf("%s: %s is left %s", name, row.Effect.Key, row.State)
			}
		}
	}
	t.Logf("%d confirmed, %d uncertain", confirmed, uncertain)
}

func (h *house) chaos(t testing.TB, r *rand.Rand, name string) {
	ctx := context.Background()
	engines := make([]*journey.Engine, 2+r.IntN(7))
	boot := func(i int) {
		s := &failing{Store: h.store, left: -1}
		if r.IntN(2) == 0 {
			s.left, s.after = 3+r.IntN(60), r.IntN(2) == 0
		}
		engines[i] = h.engine(t, s)
		if err := engines[i].Deploy(ctx, h.journey); err != nil {
			require.ErrorIs(t, err, errDead, name)
		}
	}
	any := func() (int, *journey.Engine) {
		i := r.IntN(len(engines))
		return i, engines[i]
	}
	survive := func(i int, err error) {
		if err != nil {
			require.ErrorIs(t, err, errDead, name)
			boot(i)
		}
	}
	depth, faults := 0, 12
	h.answer = func(p *provider, d journey.Dispatch) journey.Answer {
		kind := r.IntN(10)
		if faults--; faults < 0 {
			kind = 9
		}
		if kind == 0 && p.honorsKeys && p.did[d.Key] > 0 {
			kind = 9 // who honors keys does not refuse what has been done
		}
		switch kind {
		case 0:
			return journey.Reject("no")
		case 1:
			return journey.Later("busy", time.Duration(r.IntN(3600))*time.Second)
		case 2: // failed before
			return journey.Unclear("timeout")
		case 3: // failed after
			p.do(d.Key)
			return journey.Unclear("timeout")
		case 4, 5: // hangs until the lease is over and another engine has been at work
			if kind == 4 {
				p.do(d.Key)
			}
			if depth < 3 {
				depth++
				h.now = h.now.Add(2 * time.Minute)
				i, e := any()
				_, err := e.RunDue(ctx, h.now)
				survive(i, err)
				depth--
			}
			if kind == 5 {
				return journey.Unclear("hung")
			}
			return journey.Confirm("")
		}
		p.do(d.Key)
		return journey.Confirm("")
	}
	for i := range engines {
		boot(i)
	}
	todo := h.inputs()
	todo = append(todo, todo[r.IntN(len(todo))], todo[r.IntN(len(todo))])
	if r.IntN(2) == 0 {
		r.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
	}
	for _, id := range h.customers {
		require.NoError(t, h.engine(t, h.store).UpdateContact(ctx, id, func(c contact.Row) contact.Row {
			return credit(c).WithConsent(profile.ConsentAct{Purpose: "marketing", Granted: true}, monday)
		}))
	}
	for step := 0; ; step++ {
		if step > 3000 {
			t.Fatalf("%s: the journeys do not end", name)
		}
		i, e := any()
		due, err := e.NextDue(ctx)
		survive(i, err)
		if err != nil {
			continue
		}
		switch {
		case len(todo) > 0 && (due.IsZero() || r.IntN(3) == 0):
			n := 1 + r.IntN(len(todo))
			if h.gather == 1 {
				n = 1
			}
			for j := range n {
				h.now = later(h.now, todo[j].Time)
			}
			for j := range n {
				todo[j].Received = h.now
			}
			err := h.ingest(e, todo[:n])
			if survive(i, err); err == nil {
				todo = todo[n:]
			}
		case due.IsZero():
			return
		default:
			h.now = later(h.now, due)
			_, err := e.RunDue(ctx, h.now)
			survive(i, err)
		}
	}
}
