package segment

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
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

func (w *world) handOver() profile.HandOver {
	from, to := pick(w, "o1/a", "o1/b"), pick(w, "o2/b", "o2/c")
	if w.rng.IntN(2) == 0 {
		from, to = to, from
	}
	return profile.HandOver{Type: pick(w, "assistant", "household"), From: from, To: to, At: w.time()}
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
