package segment

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

var (
	worlds = flag.Int("worlds", 2_500, "random worlds of the differential test")
	seed   = flag.Uint64("seed", 1, "seed of the first world of the differential test")
)

// world is a random set of rules over a random history.
type world struct {
	rng   *rand.Rand
	start time.Time
	zone  string
	grid  time.Duration // instants lie on it, so that edges meet
	n     int           // events so far
	funcs int           // functions so far
}

// zones have clock changes within the days that the worlds are about: an hour,
// half an hour, at midnight, a day that is skipped, none.
var zones = []struct{ name, start string }{
	{"UTC", "2026-02-20"},
	{"America/New_York", "2026-03-01"},
	{"Europe/Berlin", "2025-10-20"},
	{"Australia/Lord_Howe", "2026-03-28"},
	{"America/Asuncion", "2023-09-25"},
	{"America/Havana", "2025-10-28"},
	{"Pacific/Apia", "2011-12-25"},
	{"Asia/Shanghai", "2028-02-24"},
}

func newWorld(seed uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 7))}
	z := zones[w.rng.IntN(len(zones))]
	loc, err := time.LoadLocation(z.name)
	if err != nil {
		panic(err)
	}
	w.zone = z.name
	w.start, _ = time.ParseInLocation(time.DateOnly, z.start, loc)
	w.grid = []time.Duration{30 * time.Minute, 6 * time.Hour, 24 * time.Hour}[w.rng.IntN(3)]
	return w
}

func pick[T any](w *world, of ...T) T { return of[w.rng.IntN(len(of))] }

func (w *world) time() time.Time {
	t := w.start.Add(time.Duration(w.rng.Int64N(int64(20*24*time.Hour/w.grid))) * w.grid)
	if w.rng.IntN(8) == 0 {
		t = t.Add(time.Duration(w.rng.IntN(3)-1) * time.Microsecond)
	}
	return t
}

func (w *world) number() profile.Value {
	if w.rng.IntN(3) == 0 {
		return profile.Dec(int64(w.rng.IntN(60)-10), 1)
	}
	return profile.Int(int64(w.rng.IntN(6) - 1))
}

func (w *world) traitValue(name string) profile.Value {
	if w.rng.IntN(8) == 0 { // missing, or of another type than usual
		return pick(w, profile.Value{}, profile.Text("gold"), profile.Int(2), profile.Flag(true))
	}
	switch name {
	case "tier":
		return profile.Text(pick(w, "gold", "silver", "basic"))
	case "points":
		return w.number()
	case "vip":
		return profile.Flag(w.rng.IntN(2) == 0)
	case "likes":
		return profile.Tags([]string{"boots", "hats", "bags"}[w.rng.IntN(3):]...)
	case "joined":
		return profile.Time(w.time())
	}
	if w.rng.IntN(2) == 0 {
		return profile.Text(pick(w, "1990-03-08", "02-29", "2000-02-29", "10-25", "13-45"))
	}
	return profile.Time(w.time().AddDate(-20, 0, 0))
}

var traitNames = []string{"tier", "points", "vip", "likes", "joined", "birthday"}

func (w *world) window() Window {
	unit := pick(w, Day, Day, Week, Month, Quarter, Year)
	switch w.rng.IntN(8) {
	case 0:
		return Ever()
	case 1:
		return This(unit)
	case 2:
		return Recent(1+w.rng.IntN(3), unit)
	case 3:
		return Previous(1+w.rng.IntN(2), unit)
	case 4:
		from := w.time()
		return Between(from, pick(w, time.Time{}, from.Add(3*w.grid)))
	case 5:
		return Days(1 + w.rng.IntN(5)).Grain(Day)
	}
	return Last(time.Duration(1+w.rng.IntN(6)) * w.grid)
}

func (w *world) attrTest(name string, value func() profile.Value) Rule {
	a := Attr(name)
	x, y := value(), value()
	switch w.rng.IntN(9) {
	case 0:
		return a.Known()
	case 1:
		return a.Missing()
	case 2:
		return a.Has(pick(w, "boots", "hats"), "bags")
	}
	if x.IsZero() {
		return a.Is("gold", "silver")
	}
	ordered := x.Kind() != profile.Bool && x.Kind() != profile.TagSet
	switch w.rng.IntN(6) {
	case 0:
		if ordered {
			return a.AtLeast(x)
		}
	case 1:
		if ordered {
			return a.Below(x)
		}
	case 2:
		if ordered {
			return a.Above(x)
		}
	case 3:
		if ordered {
			return a.AtMost(x)
		}
	case 4:
		if c, ok := x.Compare(y); ok && c <= 0 && ordered {
			return a.Between(x, y)
		}
	}
	return a.Equals(x)
}

func (w *world) eventValue(name string) profile.Value {
	if name == "n" {
		return w.number()
	}
	return profile.Text(pick(w, "x", "y", "z"))
}

func (w *world) filter(names ...string) Rule {
	name := pick(w, names...)
	value := func() profile.Value {
		switch name {
		case "amount":
			return profile.Int(int64(w.rng.IntN(5)) * 100)
		case "skus":
			return profile.Tags("boots")
		case "brand", "source", "k":
			return profile.Text(pick(w, "x", "y", "shop"))
		}
		return w.eventValue(name)
	}
	r := w.attrTest(name, value)
	if w.rng.IntN(4) == 0 {
		return pick(w, Not(r), Any(r, w.attrTest(name, value)), All(r, w.attrTest(name, value)))
	}
	return r
}

func (w *world) events() Behavior {
	b := Events(pick(w, "a", "b", "c"))
	if w.rng.IntN(3) == 0 {
		b = b.Where(w.filter("n", "k", "brand", "source"))
	}
	return b
}

func (w *world) behavior() (b Behavior, property string) {
	switch w.rng.IntN(5) {
	case 0:
		b, property = Orders(), pick(w, "amount", "source", "brand", "skus")
	case 1, 2:
		b, property = NetOrders(), pick(w, "amount", "amount", "skus", "brand")
	default:
		return w.events().Within(w.window()), pick(w, "n", "n", "k")
	}
	if w.rng.IntN(3) == 0 {
		b = b.Where(w.filter("amount", "skus", "brand"))
	}
	return b.Within(w.window()), property
}

func (w *world) measure() Measure {
	b, property := w.behavior()
	switch w.rng.IntN(9) {
	case 0:
		return b.Distinct(property)
	case 1:
		return b.Sum(property)
	case 2:
		return b.Average(property)
	case 3:
		return b.Min(property)
	case 4:
		return b.Max(property)
	case 5:
		return b.First(property)
	case 6:
		return b.Last(property)
	}
	return b.Count()
}

func (w *world) leaf(names []string) Rule {
	switch w.rng.IntN(14) {
	case 0, 1:
		name := pick(w, traitNames...)
		return w.attrTest(name, func() profile.Value { return w.traitValue(name) })
	case 2:
		return pick(w, Attr("joined").Within(w.window()), Attr("joined").Ahead(3*w.grid), Attr("birthday").Anniversary(w.rng.IntN(4)),
			Attr("birthday").AnniversaryBy(shifted, w.rng.IntN(4)), w.relation(), w.relation())
	case 3:
		if len(names) > 0 {
			return In(pick(w, names...))
		}
		return Attr("vip").True()
	case 4:
		m := w.measure()
		if _, ok := m.of.window.before(); ok && m.number() {
			return pick(w, m.Rising(), m.Falling())
		}
		return m.of.Never()
	case 5:
		span := time.Duration(1+w.rng.IntN(4)) * w.grid
		first, next := w.events().Within(w.window()), w.events()
		return pick(w, first.Then(next, span), first.Without(next, span))
	case 6:
		b, _ := w.behavior()
		return b.Within(Ever()).FirstIn(w.window())
	case 7:
		deps := Deps{Attrs: []string{"tier", "points"}, Measures: map[string]Measure{"m": w.measure(), "k": w.measure()}}
		if len(names) > 0 {
			deps.Segments = []string{pick(w, names...)}
		}
		w.funcs++
		return Func(fmt.Sprint("odd ", w.funcs), deps, func(c Customer) bool {
			n := 0
			for _, v := range []profile.Value{c.Attr("tier"), c.Attr("points"), c.Measure("m"), c.Measure("k")} {
				n += len(v.String())
			}
			if len(deps.Segments) > 0 && c.In(deps.Segments[0]) {
				n++
			}
			return n%2 == 1
		})
	}
	m := w.measure()
	if m.agg == aggCount {
		n := w.rng.IntN(4)
		return pick(w, m.of.AtLeast(n), m.of.AtMost(n), m.of.Exactly(n), m.of.Never())
	}
	v := pick(w, w.number(), profile.Int(100), profile.Text("x"))
	return pick(w, m.AtLeast(v), m.Below(v), m.Equals(v))
}

// shifted is a calendar of a few days of February and March, of which a value
// recurs on none, one or two in a year.
var shifted = NewCalendar("shifted", func(v profile.Value, year int) (days []time.Time) {
	for i := range (len(v.String()) + year) % 3 {
		days = append(days, time.Date(year, 2, 27+(year+i*4)%9, 23, 0, 0, 0, time.UTC))
	}
	return days
})

func (w *world) relation() Rule {
	r := Related(pick(w, "assistant", "household"))
	if w.rng.IntN(4) == 0 {
		r = r.OneAtATime(w.rng.IntN(2) == 0)
	}
	return pick(w, r.Exists(), r.To("o1/a"), r.To("o2/b", "o1/b"), r.Under("o1/"), r.Under("o2"))
}

func (w *world) acts() (acts []profile.RelationAct) {
	if w.rng.IntN(5) > 0 {
		return nil
	}
	for range 1 + w.rng.IntN(2) {
		act := profile.RelationAct{Type: pick(w, "assistant", "household"), Party: pick(w, "o1/a", "o1/b", "o2/b"), Ended: w.rng.IntN(4) == 0}
		if w.rng.IntN(3) == 0 {
			act.Until = w.time()
		}
		acts = append(acts, act)
	}
	return acts
}

func (w *world) rule(names []string, depth int) Rule {
	if depth == 0 || w.rng.IntN(3) == 0 {
		return w.leaf(names)
	}
	kids := make([]Rule, 1+w.rng.IntN(3))
	for i := range kids {
		kids[i] = w.rule(names, depth-1)
	}
	switch w.rng.IntN(5) {
	case 0:
		return Not(kids[0])
	case 1, 2:
		return Any(kids...)
	}
	return All(kids...)
}

func (w *world) event() profile.Event {
	w.n++
	e := profile.Event{ID: fmt.Sprint("e", w.n), Time: w.time(), Source: pick(w, "", "x"), Brand: pick(w, "", "x", "y")}
	e.Relations = w.acts()
	if w.rng.IntN(4) == 0 {
		e.Mode = profile.Backfill
	}
	switch w.rng.IntN(6) {
	case 0:
		e.Traits = profile.Values{}
		for range 1 + w.rng.IntN(2) {
			name := pick(w, traitNames...)
			e.Traits[name] = w.traitValue(name)
		}
	case 1, 2:
		e.Name, e.Order = "order", w.order()
	default:
		e.Name = pick(w, "a", "b", "c")
		e.Properties = profile.Values{}
		for _, name := range []string{"n", "k"} {
			if w.rng.IntN(4) > 0 {
				e.Properties[name] = w.eventValue(name)
			}
		}
	}
	return e
}

func (w *world) order() *commerce.Event {
	o := &commerce.Event{Order: commerce.Key{Source: "shop", Number: pick(w, "1", "2", "3")}}
	amount := int64(1+w.rng.IntN(3)) * 100
	switch w.rng.IntN(8) {
	case 0:
		o.Kind = commerce.Refunded
		o.Amount = amount
	case 1:
		o.Kind = commerce.Closed
	case 2:
		o.Kind = commerce.Shipped
	case 3:
		o.Kind = commerce.Returned
		o.Lines = []commerce.Line{{ID: "1", Quantity: 1}}
	case 4:
		o.Kind = commerce.Placed
		o.Lines = []commerce.Line{{ID: "1", SKU: "boots", Quantity: 1, Net: amount}, {ID: "2", SKU: "hats", Quantity: 1, Net: 100}}
	default:
		o.Kind = commerce.Paid
		o.Lines = []commerce.Line{{ID: "1", SKU: "boots", Quantity: 1, Net: amount}}
		o.Payments = []commerce.Payment{{Tender: "card", Amount: amount}}
	}
	if w.rng.IntN(6) == 0 {
		o.Aliases = []commerce.Key{{Source: "shop", Number: pick(w, "1", "2", "4")}}
		if o.Aliases[0] == o.Order {
			o.Aliases = nil
		}
	}
	return o
}

// step changes the history a little.
func (w *world) step(h *MemoryHistory, seen *[]profile.Event) error {
	id := profile.ID(pick(w, "li", "wu", "xu"))
	other := profile.ID(pick(w, "li", "wu", "xu", "yu"))
	ignore := func(err error) error {
		if err != nil && absent(err) {
			return nil
		}
		return err
	}
	switch w.rng.IntN(16) {
	case 0:
		return ignore(h.Merge(id, other))
	case 1:
		if len(*seen) > 0 {
			return ignore(h.Retract(pick(w, *seen...).ID))
		}
	case 2:
		var mine []string
		for e, err := range h.Timeline(context.Background(), id) {
			if err == nil && w.rng.IntN(2) == 0 {
				mine = append(mine, e.ID)
			}
		}
		return ignore(h.Split(id, other, mine...))
	case 3:
		if w.rng.IntN(4) == 0 {
			return ignore(h.Erase(id))
		}
	case 4:
		if len(*seen) > 0 { // a duplicate
			e := pick(w, *seen...)
			if _, owner, err := h.Event(context.Background(), e.ID); err == nil {
				return h.Observe(owner, e)
			}
		}
	}
	e := w.event()
	*seen = append(*seen, e)
	return h.Observe(id, e)
}

// TestEvaluatorsAgree lets random rules meet random histories: late, early,
// duplicate and retracted events, refunds, merges, splits, erasures, clock
// changes. After every step every evaluator gives the same members.
func TestEvaluatorsAgree(t *testing.T) {
	n := *worlds
	if testing.Short() {
		n = min(n, 1000)
	}
	t.Logf("%d worlds from seed %d (-worlds, -seed)", n, *seed)
	for i := range n {
		if _, err := runWorld(*seed+uint64(i), nil); err != nil {
			t.Fatalf("seed %d: %v", *seed+uint64(i), err)
		}
	}
}

// TestRestartsChangeNothing resumes the engine from its store in the middle of
// random worlds. The transitions are those of a run without restarts.
func TestRestartsChangeNothing(t *testing.T) {
	n := *worlds / 10
	t.Logf("%d worlds from seed %d (-worlds, -seed)", n, *seed)
	for i := range n {
		seed := *seed + uint64(i)
		want, err := runWorld(seed, nil)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got, err := runWorld(seed, rand.New(rand.NewPCG(seed, 11)))
		if err != nil {
			t.Fatalf("seed %d, with restarts: %v", seed, err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: with restarts\n%+v\nwithout\n%+v", seed, got, want)
		}
	}
}

func runWorld(seed uint64, restarts *rand.Rand) ([]Transition, error) {
	w := newWorld(seed)
	ctx := context.Background()
	now := w.start.Add(time.Duration(w.rng.IntN(10)) * 24 * time.Hour)
	h := &MemoryHistory{Now: func() time.Time { return now }}
	var defs []Definition
	var names []string
	for i := range 2 + w.rng.IntN(2) {
		def := Definition{Name: fmt.Sprint("s", i), Rule: w.rule(names, 2), Zone: pick(w, w.zone, "")}
		defs = append(defs, def)
		names = append(names, def.Name)
	}
	rules, err := Compile(defs...)
	if err != nil {
		return nil, err
	}
	cfg := Config{History: h, Workers: 2}
	if restarts != nil {
		cfg.Store = &MemoryStore{}
		for _, d := range defs {
			cfg.Functions = append(cfg.Functions, functionsOf(d.Rule)...)
		}
	}
	e, err := New(cfg)
	if err != nil {
		return nil, err
	}
	restart := func() error {
		if restarts == nil || restarts.IntN(3) > 0 {
			return nil
		}
		e, err = Resume(ctx, cfg)
		return err
	}
	// Some segments are defined at once, some in the middle, some at the end.
	toDefine := slices.Clone(defs)
	define := func(upTo int) error {
		for len(toDefine) > 0 && len(defs)-len(toDefine) < upTo {
			if err := e.Define(ctx, now, toDefine[0]); err != nil {
				return err
			}
			toDefine = toDefine[1:]
		}
		return nil
	}
	if err := define(w.rng.IntN(3)); err != nil {
		return nil, err
	}
	var seen []profile.Event
	var cursor uint64
	const steps = 14
	for i := range steps {
		if err := w.step(h, &seen); err != nil {
			return nil, err
		}
		if w.rng.IntN(3) == 0 {
			if err := define(w.rng.IntN(len(defs) + 1)); err != nil {
				return nil, err
			}
		}
		if i == steps-1 {
			if err := define(len(defs)); err != nil {
				return nil, err
			}
		}
		if i < steps-1 && w.rng.IntN(3) == 0 {
			continue // the engine falls behind
		}
		if err := e.CatchUp(ctx); err != nil {
			return nil, err
		}
		if err := restart(); err != nil {
			return nil, fmt.Errorf("step %d: %w", i, err)
		}
		if err := agree(e, rules, h, e.Clock(), i%5 == 4); err != nil {
			return nil, fmt.Errorf("step %d: %w", i, err)
		}
		before := e.Clock()
		if w.rng.IntN(2) == 0 {
			now = now.Add(time.Duration(w.rng.Int64N(int64(4*24*time.Hour/w.grid))) * w.grid)
			if err := agreeAt(e, rules, h, now, i%5 == 0); err != nil {
				return nil, fmt.Errorf("step %d, before the sweep: %w", i, err)
			}
			if err := e.Advance(ctx, now); err != nil {
				return nil, err
			}
			if err := agree(e, rules, h, now, i%5 == 1); err != nil {
				return nil, fmt.Errorf("step %d, after the sweep: %w", i, err)
			}
		}
		for tr, err := range e.Transitions(ctx, cursor) {
			if err != nil {
				return nil, err
			}
			cursor = tr.Seq
			if tr.Cause.Kind == ByTime && tr.EffectiveAt.After(before) {
				if err := lapsed(rules, h, tr); err != nil {
					return nil, fmt.Errorf("step %d: %w", i, err)
				}
			}
		}
	}
	return transitionsOf(e), consistent(e)
}

// agree compares everything known of the present.
func agree(e *Engine, rules *Ruleset, h *MemoryHistory, now time.Time, batch bool) error {
	ctx := context.Background()
	for name, s := range e.segments {
		size := 0
		for _, id := range []profile.ID{"li", "wu", "xu", "yu"} {
			r, there, err := load(ctx, h, id)
			if err != nil {
				return err
			}
			v, err := e.View(name)
			if err != nil {
				return err
			}
			got := v.Contains(id)
			if got {
				size++
			}
			if !there {
				if got {
					return fmt.Errorf("%s: %s is a member and not there", name, id)
				}
				continue
			}
			want, err := rules.Recount(name, r, now)
			if err != nil {
				return err
			}
			match, err := rules.Match(name, r, now)
			if err != nil {
				return err
			}
			if match != want || got != want {
				return fmt.Errorf("%s of %s at %s: by definition %t, per customer %t, engine %t\nrule: %s\nevents: %+v\ntraits: %v",
					id, name, now, want, match, got, s.def.Rule, r.Events, r.Traits)
			}
		}
		if batch {
			if err := batchAgrees(e, s.def, time.Time{}, s.members.snapshot()); err != nil {
				return err
			}
		}
		if size != s.members.len() {
			return fmt.Errorf("%s: %d members, size %d", name, size, s.members.len())
		}
	}
	return nil
}

// batchAgrees compares the members with those of an evaluation over all customers.
func batchAgrees(e *Engine, def Definition, at time.Time, want *set) error {
	def.Name = "query"
	a, err := e.Select(context.Background(), at, def)
	if err != nil {
		return err
	}
	n, err := e.Count(context.Background(), at, def)
	if err != nil {
		return err
	}
	if n != a.Len() || !slices.Equal(members(a.set), members(want)) {
		plan, _ := e.Plan(context.Background(), at, def)
		return fmt.Errorf("batch at %s gives %v, counts %d, expected %v\nrule: %s\n%s", at, members(a.set), n, members(want), def.Rule, plan)
	}
	return nil
}

// agreeAt compares what the engine says of an instant before it gets there.
func agreeAt(e *Engine, rules *Ruleset, h *MemoryHistory, at time.Time, batch bool) error {
	ctx := context.Background()
	for name, s := range e.segments {
		var all []uint32
		for _, id := range []profile.ID{"li", "wu", "xu", "yu"} {
			r, there, err := load(ctx, h, id)
			if err != nil {
				return err
			}
			want := false
			if there {
				if want, err = rules.Recount(name, r, at); err != nil {
					return err
				}
			}
			if d, ok := e.dict.find(id); ok && want {
				all = append(all, d)
			}
			v, err := e.View(name)
			if err != nil {
				return err
			}
			if got, err := v.ContainsAt(ctx, id, at); err != nil || got != want {
				return fmt.Errorf("%s of %s ahead at %s: by definition %t, engine %t (%v)\nrule: %s", id, name, at, want, got, err, s.def.Rule)
			}
			if !there {
				continue
			}
			x, err := e.Explain(ctx, name, id, e.Clock())
			if err != nil {
				return err
			}
			for _, probe := range []time.Duration{-time.Microsecond, 0} {
				if x.Changes.IsZero() {
					break
				}
				in, err := rules.Recount(name, r, x.Changes.Add(probe))
				if err != nil {
					return err
				}
				if (in == x.Member) != (probe < 0) {
					return fmt.Errorf("%s of %s: change at %s is wrong %v from it\nrule: %s", id, name, x.Changes, probe, s.def.Rule)
				}
			}
		}
		if !batch {
			continue
		}
		slices.Sort(all)
		if err := batchAgrees(e, s.def, at, setOf(all)); err != nil {
			return err
		}
	}
	return nil
}

// lapsed checks that membership turned exactly at the instant of a lapse.
func lapsed(rules *Ruleset, h *MemoryHistory, tr Transition) error {
	r, _, err := load(context.Background(), h, tr.Customer)
	if err != nil {
		return err
	}
	at, err := rules.Recount(tr.Segment, r, tr.EffectiveAt)
	if err != nil {
		return err
	}
	before, err := rules.Recount(tr.Segment, r, tr.EffectiveAt.Add(-time.Microsecond))
	if err != nil {
		return err
	}
	if in := tr.Kind == Entered; at != in || before == in {
		return fmt.Errorf("%s %s %s at %s: %t at it, %t just before\nevents: %+v\ntraits: %v", tr.Customer, tr.Kind, tr.Segment, tr.EffectiveAt, at, before, r.Events, r.Traits)
	}
	return nil
}

// consistent checks the feed of transitions against itself and the members.
func consistent(e *Engine) error {
	ids := map[string]bool{}
	members := map[string]map[profile.ID]bool{}
	last := map[string]time.Time{}
	for i, tr := range transitionsOf(e) {
		switch {
		case tr.Seq != uint64(i)+1:
			return fmt.Errorf("transition %d has position %d", i, tr.Seq)
		case ids[tr.ID]:
			return fmt.Errorf("two transitions %s", tr.ID)
		case tr.EffectiveAt.After(tr.DetectedAt):
			return fmt.Errorf("transition detected before it took effect: %+v", tr)
		case (tr.Cause.Kind == ByDefinition) && tr.Mode != profile.Backfill:
			return fmt.Errorf("transition by definition is not marked: %+v", tr)
		}
		ids[tr.ID] = true
		if tr.Customer == "" {
			continue
		}
		key := tr.Segment + "\x00" + string(tr.Customer)
		if tr.EffectiveAt.Before(last[key]) {
			return fmt.Errorf("effect runs backwards: %+v", tr)
		}
		last[key] = tr.EffectiveAt
		if members[tr.Segment] == nil {
			members[tr.Segment] = map[profile.ID]bool{}
		}
		if members[tr.Segment][tr.Customer] == (tr.Kind == Entered) {
			return fmt.Errorf("%s %s %s twice in a row", tr.Customer, tr.Kind, tr.Segment)
		}
		members[tr.Segment][tr.Customer] = tr.Kind == Entered
	}
	for name, s := range e.segments {
		for d := range e.dict.len() {
			if id := e.dict.key(d); id != "" && s.members.has(d) != members[name][id] {
				return fmt.Errorf("transitions of %s in %s do not lead to the members", e.dict.key(d), name)
			}
		}
	}
	return nil
}

func transitionsOf(e *Engine) []Transition {
	var out []Transition
	for t, err := range e.Transitions(context.Background(), 0) {
		if err != nil {
			panic(err)
		}
		out = append(out, t)
	}
	return out
}

// TestEffectiveInstants lets events come late and checks, change by change, that
// each transition takes effect at the instant since when, by all that is known,
// the membership has been what it is.
func TestEffectiveInstants(t *testing.T) {
	n := *worlds / 2
	t.Logf("%d worlds from seed %d (-worlds, -seed)", n, *seed)
	checked := 0
	for i := range n {
		got, err := lateWorld(*seed + uint64(i))
		if err != nil {
			t.Fatalf("seed %d: %v", *seed+uint64(i), err)
		}
		checked += got
	}
	t.Logf("%d transitions in the past", checked)
	if checked < n/10 {
		t.Errorf("only %d transitions took effect in the past", checked)
	}
}

func lateWorld(seed uint64) (checked int, err error) {
	w := newWorld(seed)
	ctx := context.Background()
	now := w.start.Add(19 * 24 * time.Hour)
	h := &MemoryHistory{Now: func() time.Time { return now }}
	e, err := New(Config{History: h})
	if err != nil {
		return 0, err
	}
	// Half of the worlds are about little but counting, whose past the columns
	// do not keep.
	rule := func(i int) Rule { return w.rule([]string{"s0"}[:i], 1+i) }
	event := w.event
	if seed%2 == 0 {
		rule = func(i int) Rule { return w.countRule(1 + i) }
		event = w.countEvent
		now = w.start.Add(10 * w.grid)
	}
	for i := range 2 {
		if err := e.Define(ctx, w.start, Definition{Name: fmt.Sprint("s", i), Zone: w.zone, Rule: rule(i)}); err != nil {
			return 0, err
		}
	}
	last := map[string]int64{}
	var cursor uint64
	for range 25 {
		if err := h.Observe("li", event()); err != nil {
			return 0, err
		}
		for c, err := range h.Changes(ctx, e.Position()) {
			if err != nil {
				return 0, err
			}
			if err := e.Apply(ctx, c); err != nil {
				return 0, err
			}
			d, _ := e.dict.find("li")
			r, _, err := load(ctx, h, "li")
			if err != nil {
				return 0, err
			}
			for name := range r.Traits { // those of the next change are not there yet
				if col := e.attrs[name]; col != nil {
					r.Traits[name] = col.get(d)
				}
			}
			past := newSubject(e.catalog, r)
			for tr, err := range e.Transitions(ctx, cursor) {
				if err != nil {
					return 0, err
				}
				cursor = tr.Seq
				from := last[tr.Segment]
				last[tr.Segment] = micros(tr.EffectiveAt)
				if tr.Cause.Kind != ByEvent && tr.Cause.Kind != ByTrait {
					continue
				}
				ev, _, err := h.Event(ctx, tr.Cause.Event)
				if err != nil {
					return 0, err
				}
				from = max(from, micros(ev.Time))
				want := min(from, e.clock)
				for at, in := from, !(tr.Kind == Entered); at <= e.clock; {
					then, until := eval(past, e.segments[tr.Segment].root, at)
					if then != in && then == (tr.Kind == Entered) {
						want = at
					}
					in, at = then, until
				}
				if micros(tr.EffectiveAt) != want {
					return 0, fmt.Errorf("%s %s at %s, expected %s\nrule: %s", tr.Kind, tr.Segment, tr.EffectiveAt, instant(want), e.segments[tr.Segment].def.Rule)
				}
				if want < e.clock {
					checked++
				}
			}
		}
		now = now.Add(time.Duration(w.rng.IntN(3)) * w.grid)
		if err := e.Advance(ctx, now); err != nil {
			return 0, err
		}
		for tr, err := range e.Transitions(ctx, cursor) { // those are checked elsewhere
			if err != nil {
				return 0, err
			}
			cursor, last[tr.Segment] = tr.Seq, micros(tr.EffectiveAt)
		}
	}
	return checked, nil
}

func (w *world) countRule(depth int) Rule {
	if depth == 0 || w.rng.IntN(4) == 0 {
		b := Events("a").Within(Last(time.Duration(1+w.rng.IntN(8)) * w.grid))
		n := 1 + w.rng.IntN(4)
		return pick(w, b.AtLeast(n), b.AtLeast(n), b.AtMost(n-1), b.Exactly(n), b.Never(), Attr("tier").Is("gold"))
	}
	k := []Rule{w.countRule(depth - 1), w.countRule(depth - 1)}
	return pick(w, All(k...), Any(k...), Not(k[0]), All(k...))
}

func (w *world) countEvent() profile.Event {
	w.n++
	e := profile.Event{ID: fmt.Sprint("e", w.n), Name: "a", Time: w.start.Add(time.Duration(w.rng.IntN(30)) * w.grid)}
	if w.rng.IntN(4) == 0 {
		e.Name, e.Traits = "", profile.Values{"tier": profile.Text(pick(w, "gold", "basic"))}
	}
	return e
}
