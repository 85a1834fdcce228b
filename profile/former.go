package profile

import (
	"context"
	"slices"
)

// IDs lists every ID under which other packages may know a customer, given a
// present or former one: the present ID first, then the former ones in byte
// order. It is what a SameAs function wants. Errors as for [Directory.Resolve].
func (d *Directory) IDs(ctx context.Context, id ID) ([]ID, error) {
	var ids []ID
	err := d.view(ctx, Query{Anchors: []ID{id}}, func(g *graph) error {
		c, err := g.whole(id)
		if err != nil {
			return err
		}
		ids = ids[:0]
		for _, e := range c.evidence {
			for _, id := range append([]ID{e.anchor}, e.formers()...) {
				if id != "" && id != c.id() {
					ids = append(ids, id)
				}
			}
		}
		slices.Sort(ids)
		ids = slices.Insert(slices.Compact(ids), 0, c.id())
		return nil
	})
	return ids, err
}
