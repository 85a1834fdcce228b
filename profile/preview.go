package profile

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// WhatIf is a change to try: exactly one of its fields is set. Each is what the
// method of its name would be given.
type WhatIf struct {
	// Rules are other kinds, limits, blocked values, policies: [Directory.Reconfigure].
	Rules *Rules `json:"rules,omitempty"`
	// Link, Separate and Withdraw are about two identifiers.
	Link     *[2]Identifier `json:"link,omitempty"`
	Separate *[2]Identifier `json:"separate,omitempty"`
	Withdraw *[2]Identifier `json:"withdraw,omitempty"`
	// Unlink, Relink and RetractEvidence are about a record of evidence.
	Unlink          EvidenceKey `json:"unlink,omitzero"`
	Relink          EvidenceKey `json:"relink,omitzero"`
	RetractEvidence EvidenceKey `json:"retract_evidence,omitzero"`
	// Retract is the ID of an event.
	Retract string `json:"retract,omitempty"`
}

// Outcome says what a change does to the profiles.
type Outcome struct {
	// Merged are the profiles that get evidence of several, by ID.
	Merged []Regrouping `json:"merged,omitempty"`
	// Split are the profiles whose evidence goes to several, or all to another ID
	// because what minted theirs goes.
	Split []Regrouping `json:"split,omitempty"`
	// Created are profiles of evidence that was nobody's; Ended are profiles
	// whose evidence becomes nobody's, or is retracted.
	Created []ID `json:"created,omitempty"`
	Ended   []ID `json:"ended,omitempty"`
	// Evidence is how many records of evidence change their profile.
	Evidence int `json:"evidence"`
}

// Regrouping is a profile that gets the evidence of others, or gives its to others.
type Regrouping struct {
	// Profile is the one that gets, or gives.
	Profile ID `json:"profile"`
	// Parts are the others, and itself as far as it keeps evidence, by ID.
	Parts []Part `json:"parts"`
}

// Part is evidence that comes from, or goes to, a profile.
type Part struct {
	// Profile is empty for evidence that was or becomes nobody's, and in a
	// preview for a profile whose ID is still to be minted.
	Profile ID `json:"profile"`
	// Evidence is the number of records.
	Evidence int `json:"evidence"`
}

// String says it for people: how much would merge, split, come and go.
func (o Outcome) String() string {
	var parts []string
	say := func(n int, one, many string) {
		switch {
		case n == 1:
			parts = append(parts, "1 "+one)
		case n > 1:
			parts = append(parts, fmt.Sprint(n, " ", many))
		}
	}
	say(len(o.Merged), "profile gets the evidence of others", "profiles get the evidence of others")
	say(len(o.Split), "profile splits", "profiles split")
	say(len(o.Created), "profile comes to be", "profiles come to be")
	say(len(o.Ended), "profile ends", "profiles end")
	if len(parts) == 0 {
		return "no profile merges or splits"
	}
	return strings.Join(parts, ", ")
}

// Preview says what a change would merge and split, without making it. Errors
// are those of the method that makes it, [ErrInvalidDecision] unless exactly one
// field is set, and [ErrNotFound] for a Withdraw of what was not declared. It
// costs what the change costs, and writers wait for it.
func (d *Directory) Preview(ctx context.Context, change WhatIf) (Outcome, error) {
	if err := ctx.Err(); err != nil {
		return Outcome{}, err
	}
	if err := change.check(); err != nil {
		return Outcome{}, err
	}
	if change.Rules != nil {
		return d.previewRules(ctx, *change.Rules)
	}
	q, names, err := d.about(change)
	if err != nil {
		return Outcome{}, err
	}
	var out Outcome
	err = d.try(ctx, q, func(g *graph) (err error) {
		out, err = g.preview(change, names)
		return err
	})
	return out, err
}

func (w *WhatIf) check() error {
	set := 0
	for _, is := range [...]bool{
		w.Rules != nil, w.Link != nil, w.Separate != nil, w.Withdraw != nil,
		!w.Unlink.IsZero(), !w.Relink.IsZero(), !w.RetractEvidence.IsZero(), w.Retract != "",
	} {
		if is {
			set++
		}
	}
	if set != 1 {
		return fmt.Errorf("%w: %d fields are set, of which there must be one", ErrInvalidDecision, set)
	}
	return nil
}

// about is what a change has to load, and the identifiers that it is about.
func (d *Directory) about(w WhatIf) (Query, [2]name, error) {
	if pair := cmp.Or(w.Link, w.Separate, w.Withdraw); pair != nil {
		names, err := d.rules().pair(pair[0], pair[1])
		if err != nil {
			return Query{}, names, err
		}
		return Query{Names: []Name{names[0].row(), names[1].row()}}, names, nil
	}
	if w.Retract != "" {
		return Query{Events: []string{w.Retract}}, [2]name{}, nil
	}
	return Query{Evidence: []EvidenceKey{w.evidence()}}, [2]name{}, nil
}

func (w *WhatIf) evidence() EvidenceKey {
	switch {
	case !w.Unlink.IsZero():
		return w.Unlink
	case !w.Relink.IsZero():
		return w.Relink
	}
	return w.RetractEvidence
}

// try runs what changes the scratch state of the graph and nothing else.
func (d *Directory) try(ctx context.Context, q Query, f func(g *graph) error) error {
	if d.store != nil {
		return d.view(ctx, q, f)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return f(d.graph)
}

func (g *graph) preview(w WhatIf, names [2]name) (Outcome, error) {
	switch {
	case w.Link != nil || w.Separate != nil || w.Withdraw != nil:
		now := g.now().UnixMicro()
		x, y := g.nodeAt(names[0], now), g.nodeAt(names[1], now)
		if x == nil || y == nil {
			return Outcome{}, ErrNotFound
		}
		return g.previewTie(w, x, y)
	case w.Retract != "":
		rec := g.events.get(0, w.Retract)
		switch {
		case rec == nil:
			return Outcome{}, ErrNotFound
		case rec.evidence == nil || !g.complete(rec.evidence):
			return Outcome{}, nil
		}
		return g.previewRetract(rec.evidence, rec), nil
	}
	e := g.evidence[w.evidence()]
	switch {
	case e == nil:
		return Outcome{}, ErrNotFound
	case !w.RetractEvidence.IsZero():
		return g.previewRemoval(e), nil
	}
	return g.previewPower(e, !w.Relink.IsZero()), nil
}

// previewTie decides with a declaration more, or with those about two
// identifiers withdrawn, and puts things back.
func (g *graph) previewTie(w WhatIf, x, y *node) (Outcome, error) {
	t := &tie{a: x, b: y, must: w.Link != nil}
	same := func(o *tie) bool { return o.a == x && o.b == y }
	withdraws, declared := w.Withdraw != nil, false
	for _, o := range append(slices.Clip(x.must()), x.cannot()...) {
		declared = declared || same(o) && (withdraws || o.must == t.must)
	}
	switch {
	case withdraws && !declared:
		return Outcome{}, ErrNotFound
	case !withdraws && declared:
		return Outcome{}, nil
	}
	for _, n := range [...]*node{x, y} {
		extra := n.more()
		must, cannot := extra.must, extra.cannot
		defer func() { extra.must, extra.cannot = must, cannot }()
		switch {
		case withdraws:
			extra.must = slices.DeleteFunc(slices.Clone(must), same)
			extra.cannot = slices.DeleteFunc(slices.Clone(cannot), same)
		case t.must:
			extra.must = append(slices.Clip(must), t)
		default:
			extra.cannot = append(slices.Clip(cannot), t)
		}
	}
	f := fold{g: g, loose: []*node{x, y}}
	f.widen(x.home)
	f.widen(y.home)
	return f.preview(nil), nil
}

// previewPower decides with evidence unlinked, or linking again.
func (g *graph) previewPower(e *evidence, links bool) Outcome {
	if e.unlinked() != links || len(e.links) == 0 || !g.loaded(e) {
		return Outcome{}
	}
	f := fold{g: g}
	extra := e.more()
	was := extra.unlinked
	defer func() { extra.unlinked = was }()
	if links {
		extra.unlinked = nil
		f.touch(e)
	} else {
		extra.unlinked = &Decision{}
		f.widen(e.home)
	}
	return f.preview(nil)
}

// previewRetract decides without one record of evidence.
func (g *graph) previewRetract(e *evidence, gone *record) Outcome {
	if len(e.records) == 1 {
		return g.previewRemoval(e)
	}
	was := e.first
	defer func() { e.first = was }()
	if e.records[0] == gone {
		e.first = e.records[1].at
	}
	if e.first == was || len(e.links) == 0 {
		return Outcome{}
	}
	f := fold{g: g}
	f.touch(e)
	return f.preview(nil)
}

// previewRemoval decides without evidence.
func (g *graph) previewRemoval(e *evidence) Outcome {
	switch {
	case e.home == nil:
		return Outcome{}
	case len(e.links) == 0:
		return Outcome{Ended: []ID{e.home.id()}}
	}
	defer func() { e.removed = false }()
	f := fold{g: g}
	f.widen(e.home)
	return f.preview([]*evidence{e})
}

// preview resolves and tells what would come of it.
func (f *fold) preview(removed []*evidence) Outcome {
	if _, done := f.resolve(nil, removed); !done {
		return Outcome{}
	}
	groups, _ := f.groups()
	out := outcomeOf(groups)
	for _, c := range f.scope {
		if c.size > 0 && !slices.ContainsFunc(groups, func(gr group) bool { return gr.from == c }) {
			out.Ended = append(out.Ended, c.id())
		}
	}
	slices.Sort(out.Ended)
	return out
}

func (p *passing) outcome() Outcome { return outcomeOf(p.groups) }

// outcomeOf says what became of profiles whose evidence went in groups.
func outcomeOf(groups []group) Outcome {
	var out Outcome
	gets, gives := map[*cluster][]Part{}, map[*cluster][]Part{}
	existed := map[*cluster]bool{}  // evidence of a profile comes here
	goes := map[*cluster]*cluster{} // where evidence of a profile goes, or some of it
	for _, gr := range groups {
		if gr.to != nil {
			gets[gr.to] = append(gets[gr.to], Part{gr.from.id(), gr.size})
			existed[gr.to] = existed[gr.to] || gr.from != nil
		}
		if gr.from != nil {
			goes[gr.from] = gr.to
			gives[gr.from] = append(gives[gr.from], Part{gr.to.id(), gr.size})
		}
		if gr.from.id() != gr.to.id() {
			out.Evidence += gr.size
		}
	}
	for c, parts := range gets {
		if !existed[c] {
			out.Created = append(out.Created, c.id())
		} else if len(parts) > 1 {
			out.Merged = append(out.Merged, Regrouping{c.id(), parts})
		}
	}
	for c, parts := range gives {
		switch {
		case len(parts) == 1 && parts[0].Profile == c.id():
		case len(parts) == 1 && goes[c] != nil && len(gets[goes[c]]) > 1:
			// a union tells it
		case len(parts) == 1 && goes[c] == nil:
			out.Ended = append(out.Ended, c.id())
		default:
			out.Split = append(out.Split, Regrouping{c.id(), parts})
		}
	}
	for _, list := range [...][]Regrouping{out.Merged, out.Split} {
		slices.SortFunc(list, func(a, b Regrouping) int { return strings.Compare(string(a.Profile), string(b.Profile)) })
		for _, r := range list {
			slices.SortFunc(r.Parts, func(a, b Part) int { return strings.Compare(string(a.Profile), string(b.Profile)) })
		}
	}
	slices.Sort(out.Created)
	slices.Sort(out.Ended)
	return out
}
