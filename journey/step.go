package journey

import (
	"fmt"
	"time"

	"github.com/cxkit/cxkit/journey/internal/localtime"
	"github.com/cxkit/cxkit/profile"
)

// maxHops bounds the states that one step may pass through.
const maxHops = 100

// Move is one edge taken in a step, as the history records it.
type Move struct {
	// Edge is the number of the edge; see [Definition.Edges].
	Edge int
	// From and To are states; "" is outside. A goal or exit has To "".
	From, To string
}

// run is one step under way.
type run struct {
	d     *Definition
	now   time.Time
	out   []Effect
	moves *[]Move // nil where nobody asks
	made  int     // effects made in this step
}

// Step is the heart of a journey, a pure function: the instance, an input and
// the time give the instance after it and the effects to carry out, appended to
// buf. It does no I/O and reads no clock.
//
// An instance that has not started (the zero Instance, or one with Run and
// Parent set) is started if the input is an entry whose condition holds;
// re-entry, go-live and age are the engine's to check. A [TimerInput] at now
// takes what is due by then. An input that does not concern the instance
// returns it as it was.
//
// It fails with [ErrFact] for a fact that the input lacks, with [ErrLoop], or
// with [ErrVersion] where the instance stands in a state that the definition
// does not have; then the instance given is returned and buf is as it was.
//
// Cost: without effects and remembered values no allocation.
func (d *Definition) Step(in Instance, x Input, now time.Time, buf []Effect) (next Instance, out []Effect, err error) {
	out, err = d.step(&in, &x, now, buf, nil)
	return in, out, err
}

// step is Step in place.
func (d *Definition) step(in *Instance, x *Input, now time.Time, buf []Effect, moves *[]Move) ([]Effect, error) {
	if d.plain(in, x, now, moves) {
		return buf, nil
	}
	return d.ample(in, x, now, buf, moves)
}

// ample is step for all that is not plain.
func (d *Definition) ample(in *Instance, x *Input, now time.Time, buf []Effect, moves *[]Move) ([]Effect, error) {
	kept := *in
	out, err := d.drive(in, x, now, buf, moves)
	if err != nil || in.Seq == kept.Seq {
		*in = kept
	}
	return out, err
}

// drive is step for who begins anew where it fails: the instance is then in disorder.
// Where nothing happens its waits may count as tried.
func (d *Definition) drive(in *Instance, x *Input, now time.Time, buf []Effect, moves *[]Move) ([]Effect, error) {
	r := run{d: d, now: now, out: buf, moves: moves}
	var err error
	if in.Status == 0 {
		err = r.start(in, x)
	} else {
		err = r.input(in, x)
	}
	if err != nil {
		return buf, err
	}
	return r.out, nil
}

// stateOf is the index of the instance's state, −1 for none.
func (d *Definition) stateOf(in *Instance) int {
	if in.Status == 0 {
		return -1
	}
	if int(in.at) < len(d.states) && d.states[in.at].spec.Name == in.State {
		return int(in.at)
	}
	if i, ok := d.byName[in.State]; ok {
		return i
	}
	return -1
}

func (r *run) start(in *Instance, x *Input) error {
	for i := range r.d.entries {
		e := &r.d.entries[i]
		key, ok, err := r.d.enters(e, in, x)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		r.now = micro(r.now)
		in.Journey, in.Version, in.Customer, in.Key = r.d.spec.Name, r.d.version, x.Customer, key
		in.Run = max(in.Run, 1)
		id := instanceID(in.Journey, in.Customer, key, in.Run, r.now)
		in.ID = x.play.text(id[:])
		if in.Brand = r.d.spec.Brand; in.Brand == "" {
			in.Brand = x.Brand
		}
		in.Status, in.StartedAt, in.Mode, in.Seq = Active, r.now, x.Mode, 1
		if in.Parent != "" {
			if err := r.circles(in); err != nil {
				return err
			}
		}
		r.remember(in, x)
		r.note(e, "", r.d.states[e.to].spec.Name)
		if err := r.act(in, x, e.do, ""); err != nil {
			return err
		}
		return r.enter(in, x, e.to)
	}
	return nil
}

// enters reports whether the input is this entry, and under which key.
func (d *Definition) enters(e *edge, in *Instance, x *Input) (key string, ok bool, err error) {
	if x.Kind != InputKind(e.trigger.Kind) || x.Name != e.trigger.Name || !d.speaks(x) {
		return "", false, nil
	}
	if e.keyProp != "" {
		v, has := x.Props[e.keyProp]
		if !has && x.Kind == EventInput {
			return "", false, nil
		}
		key = keyText(v)
	}
	ok, err = e.admits(in, x)
	return key, ok, err
}

// speaks reports whether the input is of the definition's brand.
func (d *Definition) speaks(x *Input) bool {
	return d.spec.Brand == "" || x.Brand == "" || x.Brand == d.spec.Brand
}

func keyText(v profile.Value) string {
	if s, ok := v.Text(); ok {
		return s
	}
	return v.String()
}

// admits evaluates the conditions of the edge.
func (e *edge) admits(in *Instance, x *Input) (bool, error) {
	for _, c := range e.conds {
		if ok, err := c.holds(in, x); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// fits reports whether the input takes the edge.
func (e *edge) fits(in *Instance, x *Input) (bool, error) {
	if e.trigger == nil || x.Name != e.listens.name || x.Kind != e.listens.kind || e.keyProp != "" && !e.keyed(in, x) {
		return false, nil
	}
	return e.admits(in, x)
}

// keyed reports whether the input has the key of the instance, for an edge with one.
func (e *edge) keyed(in *Instance, x *Input) bool {
	if x.Kind != EventInput && x.Kind != CallInput && x.Kind != TickInput {
		return true
	}
	v, has := x.Props[e.keyProp]
	if !has {
		return x.Kind != EventInput
	}
	return keyText(v) == in.Key
}

func (r *run) input(in *Instance, x *Input) error {
	if in.Status == Ended {
		if outcome(x.Kind) && !x.told && in.Pending > 0 {
			in.Pending--
			in.Seq++
		}
		return nil
	}
	i := r.d.stateOf(in)
	if i < 0 {
		return fmt.Errorf("%w: journey %q has no state %q", ErrVersion, r.d.spec.Name, in.State)
	}
	if !r.d.speaks(x) {
		return nil
	}
	changed := false
	if outcome(x.Kind) && !x.told && in.Pending > 0 {
		in.Pending--
		changed = true
	}
	ended, err := r.ends(in, x)
	if err != nil || ended {
		return err
	}
	s := &r.d.states[i]
	if in.Status == Closing {
		if changed {
			in.Seq++
			r.close(in, x)
		}
		return nil
	}
	taken := false
	if x.Kind == TimerInput {
		taken, err = r.elapse(in, x, s)
	} else {
		taken, err = r.first(in, x, s.inputs, true)
	}
	if err == nil && !taken {
		taken, err = r.first(in, x, s.whens, false)
	}
	if err != nil || taken {
		return err
	}
	if due := r.due(in, x, s); changed || !due.Equal(in.Due) {
		r.rearm(in, x, s, due)
		in.Seq++
	}
	return nil
}

func outcome(k InputKind) bool { return k == DoneInput || k == FailedInput || k == DoubtInput }

// ends takes the first goal or exit that the input reaches.
func (r *run) ends(in *Instance, x *Input) (bool, error) {
	for i := range r.d.ends {
		e := &r.d.ends[i]
		var ok bool
		var err error
		if e.trigger != nil {
			ok, err = e.fits(in, x)
		} else {
			ok, err = e.admits(in, x)
		}
		if err != nil {
			return false, err
		}
		if !ok {
			continue
		}
		if err := r.begin(in, x); err != nil {
			return false, err
		}
		from := in.State
		r.note(e, from, "")
		if s := &r.d.states[r.d.stateOf(in)]; in.Status == Active {
			if err := r.act(in, x, s.leave, from); err != nil {
				return false, err
			}
		}
		in.NeedUntil = in.Seq
		if err := r.act(in, x, e.do, from); err != nil {
			return false, err
		}
		in.Status, in.Outcome, in.Success, in.EndedAt, in.Due = Ended, e.spec.Name, e.goal, r.now, time.Time{}
		r.report(in, x)
		return true, nil
	}
	return false, nil
}

// maxBurst bounds the changes of one instance within an hour.
const maxBurst = 1000

// hour is an hour in microseconds.
const hour = int64(time.Hour / time.Microsecond)

// since is how many microseconds lie between two times.
func since(a, b time.Time) int64 { return b.UnixMicro() - a.UnixMicro() }

// begin opens a change of the instance by the input. It fails where so many came
// within an hour that the journey must be running in circles.
func (r *run) begin(in *Instance, x *Input) error {
	r.now = micro(r.now)
	in.Seq++
	if err := r.circles(in); err != nil {
		return err
	}
	if x.Kind != TimerInput && !outcome(x.Kind) {
		in.Mode = x.Mode
	}
	r.remember(in, x)
	return nil
}

// circles counts a change of the instance, and fails where so many came within an
// hour that the journey must be running in circles. A journey started by another
// goes on with the count of that one.
func (r *run) circles(in *Instance) error {
	if since(in.BurstAt, r.now) >= hour {
		in.BurstAt, in.Burst = r.now, 0
	}
	if in.Burst++; in.Burst > maxBurst {
		return fmt.Errorf("%w: journey %q changed an instance %d times within an hour, last in state %q", ErrLoop, r.d.spec.Name, maxBurst, in.State)
	}
	return nil
}

// first takes the first of the edges that fits.
func (r *run) first(in *Instance, x *Input, list []edge, triggered bool) (bool, error) {
	for i := range list {
		e := &list[i]
		var ok bool
		var err error
		if triggered {
			ok, err = e.fits(in, x)
		} else {
			ok, err = e.admits(in, x)
		}
		if err != nil {
			return false, err
		}
		if ok {
			if err := r.begin(in, x); err != nil {
				return false, err
			}
			return true, r.take(in, x, e)
		}
	}
	return false, nil
}

// elapse takes what is due, earliest first; of waits over at the same instant
// the one declared first.
func (r *run) elapse(in *Instance, x *Input, s *state) (bool, error) {
	for {
		first := -1
		var at time.Time
		for i := range s.waits {
			if due, ok := r.over(in, x, &s.waits[i].wait); ok && in.untried(due, i) && !due.After(r.now) && (first < 0 || due.Before(at)) {
				first, at = i, due
			}
		}
		if first < 0 {
			return false, nil
		}
		in.FiredAt, in.Fired = later(in.FiredAt, at), in.Fired|1<<first
		e := &s.waits[first]
		ok, err := e.admits(in, x)
		if err != nil {
			return false, err
		}
		if ok {
			if err := r.begin(in, x); err != nil {
				return false, err
			}
			return true, r.take(in, x, e)
		}
	}
}

// untried reports whether the i-th wait of the state, over at due, has not been
// tried on this visit, or has moved behind all that were.
func (in *Instance) untried(due time.Time, i int) bool {
	return in.Fired&(1<<i) == 0 || due.After(in.FiredAt)
}

// rearm is arm for a state that goes on: what has come to be over in the past, as a
// date that is learned of late, is due now.
func (r *run) rearm(in *Instance, x *Input, s *state, due time.Time) {
	if r.arm(in, x, s, due); !in.Due.IsZero() {
		in.Due = later(in.Due, micro(r.now))
	}
}

// arm sets when the state wants attention next.
func (r *run) arm(in *Instance, x *Input, s *state, due time.Time) {
	in.Due, in.Zone = due, ""
	if s.zoned {
		in.Zone = r.zone(in, x).String()
	}
}

// due is when the next wait of the state is over, not before it was entered;
// the zero time is never.
func (r *run) due(in *Instance, x *Input, s *state) time.Time {
	var at time.Time
	for i := range s.waits {
		if due, ok := r.over(in, x, &s.waits[i].wait); ok && in.untried(due, i) && (at.IsZero() || due.Before(at)) {
			at = due
		}
	}
	if !at.IsZero() && at.Before(in.EnteredAt) {
		return in.EnteredAt
	}
	return at
}

// take follows an edge out of the state.
func (r *run) take(in *Instance, x *Input, e *edge) error {
	from := in.State
	if e.to < 0 {
		r.note(e, from, from)
		if err := r.act(in, x, e.do, from); err != nil {
			return err
		}
		s := &r.d.states[e.from]
		r.rearm(in, x, s, r.due(in, x, s))
		return nil
	}
	r.note(e, from, r.d.states[e.to].spec.Name)
	if err := r.act(in, x, r.d.states[e.from].leave, from); err != nil {
		return err
	}
	if err := r.act(in, x, e.do, from); err != nil {
		return err
	}
	return r.enter(in, x, e.to)
}

// enter goes into a state and on through all that take no time.
func (r *run) enter(in *Instance, x *Input, i int) error {
	for range maxHops {
		s := &r.d.states[i]
		in.State, in.at, in.EnteredAt, in.FiredAt, in.Fired, in.Due = s.spec.Name, uint16(i), r.now, time.Time{}, 0, time.Time{}
		if err := r.act(in, x, s.enter, in.State); err != nil {
			return err
		}
		if s.spec.Final {
			in.Outcome = in.State
			r.close(in, x)
			return nil
		}
		e, err := r.onward(in, x, s)
		if err != nil {
			return err
		}
		if e == nil {
			r.arm(in, x, s, r.due(in, x, s))
			return nil
		}
		if e.to < 0 {
			return fmt.Errorf("%w: journey %q, state %q", ErrLoop, r.d.spec.Name, in.State)
		}
		r.note(e, in.State, r.d.states[e.to].spec.Name)
		if err := r.act(in, x, s.leave, in.State); err != nil {
			return err
		}
		if err := r.act(in, x, e.do, in.State); err != nil {
			return err
		}
		i = e.to
	}
	return fmt.Errorf("%w: journey %q, state %q", ErrLoop, r.d.spec.Name, in.State)
}

// onward is the edge that leads on from a state just entered, nil for none.
func (r *run) onward(in *Instance, x *Input, s *state) (*edge, error) {
	for i := range s.whens {
		ok, err := s.whens[i].admits(in, x)
		if err != nil || ok {
			return &s.whens[i], err
		}
	}
	if len(s.shares) == 0 {
		return nil, nil
	}
	if arm, ok := x.Facts.Arms[s.spec.Name]; ok {
		for i := range s.shares {
			if s.shares[i].spec.To == arm {
				return &s.shares[i], nil
			}
		}
	}
	point := Draw(r.d.spec.Name, s.spec.Name, in.Customer)
	for i := range s.shares {
		if point -= s.shares[i].spec.Share * 100; point < 0 {
			return &s.shares[i], nil
		}
	}
	return &s.shares[len(s.shares)-1], nil
}

// close ends an instance in a final state once its effects are finished.
func (r *run) close(in *Instance, x *Input) {
	in.Due = time.Time{}
	if in.Pending > 0 {
		in.Status = Closing
		return
	}
	in.Status, in.EndedAt = Ended, micro(r.now)
	r.report(in, x)
}

// report tells the journey that started this one how it ended.
func (r *run) report(in *Instance, x *Input) {
	if in.Parent == "" {
		return
	}
	e := r.emit(in, x)
	e.Kind, e.Name = ReturnEffect, in.Journey
	e.Args = profile.Values{"outcome": profile.Text(in.Outcome), "success": profile.Flag(in.Success)}
}

// remember keeps the properties that the definition reads as Data.
func (r *run) remember(in *Instance, x *Input) {
	if len(r.d.capture) == 0 || len(x.Props) == 0 || x.Kind == ReturnedInput {
		return
	}
	own := false
	for _, name := range r.d.capture {
		v, ok := x.Props[name]
		if !ok || in.Data[name] == v {
			continue
		}
		if !own {
			in.Data, own = x.play.owned(in.Data, len(r.d.capture)), true
		}
		in.Data[name] = v
	}
}

// note records an edge for who asked.
func (r *run) note(e *edge, from, to string) {
	if r.moves != nil {
		*r.moves = append(*r.moves, Move{e.id, from, to})
	}
}

// act makes effects of actions.
func (r *run) act(in *Instance, x *Input, list []action, state string) error {
	for i := range list {
		a := &list[i]
		e := r.emit(in, x)
		e.Kind, e.Name, e.State = a.spec.Kind, a.spec.Name, state
		if a.spec.Kind == MessageEffect {
			e.Purpose, e.Category, e.Channels = a.spec.Purpose, a.category, a.spec.Channels
		}
		if len(a.args) > 0 && (a.spec.Kind == StartEffect || !x.play.isBare()) {
			e.Args = make(profile.Values, len(a.args))
		}
		for j := range a.args {
			g := &a.args[j]
			if v := g.field.of(in, x); v.IsZero() {
				e.Missing = append(e.Missing, g.name)
			} else if e.Args != nil {
				e.Args[g.name] = v
			}
		}
		if a.spec.Within > 0 {
			e.NotAfter = r.now.Add(time.Duration(a.spec.Within))
		}
		in.Pending++
	}
	return nil
}

// emit adds an effect, of which it says whence it comes. It is good until the next.
func (r *run) emit(in *Instance, x *Input) *Effect {
	r.out = append(r.out, Effect{})
	e := &r.out[len(r.out)-1]
	if !x.play.isBare() {
		var b [64]byte
		e.Key = x.play.text(appendEffectKey(b[:0], in, r.made))
	}
	r.made++
	e.Customer, e.Instance, e.Journey, e.Seq, e.Brand = in.Customer, in.ID, in.Journey, in.Seq, in.Brand
	e.At, e.Priority, e.Mode = r.now, r.d.spec.Priority, in.Mode
	return e
}

// micro is a time in UTC at the microsecond.
func micro(t time.Time) time.Time {
	if t = t.UTC(); t.Nanosecond()%1000 != 0 {
		t = t.Truncate(time.Microsecond)
	}
	return t
}

// effectKey derives the key of the n-th effect of a step. Keys of an instance
// sort in the order in which the effects were made.
func effectKey(in *Instance, n int) string { return string(appendEffectKey(nil, in, n)) }

func appendEffectKey(key []byte, in *Instance, n int) []byte {
	key = append(key, in.ID...)
	key = padded(append(key, '.'), uint64(in.Seq), 5)
	return padded(append(key, '.'), uint64(n), 2)
}

// padded appends a number with leading zeros.
func padded(b []byte, n uint64, width int) []byte {
	var digits [20]byte
	i := len(digits)
	for ; n > 0 || width > 0; width-- {
		i--
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return append(b, digits[i:]...)
}

func (r *run) zone(in *Instance, x *Input) *time.Location {
	if x.Facts.Zone != nil {
		return x.Facts.Zone
	}
	return r.d.zone
}

// over is when a wait of the present state is over; ok is false for never.
func (r *run) over(in *Instance, x *Input, w *wait) (at time.Time, ok bool) {
	switch w.kind {
	case waitAfter:
		return in.EnteredAt.Add(w.d), true
	case waitDeadline:
		return in.StartedAt.Add(w.d), true
	case waitLocal:
		zone := r.zone(in, x)
		at = localtime.Next(in.EnteredAt, w.minute, zone)
		for w.days != 0 && w.days&(1<<at.In(zone).Weekday()) == 0 {
			at = localtime.Next(at, w.minute, zone)
		}
		return at.UTC(), true
	case waitDate:
		return w.date(w.field.of(in, x), in.EnteredAt, r.zone(in, x), x.Facts.Calendars)
	}
	return time.Time{}, false
}

// date is the instant that a value names, moved by the shift.
func (w *wait) date(v profile.Value, entered time.Time, zone *time.Location, calendars map[string]Calendar) (at time.Time, ok bool) {
	sh := w.shift
	if sh.Calendar != "" {
		next := calendars[sh.Calendar]
		if next == nil || v.IsZero() {
			return time.Time{}, false
		}
		if at, ok = next(v, entered, zone); !ok || !at.After(entered) {
			return time.Time{}, false
		}
		v = profile.Time(at)
	}
	var day localtime.Date
	minute, exact := 0, false
	if t, isTime := v.Time(); isTime {
		at, exact = t, true
	} else if s, isText := v.Text(); isText {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			at, exact = t, true
		} else if day, err = localtime.ParseDate(s); err != nil {
			return time.Time{}, false
		}
	} else {
		return time.Time{}, false
	}
	if exact && sh.Days == 0 && w.minute < 0 && !sh.Yearly {
		return at.Add(time.Duration(sh.Plus)).UTC(), true
	}
	if exact {
		day, minute = localtime.DateOf(at, zone), localtime.MinuteOf(at, zone)
	}
	if w.minute >= 0 {
		minute = w.minute
	}
	moved := func(day localtime.Date) time.Time {
		return day.Plus(sh.Days).At(minute, zone).Add(time.Duration(sh.Plus)).UTC()
	}
	if !sh.Yearly {
		return moved(day), true
	}
	years := max(0, localtime.DateOf(entered, zone).Year-day.Year-1)
	for at = moved(day.AddMonths(12 * years)); !at.After(entered); years++ {
		at = moved(day.AddMonths(12 * (years + 1)))
	}
	return at, true
}
