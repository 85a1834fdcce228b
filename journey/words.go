package journey

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// This file says a definition in words that need no program at hand: diagrams
// are read by people who do not write journeys.

// together is a space at which a line is not broken.
const together = "\u00a0"

// plain writes a technical name with spaces: "order.paid" is "order paid".
func plain(name string) string {
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '_' || r == ' ' }), " ")
}

// words is what takes an edge, in words.
func (d *Definition) words(e *edge) string {
	var s string
	switch {
	case e.spec.Trigger != nil:
		s = d.triggerWords(e.spec.Trigger)
	case e.spec.Wait != nil:
		s = e.spec.Wait.words()
	case e.spec.When != nil && e.spec.When.op == opAlways:
		s = "otherwise"
	case e.spec.When != nil:
		s = "if " + e.spec.When.words()
	default:
		s = fmt.Sprintf("%d%s%%", e.spec.Share, together)
	}
	if e.cond != nil {
		s += ", if " + e.cond.words()
	}
	return s
}

// wordsAfter is what takes an edge that is tried after others: of two on the same
// input the later is what is left.
func (d *Definition) wordsAfter(earlier []edge, e *edge) string {
	s := d.words(e)
	for i := range earlier {
		if t := earlier[i].trigger; t != nil && e.trigger != nil && t.Kind == e.trigger.Kind && t.Name == e.trigger.Name {
			return "else " + s
		}
	}
	return s
}

func (d *Definition) triggerWords(t *triggerSpec) string {
	name := plain(t.Name)
	s := name
	switch InputKind(t.Kind) {
	case EnteredInput:
		s = "joins " + name
	case LeftInput:
		s = "leaves " + name
	case TickInput:
		s = "on schedule " + name
		for _, sch := range d.spec.Schedules {
			if sch.Name == t.Name {
				s = sch.When.String() + ", for all in " + plain(sch.Audience)
			}
		}
	case CallInput:
		s = "asked for: " + name
	case DoneInput:
		s = name + " is done"
		if d.sends(t.Name) {
			s = name + " was sent"
		}
	case FailedInput:
		s = name + " failed"
		if d.sends(t.Name) {
			s = name + " could not be sent"
		}
	case DoubtInput:
		s = "nobody knows whether " + name + " worked"
	case ReturnedInput:
		s = "journey " + name + " has ended"
	}
	for i := range t.Where {
		s += [...]string{", if ", " and "}[min(i, 1)] + t.Where[i].words()
	}
	return s
}

// sends reports whether the name is a message's, rather than another action's.
func (d *Definition) sends(name string) bool {
	for _, f := range d.everyAction() {
		if f.spec.Kind == MessageEffect && f.spec.Name == name {
			return true
		}
	}
	return false
}

// everyAction is all that the definition may do.
func (d *Definition) everyAction() []action {
	var out []action
	for _, e := range d.edges {
		out = append(out, e.do...)
	}
	for i := range d.states {
		out = append(append(out, d.states[i].enter...), d.states[i].leave...)
	}
	return out
}

// words is the condition without what programs call its parts.
func (c *Cond) words() string {
	switch c.op {
	case opAll, opAny:
		join := " and "
		if c.op == opAny {
			join = " or "
		}
		parts := make([]string, len(c.subs))
		for i := range c.subs {
			if parts[i] = c.subs[i].words(); len(c.subs[i].subs) > 1 {
				parts[i] = "(" + parts[i] + ")"
			}
		}
		return strings.Join(parts, join)
	case opNot:
		sub := &c.subs[0]
		switch sub.op {
		case opIn:
			return "not in " + plain(sub.name)
		case opExists:
			return sub.field.words() + " is not known"
		}
		return "not (" + sub.words() + ")"
	case opIn:
		return "in " + plain(c.name)
	case opFunc:
		return plain(c.name)
	}
	if s := map[condOp]string{opLess: "<", opAtMost: "≤", opAtLeast: "≥", opMore: ">"}[c.op]; s != "" {
		return c.field.words() + together + s + together + c.value.String()
	}
	of := Cond{op: c.op, field: Field{fromConst, "", profile.Text(c.field.words())}, value: c.value, list: c.list}
	return of.String()
}

func (f Field) words() string {
	if f.source == fromConst {
		return f.value.String()
	}
	return plain(f.name)
}

// words is the wait: "after 2 h", "Sat or Sun at 10:00".
func (w *waitSpec) words() string {
	switch {
	case w.After > 0:
		return "after " + span(time.Duration(w.After))
	case w.Deadline > 0:
		return span(time.Duration(w.Deadline)) + " after the start"
	case w.Local != "":
		days := ""
		for i, day := range w.Days {
			days += [...]string{"", " or "}[min(i, 1)] + day.String()[:3]
		}
		return strings.TrimSpace(days + " at " + w.Local)
	}
	sh := cmp.Or(w.Shift, &shiftSpec{})
	s := "on " + w.Date.words()
	switch {
	case sh.Days < 0:
		s = span(time.Duration(-sh.Days)*24*time.Hour) + " before " + w.Date.words()
	case sh.Days > 0:
		s = span(time.Duration(sh.Days)*24*time.Hour) + " after " + w.Date.words()
	}
	if sh.Clock != "" {
		s += " at " + sh.Clock
	}
	switch {
	case sh.Plus > 0:
		s += " plus " + span(time.Duration(sh.Plus))
	case sh.Plus < 0:
		s += " minus " + span(-time.Duration(sh.Plus))
	}
	switch {
	case sh.Yearly:
		s += ", every year"
	case sh.Calendar != "":
		s += ", by the calendar " + plain(sh.Calendar)
	}
	return s
}

// span writes a duration with the units that people use: "3 days", "1 h 30 min".
func span(d time.Duration) string {
	var parts []string
	for _, u := range []struct {
		size      time.Duration
		one, many string
	}{{24 * time.Hour, "day", "days"}, {time.Hour, "h", "h"}, {time.Minute, "min", "min"}, {time.Second, "s", "s"}} {
		if n := d / u.size; n > 0 {
			word := u.many
			if n == 1 {
				word = u.one
			}
			parts = append(parts, grouped(int(n))+together+word)
			d %= u.size
		}
	}
	if len(parts) == 0 {
		return d.String()
	}
	return strings.Join(parts, together)
}

// actWords are actions in words, a line each.
func actWords(list []action) []string {
	var out []string
	for _, a := range list {
		name := plain(a.spec.Name)
		switch a.spec.Kind {
		case MessageEffect:
			out = append(out, "✉ "+name+" by "+strings.Join(a.spec.Channels, ", else "))
		case AwardEffect:
			points := "points"
			if f := a.spec.Args["points"]; f.source == fromConst {
				points = f.value.String() + " points"
			}
			out = append(out, points+" for "+name)
		case VoucherEffect:
			out = append(out, "voucher "+name)
		case CaseEffect:
			out = append(out, "open a case: "+name)
		case TraitEffect:
			out = append(out, "set "+name+" to "+a.spec.Args["value"].words())
		case TaskEffect:
			out = append(out, "task for the shop: "+name)
		case StartEffect:
			out = append(out, "start journey "+name)
		default:
			out = append(out, name)
		}
	}
	return out
}
