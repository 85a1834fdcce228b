package profile

import (
	"context"
	"iter"
	"slices"
	"sort"
)

// Timeline yields the events of a customer, by a present or former ID, in the
// order of time and event ID; errors as for [Directory.Resolve]. The loop may
// write to the directory: an event recorded behind the one last yielded is not
// seen, and after a merge or split the loop goes on with what the ID names now.
// The events' identifiers, orders and consents are shared and must not be modified.
func (d *Directory) Timeline(ctx context.Context, id ID) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		var after *record
		var page []*record
		var events []Event
		for {
			if err := ctx.Err(); err != nil {
				yield(Event{}, err)
				return
			}
			d.mu.RLock()
			var err error
			page, err = d.graph.timelinePage(id, after, page[:0])
			events = events[:0]
			for _, rec := range page {
				events = append(events, d.graph.eventOf(rec))
			}
			d.mu.RUnlock()
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
			if len(page) < timelinePage {
				return
			}
			after = page[len(page)-1]
		}
	}
}

const timelinePage = 64

// timelinePage reads the next records after one, at most timelinePage of them.
func (g *graph) timelinePage(id ID, after *record, page []*record) ([]*record, error) {
	c, err := g.find(id)
	if err != nil {
		return nil, err
	}
	for _, e := range c.evidence {
		from := 0
		if after != nil {
			from = sort.Search(len(e.records), func(i int) bool { return compareRecords(e.records[i], after) > 0 })
		}
		page = append(page, e.records[from:min(len(e.records), from+timelinePage)]...)
		if len(page) > 8*timelinePage {
			page = earliest(page)
		}
	}
	return earliest(page), nil
}

// earliest sorts records and keeps one page of them.
func earliest(page []*record) []*record {
	slices.SortFunc(page, compareRecords)
	return page[:min(len(page), timelinePage)]
}
