package profile

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"
)

// ErrInvalidHandOver reports a hand-over that names nobody, or the same party twice.
var ErrInvalidHandOver = errors.New("profile: invalid hand-over")

// RelationAct is what an event reports of a customer's relation to somebody: the
// shop assistant who looks after them, their home outlet, their household, the
// guardian of a minor.
type RelationAct struct {
	// Type names the relation: "assistant", "outlet", "household", "guardian".
	Type string `json:"type"`
	// Party is the other side, by the caller's own key.
	Party string `json:"party"`
	// Until ends the relation; the zero time never does.
	Until time.Time `json:"until,omitzero"`
	// Ended is true where the relation ends with this act.
	Ended bool `json:"ended,omitempty"`
}

// Relation is a relation of a customer as of a time.
type Relation struct {
	Type  string    `json:"type"`
	Party string    `json:"party"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"`
	// Event reported it, on behalf of Former where the relation was handed over since.
	Event  string `json:"event"`
	Former string `json:"former,omitempty"`
}

// HandOver passes all relations of one party on to another: an assistant
// leaves, an outlet closes. It concerns every act from before it, reported late
// or not; who comes to the former party afterwards stays there.
type HandOver struct {
	Type string    `json:"type"`
	From string    `json:"from"`
	To   string    `json:"to"`
	At   time.Time `json:"at"`
	By   Decision  `json:"by"`
}

// relation is an act in its place.
type relation struct {
	act   RelationAct
	at    int64
	event string
}

func (e *evidence) relate(rec *record) {
	for _, act := range rec.relations() {
		e.more().relations = append(e.more().relations, relation{act, rec.at, rec.id})
	}
}

func (e *evidence) relations() []relation {
	if e.extra == nil {
		return nil
	}
	return e.extra.relations
}

// relationsAt are the relations of a cluster as of an instant, by type and
// party. Of a single relation the latest act stands; of others, the latest act
// about each party.
func (g *graph) relationsAt(c *cluster, at int64) []Relation {
	latest := map[[2]string]relation{}
	for _, e := range c.evidence {
		for _, r := range e.relations() {
			key := [2]string{r.act.Type, r.act.Party}
			if slices.Contains(g.rules.single, r.act.Type) {
				key[1] = ""
			}
			old, known := latest[key]
			if r.at <= at && (!known || r.at > old.at || r.at == old.at && r.event > old.event) {
				latest[key] = r
			}
		}
	}
	var out []Relation
	for _, r := range latest {
		if r.act.Ended || !r.act.Until.IsZero() && r.act.Until.UnixMicro() <= at {
			continue
		}
		rel := Relation{Type: r.act.Type, Party: r.act.Party, Since: instant(r.at), Until: r.act.Until, Event: r.event}
		g.passOn(&rel, at)
		out = append(out, rel)
	}
	slices.SortFunc(out, func(a, b Relation) int {
		return slices.Compare([]string{a.Type, a.Party, a.Event}, []string{b.Type, b.Party, b.Event})
	})
	return out
}

// passOn follows the hand-overs of a party up to an instant, each at most once.
func (g *graph) passOn(rel *Relation, at int64) {
	for _, h := range g.handOvers {
		if h.Type == rel.Type && h.From == rel.Party && h.At.UnixMicro() <= at && !h.At.Before(rel.Since) {
			if rel.Former == "" {
				rel.Former = rel.Party
			}
			rel.Party, rel.Since = h.To, h.At
		}
	}
}

// Relations are a customer's relations as of a time, by a present or former
// ID, in the order of type and party; errors as for [Directory.Resolve].
func (d *Directory) Relations(ctx context.Context, id ID, at time.Time) ([]Relation, error) {
	var out []Relation
	err := d.view(ctx, Query{Anchors: []ID{id}, HandOvers: true}, func(g *graph) error {
		c, err := g.whole(id)
		if err == nil {
			out = g.relationsAt(c, at.UnixMicro())
		}
		return err
	})
	return out, err
}

// HandOver records that one party's relations of a type are another's from a
// time on. The customers' feed does not tell: a relation is read as of a time.
// The same hand-over again changes nothing.
func (d *Directory) HandOver(ctx context.Context, h HandOver) error {
	if err := h.By.check(); err != nil {
		return err
	}
	for _, s := range [...]string{h.Type, h.From, h.To} {
		if s == "" || len(s) > MaxValueBytes || checkText(s) != nil {
			return ErrInvalidHandOver
		}
	}
	h.At = canonical(h.At)
	if h.From == h.To || h.At.IsZero() {
		return ErrInvalidHandOver
	}
	return d.update(ctx, Query{HandOvers: true}, func(g *graph) error {
		if !slices.ContainsFunc(g.handOvers, func(o HandOver) bool { return compareHandOvers(o, h) == 0 }) {
			g.addHandOver(h)
		}
		return nil
	})
}

func (g *graph) addHandOver(h HandOver) {
	g.handOvers = append(g.handOvers, h)
	slices.SortFunc(g.handOvers, compareHandOvers)
}

func compareHandOvers(a, b HandOver) int {
	if c := a.At.Compare(b.At); c != 0 {
		return c
	}
	return slices.Compare([]string{a.Type, a.From, a.To}, []string{b.Type, b.From, b.To})
}

// Related yields the customers who have a relation to a party as of a time, by
// ID. The cost is that of reading every profile.
func (d *Directory) Related(ctx context.Context, kind, party string, at time.Time) iter.Seq2[ID, error] {
	return func(yield func(ID, error) bool) {
		for id, err := range d.Profiles(ctx) {
			if err != nil {
				yield("", err)
				return
			}
			relations, err := d.Relations(ctx, id, at)
			switch {
			case errors.Is(err, ErrGone) || errors.Is(err, ErrNotFound):
				continue
			case err != nil:
				yield("", err)
				return
			}
			if slices.ContainsFunc(relations, func(r Relation) bool { return r.Type == kind && r.Party == party }) && !yield(id, nil) {
				return
			}
		}
	}
}

// Profiles yields the IDs of all customers in byte order. The loop may write to
// the directory; of customers who come or go meanwhile it says nothing.
func (d *Directory) Profiles(ctx context.Context) iter.Seq2[ID, error] {
	return func(yield func(ID, error) bool) {
		if d.store == nil {
			ids, err := d.profiles(ctx)
			if err != nil {
				yield("", err)
				return
			}
			for _, id := range ids {
				if !yield(id, ctx.Err()) || ctx.Err() != nil {
					return
				}
			}
			return
		}
		const limit = 1024
		var after ID
		for {
			page, err := d.store.Scan(ctx, after, limit)
			if err != nil {
				yield("", err)
				return
			}
			for _, id := range page {
				if !yield(id, nil) {
					return
				}
			}
			if len(page) < limit {
				return
			}
			after = page[len(page)-1]
		}
	}
}

func (d *Directory) profiles(ctx context.Context) ([]ID, error) {
	var ids []ID
	err := d.view(ctx, Query{}, func(g *graph) error {
		for id, e := range g.anchors.all() {
			if e != nil && e.home.id() == id {
				ids = append(ids, id)
			}
		}
		return nil
	})
	slices.Sort(ids)
	return ids, err
}
