package profile

import (
	"context"
	"iter"
)

// ExportItem is one thing that the directory holds on a customer: exactly one
// of its fields is set.
type ExportItem struct {
	// Profile is the golden record; it comes first.
	Profile *Profile `json:"profile,omitempty"`
	// Evidence is a record of evidence, with the traits, consents, refused
	// links and decisions that it keeps.
	Evidence *EvidenceRow `json:"evidence,omitempty"`
	// Name is an identifier with the declarations about it.
	Name *NameRow `json:"name,omitempty"`
	// Event is an event of the timeline; events come last, in order.
	Event *Event `json:"event,omitempty"`
}

// Export yields everything held on a customer, by a present or former ID;
// errors as for [Directory.Resolve]. Every anchor in an [EvidenceRow] is an ID
// under which other systems may know the customer.
func (d *Directory) Export(ctx context.Context, id ID) iter.Seq2[ExportItem, error] {
	return func(yield func(ExportItem, error) bool) {
		var items []ExportItem
		err := d.view(ctx, Query{Anchors: []ID{id}}, func(g *graph) error {
			c, err := g.whole(id)
			if err != nil {
				return err
			}
			p := g.profile(c)
			items = append(items[:0], ExportItem{Profile: &p})
			for _, e := range c.evidence {
				row := g.describe(e.row(), e)
				items = append(items, ExportItem{Evidence: &row})
			}
			for _, n := range c.nodes {
				row := n.nameRow(0)
				items = append(items, ExportItem{Name: &row})
			}
			return nil
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
