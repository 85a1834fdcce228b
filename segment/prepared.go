package segment

import (
	"context"
	"sync/atomic"
	"time"
)

// Query is a definition made ready to be asked over all customers again and
// again ([Engine.Prepare]). What it prepares is kept until the engine takes in
// something new; until then it also keeps the state of the time in memory. Its
// methods are safe for concurrent use, and once prepared wait for nobody.
type Query struct {
	e    *Engine
	def  Definition
	last atomic.Pointer[preparedQuery]
}

// preparedQuery is a query of one state of the engine.
type preparedQuery struct {
	*query
	writes uint64
	asked  time.Time
}

// Prepare makes a definition ready for [Query.Count], [Query.Select] and
// [Query.Plan], which answer as the engine's methods of these names do. What
// the rule reads and the engine does not hold yet is read from the History now.
// Errors are those of [Engine.Select].
func (e *Engine) Prepare(ctx context.Context, def Definition) (*Query, error) {
	q := &Query{e: e, def: def}
	_, err := q.ready(ctx, time.Time{})
	return q, err
}

// ready gives the query for an instant as of now.
func (q *Query) ready(ctx context.Context, t time.Time) (*query, error) {
	writes := q.e.writes.Load()
	if p := q.last.Load(); p != nil && p.writes == writes && p.asked.Equal(t) {
		return p.query, ctx.Err()
	}
	fresh, err := q.e.query(ctx, t, q.def)
	if err != nil {
		return nil, err
	}
	// A write in between makes it newer than it says, and it is made anew.
	q.last.Store(&preparedQuery{fresh, writes, t})
	return fresh, nil
}

// Select gives those who belong at t, as [Engine.Select] does.
func (q *Query) Select(ctx context.Context, t time.Time) (*Audience, error) {
	ready, err := q.ready(ctx, t)
	if err != nil {
		return nil, err
	}
	return ready.audience(ctx)
}

// Count is the number of those who belong at t, as [Engine.Count] gives it.
func (q *Query) Count(ctx context.Context, t time.Time) (int, error) {
	ready, err := q.ready(ctx, t)
	if err != nil {
		return 0, err
	}
	return ready.count(ctx)
}

// Plan tells how the definition is evaluated at t, as [Engine.Plan] does.
func (q *Query) Plan(ctx context.Context, t time.Time) (Plan, error) { return q.e.Plan(ctx, t, q.def) }
