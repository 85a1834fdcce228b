package segment_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/segment"
)

// person is what is known of one customer, future events included.
type person struct {
	id     profile.ID
	events []profile.Event
	loc    *time.Location
	begins map[time.Time]time.Time // where days begin, once found
}

// meant is a rule and its meaning.
type meant struct {
	rule  segment.Rule
	holds func(p *person, t time.Time) bool
}

// trait is the value with the latest event time; the greater ID wins a tie.
func (p *person) trait(name string) profile.Value {
	var best profile.Value
	var at time.Time
	var id string
	for _, e := range p.events {
		v, ok := e.Traits[name]
		if ok && (id == "" || e.Time.After(at) || e.Time.Equal(at) && e.ID > id) {
			best, at, id = v, e.Time, e.ID
		}
	}
	return best
}

// dayBegin looks for the first instant whose local date has come, a minute at a time.
func (p *person) dayBegin(year int, month time.Month, day int) time.Time {
	want := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if t, ok := p.begins[want]; ok {
		return t
	}
	t := want.Add(-16 * time.Hour)
	for {
		local := t.In(p.loc)
		if !time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC).Before(want) {
			p.begins[want] = t
			return t
		}
		t = t.Add(time.Minute)
	}
}

// today is the latest day that has begun.
func (p *person) today(t time.Time) (int, time.Month, int) {
	d := t.In(p.loc).AddDate(0, 0, 1)
	for {
		y, m, day := d.Date()
		if !p.dayBegin(y, m, day).After(t) {
			return y, m, day
		}
		d = time.Date(y, m, day, 12, 0, 0, 0, p.loc).AddDate(0, 0, -1)
		// A day that a zone skips is none of its own.
		if yy, mm, dd := d.Date(); yy == y && mm == m && dd == day {
			d = d.AddDate(0, 0, -1)
		}
	}
}

// unitBegin is where the unit n after that of t begins.
func (p *person) unitBegin(u segment.Unit, t time.Time, n int) time.Time {
	y, m, d := p.today(t)
	first := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	switch u {
	case segment.Day:
		first = first.AddDate(0, 0, n)
	case segment.Week:
		for first.Weekday() != time.Monday {
			first = first.AddDate(0, 0, -1)
		}
		first = first.AddDate(0, 0, 7*n)
	case segment.Month:
		first = time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	case segment.Quarter:
		for m != time.January && m != time.April && m != time.July && m != time.October {
			m--
		}
		first = time.Date(y, m+time.Month(3*n), 1, 0, 0, 0, 0, time.UTC)
	case segment.Year:
		first = time.Date(y+n, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	return p.dayBegin(first.Date())
}

// stretch is a window with its meaning; the one before it is nil for none.
type stretch struct {
	window segment.Window
	has    func(p *person, m, t time.Time) bool
	before func(p *person, m, t time.Time) bool
}

func within(from, to, m time.Time) bool { return !m.Before(from) && m.Before(to) } // [from, to)

type naive struct {
	*rand.Rand
	start time.Time
	grid  time.Duration
	n     int
}

func one[T any](w *naive, of ...T) T { return of[w.IntN(len(of))] }

func (w *naive) instant() time.Time {
	t := w.start.Add(time.Duration(w.IntN(int(16*24*time.Hour/w.grid))) * w.grid)
	if w.IntN(6) == 0 {
		t = t.Add(time.Duration(w.IntN(3)-1) * time.Microsecond)
	}
	return t
}

func (w *naive) stretch() stretch {
	unit := one(w, segment.Day, segment.Day, segment.Week, segment.Month, segment.Quarter, segment.Year)
	past := func(m, t time.Time) bool { return !m.After(t) }
	units := func(window segment.Window, from, to int) stretch { // units after that of t, to exclusive
		span := to - from
		open := to == 1
		return stretch{
			window,
			func(p *person, m, t time.Time) bool {
				return within(p.unitBegin(unit, t, from), p.unitBegin(unit, t, to), m) && (!open || past(m, t))
			},
			func(p *person, m, t time.Time) bool {
				return within(p.unitBegin(unit, t, from-span), p.unitBegin(unit, t, to-span), m)
			},
		}
	}
	switch w.IntN(7) {
	case 0:
		return stretch{segment.Ever(), func(_ *person, m, t time.Time) bool { return past(m, t) }, nil}
	case 1:
		return units(segment.This(unit), 0, 1)
	case 2:
		n := 1 + w.IntN(3)
		return units(segment.Recent(n, unit), 1-n, 1)
	case 3:
		n := 1 + w.IntN(2)
		return units(segment.Previous(n, unit), -n, 0)
	case 4:
		from := w.instant()
		to := from.Add(time.Duration(1+w.IntN(9)) * w.grid)
		return stretch{segment.Between(from, to), func(_ *person, m, t time.Time) bool { return within(from, to, m) && past(m, t) }, nil}
	}
	d := time.Duration(1+w.IntN(9)) * w.grid
	window := segment.Last(d)
	if d%(24*time.Hour) == 0 && w.IntN(2) == 0 {
		window = segment.Days(int(d / (24 * time.Hour)))
	}
	return stretch{
		window,
		func(_ *person, m, t time.Time) bool { return past(m, t) && m.After(t.Add(-d)) },
		func(_ *person, m, t time.Time) bool { return !m.After(t.Add(-d)) && m.After(t.Add(-2*d)) },
	}
}

// happening is one fact: an event, or an order with its amount at an instant.
type happening struct {
	at    time.Time
	value profile.Value
}

// doing is a behavior with its meaning, and the property to be measured.
type doing struct {
	behavior segment.Behavior
	property string
	facts    func(p *person, t time.Time) []happening // of all time up to t
}

func (w *naive) events() doing {
	name, property := one(w, "a", "b"), one(w, "n", "n", "k")
	b := segment.Events(name)
	filter := ""
	if w.IntN(2) == 0 {
		filter = one(w, "x", "y")
		b = b.Where(segment.Attr("k").Is(filter))
	}
	return doing{b, property, func(p *person, t time.Time) (out []happening) {
		for _, e := range p.events {
			if e.Name != name || e.Time.After(t) || filter != "" && e.Properties["k"] != profile.Text(filter) {
				continue
			}
			out = append(out, happening{e.Time, e.Properties[property]})
		}
		return out
	}}
}

// orders are paid once, and refunded later or not. Net orders count until all is
// back, with what is left.
func (w *naive) orders() doing {
	net := w.IntN(3) > 0
	b := segment.Orders()
	if net {
		b = segment.NetOrders()
	}
	return doing{b, "amount", func(p *person, t time.Time) (out []happening) {
		for _, paid := range p.events {
			if paid.Order == nil || paid.Order.Kind != commerce.Paid || paid.Time.After(t) {
				continue
			}
			left := paid.Order.Payments[0].Amount
			for _, back := range p.events {
				if net && back.Order != nil && back.Order.Kind == commerce.Refunded && back.Order.Order == paid.Order.Order && !back.Time.After(t) {
					left -= back.Order.Amount
				}
			}
			if left > 0 {
				out = append(out, happening{paid.Time, profile.Int(left)})
			}
		}
		return out
	}}
}

func ratio(v profile.Value) *big.Rat {
	n, places, ok := v.Dec()
	if !ok {
		return nil
	}
	return new(big.Rat).SetFrac(big.NewInt(n), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil))
}

// gauge is a measure with its meaning: a number, a text, or nothing.
type gauge struct {
	measure segment.Measure
	of      func(facts []happening) (number *big.Rat, text string)
}

func (w *naive) gauge(d doing, s stretch) gauge {
	b := d.behavior.Within(s.window)
	numbers := func(facts []happening) (out []*big.Rat) {
		for _, f := range facts {
			if r := ratio(f.value); r != nil {
				out = append(out, r)
			}
		}
		return out
	}
	sum := func(facts []happening) *big.Rat {
		total := new(big.Rat)
		for _, r := range numbers(facts) {
			total.Add(total, r)
		}
		return total
	}
	least := func(sign int) func([]happening) (*big.Rat, string) {
		return func(facts []happening) (best *big.Rat, _ string) {
			for _, r := range numbers(facts) {
				if best == nil || r.Cmp(best)*sign < 0 {
					best = r
				}
			}
			return best, ""
		}
	}
	switch w.IntN(7) {
	case 0:
		return gauge{b.Sum(d.property), func(f []happening) (*big.Rat, string) { return sum(f), "" }}
	case 1:
		return gauge{b.Average(d.property), func(f []happening) (*big.Rat, string) {
			n := numbers(f)
			if len(n) == 0 {
				return nil, ""
			}
			mean := new(big.Rat).Quo(sum(f), new(big.Rat).SetInt64(int64(len(n))))
			rounded, _ := new(big.Rat).SetString(mean.FloatString(6)) // half away from zero
			return rounded, ""
		}}
	case 2:
		return gauge{b.Min(d.property), least(1)}
	case 3:
		return gauge{b.Max(d.property), least(-1)}
	case 4:
		return gauge{b.Distinct(d.property), func(f []happening) (*big.Rat, string) {
			seen := map[string]bool{}
			for _, x := range f {
				if !x.value.IsZero() {
					key := "text " + x.value.String()
					if r := ratio(x.value); r != nil {
						key = r.RatString()
					}
					seen[key] = true
				}
			}
			return new(big.Rat).SetInt64(int64(len(seen))), ""
		}}
	}
	return gauge{b.Count(), func(f []happening) (*big.Rat, string) { return new(big.Rat).SetInt64(int64(len(f))), "" }}
}

func among(p *person, all []happening, t time.Time, has func(p *person, m, t time.Time) bool) (out []happening) {
	for _, f := range all {
		if has(p, f.at, t) {
			out = append(out, f)
		}
	}
	return out
}

func (w *naive) measured() meant {
	d := w.events()
	if w.IntN(3) == 0 {
		d = w.orders()
	}
	s := w.stretch()
	g := w.gauge(d, s)
	if s.before != nil && w.IntN(4) == 0 {
		up := w.IntN(2) == 0
		rule := g.measure.Falling()
		if up {
			rule = g.measure.Rising()
		}
		return meant{rule, func(p *person, t time.Time) bool {
			all := d.facts(p, t)
			now, _ := g.of(among(p, all, t, s.has))
			then, _ := g.of(among(p, all, t, s.before))
			return now != nil && then != nil && (up && now.Cmp(then) > 0 || !up && now.Cmp(then) < 0)
		}}
	}
	bound := one(w, profile.Int(int64(w.IntN(4))), profile.Int(100), profile.Dec(int64(w.IntN(40)), 1))
	limit := ratio(bound)
	test := func(rule segment.Rule, ok func(order int) bool) meant {
		return meant{rule, func(p *person, t time.Time) bool {
			got, _ := g.of(among(p, d.facts(p, t), t, s.has))
			return got != nil && ok(got.Cmp(limit))
		}}
	}
	switch w.IntN(5) {
	case 0:
		return test(g.measure.AtMost(bound), func(o int) bool { return o <= 0 })
	case 1:
		return test(g.measure.Above(bound), func(o int) bool { return o > 0 })
	case 2:
		return test(g.measure.Below(bound), func(o int) bool { return o < 0 })
	case 3:
		return test(g.measure.Equals(bound), func(o int) bool { return o == 0 })
	}
	return test(g.measure.AtLeast(bound), func(o int) bool { return o >= 0 })
}

// latest is the kind that the engine keeps as a few instants.
func (w *naive) often() meant {
	d, s, n := w.events(), w.stretch(), 1+w.IntN(4)
	return meant{d.behavior.Within(s.window).AtLeast(n), func(p *person, t time.Time) bool {
		return len(among(p, d.facts(p, t), t, s.has)) >= n
	}}
}

func (w *naive) sequence() meant {
	first, next, s := w.events(), w.events(), w.stretch()
	span := time.Duration(1+w.IntN(5)) * w.grid
	without := w.IntN(2) == 0
	rule := first.behavior.Within(s.window).Then(next.behavior, span)
	if without {
		rule = first.behavior.Within(s.window).Without(next.behavior, span)
	}
	return meant{rule, func(p *person, t time.Time) bool {
		for _, a := range among(p, first.facts(p, t), t, s.has) {
			followed := slices.ContainsFunc(next.facts(p, t), func(b happening) bool {
				return b.at.After(a.at) && !b.at.After(a.at.Add(span))
			})
			if !without && followed || without && !followed && !t.Before(a.at.Add(span)) {
				return true
			}
		}
		return false
	}}
}

func (w *naive) debut() meant {
	d, s := w.events(), w.stretch()
	return meant{d.behavior.FirstIn(s.window), func(p *person, t time.Time) bool {
		var first time.Time
		for _, f := range d.facts(p, t) {
			if first.IsZero() || f.at.Before(first) {
				first = f.at
			}
		}
		return !first.IsZero() && s.has(p, first, t)
	}}
}

func (w *naive) trait() meant {
	text := func(v profile.Value, s string) bool { got, ok := v.Text(); return ok && got == s }
	number := int64(w.IntN(5))
	limit := new(big.Rat).SetInt64(number)
	compare := func(name string, rule segment.Rule, ok func(order int) bool) meant {
		return meant{rule, func(p *person, _ time.Time) bool {
			r := ratio(p.trait(name))
			return r != nil && ok(r.Cmp(limit))
		}}
	}
	switch w.IntN(8) {
	case 0:
		return meant{segment.Attr("tier").Is("gold", "basic"), func(p *person, _ time.Time) bool {
			return text(p.trait("tier"), "gold") || text(p.trait("tier"), "basic")
		}}
	case 1:
		return meant{segment.Attr("likes").Has("hats"), func(p *person, _ time.Time) bool { return slices.Contains(p.trait("likes").Tags(), "hats") }}
	case 2:
		return meant{segment.Attr("points").Missing(), func(p *person, _ time.Time) bool { return p.trait("points").IsZero() }}
	case 3:
		return compare("points", segment.Attr("points").AtLeast(profile.Int(number)), func(o int) bool { return o >= 0 })
	case 4:
		return compare("points", segment.Attr("points").Equals(profile.Dec(number*10, 1)), func(o int) bool { return o == 0 })
	case 5:
		s := w.stretch()
		return meant{segment.Attr("joined").Within(s.window), func(p *person, t time.Time) bool {
			at, ok := p.trait("joined").Time()
			return ok && s.has(p, at, t)
		}}
	case 6:
		d := time.Duration(1+w.IntN(9)) * w.grid
		return meant{segment.Attr("joined").Ahead(d), func(p *person, t time.Time) bool {
			at, ok := p.trait("joined").Time()
			return ok && at.After(t) && !at.After(t.Add(d))
		}}
	}
	days := w.IntN(5)
	return meant{segment.Attr("born").Anniversary(days), func(p *person, t time.Time) bool {
		v := p.trait("born")
		var bornYear, day int
		var month time.Month
		if s, ok := v.Text(); ok {
			d, err := time.Parse(time.DateOnly, s)
			if err != nil {
				if d, err = time.Parse(time.DateOnly, "0000-"+s); err != nil {
					return false
				}
			}
			bornYear, month, day = d.Date()
		} else if at, ok := v.Time(); ok {
			bornYear, month, day = p.today(at)
		} else {
			return false
		}
		y, m, d := p.today(t)
		for ahead := range days + 1 {
			on := time.Date(y, m, d+ahead, 0, 0, 0, 0, time.UTC)
			kept := on.Month() == month && on.Day() == day
			if month == time.February && day == 29 && on.Month() == time.February && on.Day() == 28 && on.AddDate(0, 0, 1).Day() == 1 {
				kept = true
			}
			if kept && on.Year() > bornYear {
				return true
			}
		}
		return false
	}}
}

func (w *naive) function(name string) meant {
	inner, s := w.events(), w.stretch()
	m := inner.behavior.Within(s.window).Count()
	deps := segment.Deps{Attrs: []string{"tier"}, Measures: map[string]segment.Measure{"m": m}}
	rule := segment.Func(name, deps, func(c segment.Customer) bool {
		n, _ := c.Measure("m").Int()
		tier, _ := c.Attr("tier").Text()
		return (int(n)+len(tier)+len(c.ID()))%2 == 0
	})
	return meant{rule, func(p *person, t time.Time) bool {
		tier, _ := p.trait("tier").Text()
		return (len(among(p, inner.facts(p, t), t, s.has))+len(tier)+len(p.id))%2 == 0
	}}
}

func (w *naive) rule(others []meant, depth int) meant {
	if depth > 0 && w.IntN(2) == 0 {
		kids := make([]meant, 1+w.IntN(3))
		rules := make([]segment.Rule, len(kids))
		for i := range kids {
			kids[i] = w.rule(others, depth-1)
			rules[i] = kids[i].rule
		}
		switch w.IntN(3) {
		case 0:
			return meant{segment.Not(rules[0]), func(p *person, t time.Time) bool { return !kids[0].holds(p, t) }}
		case 1:
			return meant{segment.Any(rules...), func(p *person, t time.Time) bool {
				return slices.ContainsFunc(kids, func(k meant) bool { return k.holds(p, t) })
			}}
		}
		return meant{segment.All(rules...), func(p *person, t time.Time) bool {
			return !slices.ContainsFunc(kids, func(k meant) bool { return !k.holds(p, t) })
		}}
	}
	switch w.IntN(12) {
	case 0, 1, 2:
		return w.measured()
	case 3, 4, 5:
		return w.often()
	case 6:
		return w.sequence()
	case 7:
		return w.debut()
	case 8:
		if len(others) > 0 {
			i := w.IntN(len(others))
			return meant{segment.In(fmt.Sprint("s", i)), others[i].holds}
		}
	case 9:
		w.n++
		return w.function(fmt.Sprint("f", w.n))
	}
	return w.trait()
}
