package score

import (
	"cmp"
	"iter"
	"time"

	"github.com/cxkit/cxkit/feedback"
)

// Collect tallies responses by group: all that answer the question of the
// survey, each under group(response); nil puts all under "". Responses of other
// surveys are an error that matches [ErrPooled].
func Collect(responses iter.Seq2[feedback.Response, error], s feedback.Survey, question string,
	group func(feedback.Response) string,
) (map[string]*Tally, error) {
	first, err := NewTally(s, question)
	if err != nil {
		return nil, err
	}
	out := map[string]*Tally{}
	for r, err := range responses {
		if err != nil {
			return nil, err
		}
		key := ""
		if group != nil {
			key = group(r)
		}
		t := out[key]
		if t == nil {
			t = first.Empty()
		}
		counted, err := t.AddResponse(r)
		if err != nil {
			return nil, err
		}
		if counted {
			out[key] = t
		}
	}
	return out, nil
}

// ByMonth groups responses by the calendar month of their time in a zone:
// "2026-03".
func ByMonth(zone *time.Location) func(feedback.Response) string {
	return func(r feedback.Response) string { return r.Time.In(zone).Format("2006-01") }
}

// ByOutlet groups responses by outlet.
func ByOutlet(r feedback.Response) string { return r.Occasion.Outlet }

// ByTouchpoint groups responses by touchpoint.
func ByTouchpoint(r feedback.Response) string { return r.Occasion.Touchpoint }

// LatestPerOrder keeps, of the responses that are about one order of one
// customer, only the latest by time, then ID; those about no order all count.
// It says how many it left out. It holds all responses in memory.
func LatestPerOrder(responses iter.Seq2[feedback.Response, error]) (kept []feedback.Response, left int, err error) {
	type key struct{ survey, source, outlet, number string }
	at := map[key]int{}
	for r, err := range responses {
		if err != nil {
			return nil, 0, err
		}
		o := r.Occasion.Order
		k := key{r.Survey, o.Source, o.Outlet, o.Number}
		i, seen := at[k]
		switch {
		case o.Number == "":
			kept = append(kept, r)
		case !seen:
			at[k] = len(kept)
			kept = append(kept, r)
		default:
			left++
			if cmp.Or(r.Time.Compare(kept[i].Time), cmp.Compare(r.ID, kept[i].ID)) > 0 {
				kept[i] = r
			}
		}
	}
	return kept, left, nil
}

// Each yields responses that are held in memory, for [Collect].
func Each(responses []feedback.Response) iter.Seq2[feedback.Response, error] {
	return func(yield func(feedback.Response, error) bool) {
		for _, r := range responses {
			if !yield(r, nil) {
				return
			}
		}
	}
}
