package journey

import (
	"context"
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// IngestBatch is [Engine.Ingest] for many inputs. The receipts stand in the order
// of the inputs; one that cannot be taken has its error in its receipt and does
// not stop the others. Inputs are taken in the order of their Time, those of the same
// Time as given: what comes together is the same story in whatever order it stands.
//
// Each input is atomic, as with Ingest. Up to 256 customers are read at once, and up
// to Config.Gather share a commit; where it meets another's, each input is taken by itself. The error is
// that of the context or the store: then some may be recorded and others not, and
// all of them are given again.
func (e *Engine) IngestBatch(ctx context.Context, inputs []Input) ([]Receipt, error) {
	receipts := make([]Receipt, len(inputs))
	if err := e.refresh(ctx); err != nil {
		return receipts, err
	}
	inputs, places := ordered(inputs)
	now := e.now()
	size := max(e.cfg.Gather, readAtOnce)
	for from := 0; from < len(inputs); from += size {
		window := inputs[from:min(from+size, len(inputs))]
		got := make([]Receipt, len(window))
		err := e.ingestWindow(ctx, window, got, func(x *Input) error {
			if x.Received.IsZero() {
				x.Received = now
			}
			return x.admissible()
		})
		for i, r := range got {
			receipts[places[from+i]] = r
		}
		if err != nil {
			return receipts, err
		}
	}
	return receipts, nil
}

// ordered are inputs in the order of their Time, and where each stands among those given.
func ordered(inputs []Input) ([]Input, []int) {
	places := make([]int, len(inputs))
	for i := range places {
		places[i] = i
	}
	byTime := func(i, j int) int { return inputs[i].Time.Compare(inputs[j].Time) }
	if slices.IsSortedFunc(places, byTime) {
		return inputs, places
	}
	slices.SortStableFunc(places, byTime)
	out := make([]Input, len(inputs))
	for i, from := range places {
		out[i] = inputs[from]
	}
	return out, places
}

// readAtOnce is how many customers are read at once, even where each has a commit of
// their own. Who has changed by then is read again: the commit meets a conflict.
const readAtOnce = 256

// ingestWindow takes as many inputs as are read at once, in rounds in which no
// customer and no ID comes twice.
func (e *Engine) ingestWindow(ctx context.Context, inputs []Input, receipts []Receipt, check func(*Input) error) error {
	var arrivals []*arrival
	var places []int
	for i, x := range inputs {
		err := check(&x)
		var a *arrival
		if err == nil {
			a, err = e.arrive(ctx, x, "")
		}
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if receipts[i].Err = err; a != nil {
			arrivals, places = append(arrivals, a), append(places, i)
		}
	}
	for len(arrivals) > 0 {
		customers, ids := map[profile.ID]bool{}, map[string]bool{}
		var round, rest []*arrival
		var at, later []int
		for i, a := range arrivals {
			if customers[a.x.Customer] || ids[a.x.ID] {
				rest, later = append(rest, a), append(later, places[i])
			} else {
				round, at = append(round, a), append(at, places[i])
			}
			customers[a.x.Customer], ids[a.x.ID] = true, true
		}
		got, err := e.together(ctx, round)
		for i, r := range got {
			receipts[at[i]] = r
		}
		if err != nil {
			return err
		}
		arrivals, places = rest, later
	}
	return nil
}

// together takes inputs of different customers.
func (e *Engine) together(ctx context.Context, round []*arrival) ([]Receipt, error) {
	lookups := make([]Lookup, len(round))
	for i, a := range round {
		lookups[i] = a.lookup()
	}
	found, err := getMany(ctx, e.store, lookups)
	if err != nil {
		return nil, err
	}
	receipts := make([]Receipt, 0, len(round))
	for from := 0; from < len(round); from += e.cfg.Gather {
		to := min(from+e.cfg.Gather, len(round))
		got, err := e.takeAll(ctx, round[from:to], found[from:to])
		if receipts = append(receipts, got...); err != nil {
			return receipts, err
		}
	}
	return receipts, nil
}

// takeAll takes inputs of different customers in one commit, or each by itself
// where that meets another's.
func (e *Engine) takeAll(ctx context.Context, round []*arrival, found []Found) ([]Receipt, error) {
	receipts := make([]Receipt, len(round))
	var b Batch
	for i, a := range round {
		u, r, err := e.take(ctx, a, &found[i])
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			receipts[i].Err = err
			continue
		}
		receipts[i] = r
		b.add(u.seal())
	}
	if err := e.commit(ctx, &b); !isConflict(err) {
		if err != nil {
			return nil, err
		}
		return receipts, nil
	}
	for i, a := range round {
		var err error
		if receipts[i], err = e.alone(ctx, a); err != nil {
			if ctx.Err() != nil || isConflict(err) { // a caller's transaction has to be run again
				return receipts[:i], err
			}
			receipts[i].Err = err
		}
	}
	return receipts, nil
}

// add appends another batch.
func (b *Batch) add(c *Batch) {
	b.Inputs = append(b.Inputs, c.Inputs...)
	b.Instances = append(b.Instances, c.Instances...)
	b.Effects = append(b.Effects, c.Effects...)
	b.Contacts = append(b.Contacts, c.Contacts...)
	b.Entries = append(b.Entries, c.Entries...)
	b.History = append(b.History, c.History...)
}

// fireAll lets instances of different customers live through the waits that are over.
func (e *Engine) fireAll(ctx context.Context, rows []*InstanceRow, now time.Time, p *Progress) error {
	if len(rows) == 0 {
		return nil
	}
	var l Lookup
	for _, row := range rows {
		l.Contacts = append(l.Contacts, row.Instance.Customer)
	}
	f, err := e.store.Get(ctx, l)
	if err != nil {
		return err
	}
	contacts := make(map[profile.ID]ContactRow, len(f.Contacts))
	for _, c := range f.Contacts {
		contacts[c.Customer] = c
	}
	for len(rows) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(e.cfg.Gather, len(rows))
		if err := e.fireSome(ctx, rows[:n], contacts, now, p); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// fireSome lets instances live through their waits in one commit, or each by itself
// where that meets another's.
func (e *Engine) fireSome(ctx context.Context, rows []*InstanceRow, contacts map[profile.ID]ContactRow, now time.Time, p *Progress) error {
	kept := make([]InstanceRow, len(rows))
	b := Batch{Instances: make([]InstanceRow, 0, len(rows)), History: make([]Record, 0, len(rows))}
	var failed []int
	var causes []error
	for i, row := range rows {
		kept[i] = *row
		c := contacts[row.Instance.Customer]
		c.Customer = row.Instance.Customer
		u := e.unit(now, &Found{Contact: c})
		u.rows = append(u.rows, row)
		u.touch(row) // gives back the claim
		if err := u.elapse(ctx, row, now); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failed, causes = append(failed, i), append(causes, err)
			continue
		}
		b.add(u.seal())
	}
	switch err := e.commit(ctx, &b); {
	case isConflict(err):
		for i := range kept {
			if err := e.fire(ctx, &kept[i], now, p); err != nil && !takenOver(err) {
				return err
			}
		}
		return nil
	case err != nil:
		return err
	}
	p.Timers += len(rows) - len(failed)
	for n, i := range failed {
		p.Failed++
		if err := e.fail(ctx, &kept[i], now, causes[n]); err != nil && !takenOver(err) {
			return err
		}
	}
	return nil
}
