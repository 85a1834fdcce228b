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
		page := TimelinePage{Limit: timelinePage}
		for {
			events, err := d.events(ctx, id, page)
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
			if len(events) < page.Limit {
				return
			}
			last := events[len(events)-1]
			page.AfterTime, page.AfterID = last.Time, last.ID
		}
	}
}

// events reads one page of the timeline of whatever an ID names now, without
// what is over.
func (d *Directory) events(ctx context.Context, id ID, page TimelinePage) ([]Event, error) {
	events, err := d.held(ctx, id, page)
	if r := &d.rules().retention; len(r.events) > 0 {
		now := d.now().UnixMicro()
		for i := range events {
			r.strip(&events[i], now)
		}
	}
	return events, err
}

// held reads one page of the timeline as it is kept.
func (d *Directory) held(ctx context.Context, id ID, page TimelinePage) ([]Event, error) {
	var events []Event
	if d.store == nil {
		return events, d.view(ctx, Query{}, func(g *graph) error {
			after := record{id: page.AfterID, at: page.AfterTime.UnixMicro()}
			if page.AfterID == "" {
				after.at = unseen
			}
			records, err := g.timelinePage(id, &after)
			for _, rec := range records {
				events = append(events, g.eventOf(rec))
			}
			return err
		})
	}
	var err error
	if page.Profile, err = d.Resolve(ctx, id); err != nil {
		return nil, err
	}
	rows, err := d.store.Events(ctx, page)
	for _, row := range rows {
		events = append(events, row.Event)
	}
	return events, err
}

const timelinePage = 64

// timelinePage reads the next records after one, at most timelinePage of them.
func (g *graph) timelinePage(id ID, after *record) ([]*record, error) {
	c, err := g.find(id)
	if err != nil {
		return nil, err
	}
	page := make([]*record, 0, timelinePage)
	for _, e := range c.evidence {
		from := sort.Search(len(e.records), func(i int) bool { return compareRecords(e.records[i], after) > 0 })
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
