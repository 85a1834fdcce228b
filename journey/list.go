package journey

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// pageSize is how many rows a listing reads at a time.
const pageSize = 500

// Filter narrows a listing; empty fields let everything through.
type Filter struct {
	Customer profile.ID
	Journey  string
	Instance string
}

// Instances lists instances, ended ones too. Writing inside the loop is allowed.
func (e *Engine) Instances(ctx context.Context, f Filter) iter.Seq2[InstanceRow, error] {
	return pages(ctx, e.store, f, InstancePage, func(p *Page) []InstanceRow {
		return slices.DeleteFunc(p.Instances, func(row InstanceRow) bool { return row.Instance.Customer == "" }) // schedules
	})
}

// Effects lists the outbox, finished effects too.
func (e *Engine) Effects(ctx context.Context, f Filter) iter.Seq2[EffectRow, error] {
	return pages(ctx, e.store, f, EffectPage, func(p *Page) []EffectRow { return p.Effects })
}

// History lists what happened, in the order in which it was stored.
func (e *Engine) History(ctx context.Context, f Filter) iter.Seq2[Record, error] {
	return pages(ctx, e.store, f, HistoryPage, func(p *Page) []Record { return p.History })
}

// pages walks a listing page by page: each is read whole before it is yielded.
func pages[T any](ctx context.Context, s Store, f Filter, kind PageKind, rows func(*Page) []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		q := Query{Kind: kind, Customer: f.Customer, Journey: f.Journey, Instance: f.Instance, Limit: pageSize}
		for {
			p, err := s.Page(ctx, q)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range rows(&p) {
				if !yield(row, nil) {
					return
				}
			}
			if q.After = p.Next; q.After == "" {
				return
			}
		}
	}
}

// Unsettled lists the effects that need a person: those whose fate is uncertain
// and that nobody will ask again, for [Engine.Resolve], and those given up, for
// [Engine.Retry].
func (e *Engine) Unsettled(ctx context.Context) iter.Seq2[EffectRow, error] {
	return func(yield func(EffectRow, error) bool) {
		for row, err := range e.Effects(ctx, Filter{}) {
			if err == nil && (row.State != Uncertain || !row.Wake.IsZero()) && row.State != Dead {
				continue
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// Stuck lists open instances that do not get on: given up, failing, overdue, or
// without any wait in the same state since olderThan before now.
func (e *Engine) Stuck(ctx context.Context, now time.Time, olderThan time.Duration) iter.Seq2[InstanceRow, error] {
	return func(yield func(InstanceRow, error) bool) {
		for row, err := range e.Instances(ctx, Filter{}) {
			if err == nil {
				in := &row.Instance
				old := now.Sub(in.EnteredAt) >= olderThan
				late := !in.Due.IsZero() && now.Sub(in.Due) >= olderThan
				if !in.Open() || !row.Dead && row.Attempts == 0 && !late && (!in.Due.IsZero() || !old) {
					continue
				}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}
