package journey

import "time"

// calm is a state that an instance enters without more ado: nothing is done
// there, nothing leads on at once, and its waits need no calendar.
type calm struct {
	ok bool
	// after and deadline are its first waits, counted from entering the state and
	// from the start; negative for none.
	after, deadline time.Duration
}

// findPlain marks calm states and plain edges.
func (d *Definition) findPlain() {
	for i := range d.states {
		s := &d.states[i]
		s.calm = calm{len(s.enter)+len(s.whens)+len(s.shares) == 0 && !s.spec.Final && !s.zoned, -1, -1}
		for _, e := range s.waits {
			first := &s.calm.after
			if e.wait.kind == waitDeadline {
				first = &s.calm.deadline
			}
			if *first < 0 || e.wait.d < *first {
				*first = e.wait.d
			}
		}
	}
	for i := range d.states {
		s := &d.states[i]
		for j := range s.inputs {
			e := &s.inputs[j]
			e.plain = e.to >= 0 && len(e.do)+len(s.leave) == 0 && d.states[e.to].calm.ok
		}
	}
}

// plain takes a plain transition: one that an input takes to a calm state, with
// nothing to do or to remember on the way. That is most of what happens, and
// nothing in it can fail, so it goes without what [run] needs for the rest. It
// reports false, with nothing done, where the step is another.
func (d *Definition) plain(in *Instance, x *Input, now time.Time, moves *[]Move) bool {
	if in.Status != Active || x.Kind >= TimerInput || int(in.at) >= len(d.states) || in.Burst >= maxBurst ||
		len(d.capture) > 0 && len(x.Props) > 0 || d.spec.Brand != "" {
		return false
	}
	s := &d.states[in.at]
	if s.spec.Name != in.State {
		return false
	}
	for i := range d.ends {
		if t := d.ends[i].trigger; t == nil || t.Name == x.Name {
			return false
		}
	}
	for i := range s.inputs {
		e := &s.inputs[i]
		if e.listens.name != x.Name || e.listens.kind != x.Kind || e.keyProp != "" && !e.keyed(in, x) {
			continue
		}
		ok, err := e.admits(in, x)
		if err != nil {
			return false
		}
		if !ok {
			continue
		}
		if !e.plain {
			return false
		}
		d.hop(in, x, e, micro(now))
		if moves != nil {
			*moves = append(*moves, Move{e.id, s.spec.Name, in.State})
		}
		return true
	}
	return false
}

// hop follows a plain edge.
func (d *Definition) hop(in *Instance, x *Input, e *edge, now time.Time) {
	in.Seq++
	if since(in.BurstAt, now) >= hour {
		in.BurstAt, in.Burst = now, 0
	}
	in.Burst++
	s := &d.states[e.to]
	in.Mode, in.State, in.at, in.EnteredAt, in.FiredAt, in.Fired, in.Zone = x.Mode, s.spec.Name, uint16(e.to), now, time.Time{}, 0, ""
	var due time.Time
	if s.calm.after >= 0 {
		due = now.Add(s.calm.after)
	}
	if s.calm.deadline >= 0 {
		if end := later(in.StartedAt.Add(s.calm.deadline), now); due.IsZero() || end.Before(due) {
			due = end
		}
	}
	in.Due = due
}
