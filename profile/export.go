package profile

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"
)

// ExportItem is one thing that the directory holds on a customer: exactly one
// of its fields is set.
type ExportItem struct {
	// Profile is the golden record; it comes first.
	Profile *Profile `json:"profile,omitempty"`
	// Evidence is a record of evidence, with the traits, consents, relations,
	// refused links and decisions that it keeps.
	Evidence *EvidenceRow `json:"evidence,omitempty"`
	// Name is an identifier with the declarations about it. Of one that belongs
	// to somebody else, because the link was refused, there is the name alone.
	Name *NameRow `json:"name,omitempty"`
	// Event is an event of the timeline; events come last, in order.
	Event *Event `json:"event,omitempty"`
}

// Export yields everything held on a customer, by a present or former ID;
// errors as for [Directory.Resolve]. The anchors and former IDs in an
// [EvidenceRow] are those under which other systems may know the customer.
//
// Beside it the directory holds only IDs: in the change feed, and of events that
// were retracted. What refusals and declarations tell of other people is left
// out: their identifiers that stood against a link.
func (d *Directory) Export(ctx context.Context, id ID) iter.Seq2[ExportItem, error] {
	return func(yield func(ExportItem, error) bool) {
		var items []ExportItem
		err := d.view(ctx, Query{Anchors: []ID{id}, HandOvers: true}, func(g *graph) error {
			c, err := g.whole(id)
			if err == nil {
				items = g.export(c)
			}
			return err
		})
		if err != nil {
			yield(ExportItem{}, err)
			return
		}
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		for e, err := range d.Timeline(ctx, id) {
			if err != nil {
				yield(ExportItem{}, err)
				return
			}
			if !yield(ExportItem{Event: &e}, nil) {
				return
			}
		}
	}
}

// export are the items of a cluster without its events: the evidence by
// arrival, the identifiers by name.
func (g *graph) export(c *cluster) []ExportItem {
	p := g.profile(c)
	for i := range p.Refused {
		p.Refused[i].Witness = nil
	}
	items := []ExportItem{{Profile: &p}}
	held := map[*node]bool{}
	for _, n := range c.nodes {
		held[n] = true
	}
	all := slices.Clone(c.evidence)
	slices.SortFunc(all, func(a, b *evidence) int { return compareInt(int64(a.arrival), int64(b.arrival)) })
	for _, e := range all {
		row := g.describe(e.row(), e)
		for i := range row.Refused {
			row.Refused[i].Far = SideRow{}
		}
		items = append(items, ExportItem{Evidence: &row})
		for _, n := range append(slices.Clip(e.links), e.others()...) {
			held[n] = true
		}
	}
	from := len(items)
	for n := range held {
		row := NameRow{Name: n.row()}
		if n.home == c || n.home == nil {
			row = n.nameRow(0)
			for i := range row.Ties {
				if g.others(c, row.Ties[i].Other) {
					row.Ties[i].Other.Value = ""
				}
			}
			row.Releases = g.releasesOf(n)
		}
		items = append(items, ExportItem{Name: &row})
	}
	slices.SortFunc(items[from:], func(a, b ExportItem) int { return a.Name.Name.compare(b.Name.Name) })
	return items
}

// others reports whether an identifier is not of a cluster.
func (g *graph) others(c *cluster, n Name) bool {
	return !slices.ContainsFunc(c.nodes, func(x *node) bool { return x.row() == n })
}

// releasesOf are the releases of a value, whoever of its owners n stands for.
func (g *graph) releasesOf(n *node) []time.Time {
	base := name{kind: n.kind}
	base.value, _, _ = strings.Cut(n.value, "\x00")
	g.ask(base)
	var out []time.Time
	if b := g.findNode(base); b != nil {
		for _, at := range b.releases() {
			out = append(out, instant(at))
		}
	}
	return out
}
