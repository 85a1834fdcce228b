package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cxkit/cxkit/examples/retail/cdnow"
	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/input"
	"github.com/cxkit/cxkit/examples/retail/olist"
	"github.com/cxkit/cxkit/examples/retail/progress"
	"github.com/cxkit/cxkit/examples/retail/report"
	"github.com/cxkit/cxkit/examples/retail/shop"
	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/program"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// errDiffers says that the library and the files disagree.
var errDiffers = errors.New("the library's figures differ from those of the files")

// recording is real data from files, which are counted a second time without
// the library.
type recording struct {
	title      string
	in         feed.Feed
	deliveries int
	left       input.Summary
	club       shop.Club
	// check counts again and holds the result against what the loop computed.
	check func(ctx context.Context, l *loop) ([]input.Check, error)
}

// fromOlist opens the Olist files.
func fromOlist(dir string) (recording, error) {
	data, err := olist.Open(dir)
	if err != nil {
		return recording{}, err
	}
	return recording{
		title: "Olist, a marketplace in Brazil", in: data.Feed(), deliveries: data.Deliveries(), left: data.Summary(),
		club: shop.Club{
			Program: "olist", Currency: olist.Currency, Zone: olist.Zone, Card: olist.PersonKind,
			On: program.Paid, ReturnDays: 7, Silver: 200, Gold: 500, TierMonths: 12,
		},
		check: func(ctx context.Context, l *loop) ([]input.Check, error) {
			files, err := olist.Reconcile(dir, data.Summary())
			if err != nil {
				return nil, err
			}
			library, err := l.olistFigures(ctx)
			return olist.Compare(files, library), err
		},
	}, nil
}

// fromCDNOW opens the CDNOW file.
func fromCDNOW(file string) (recording, error) {
	data, err := cdnow.Open(file)
	if err != nil {
		return recording{}, err
	}
	return recording{
		title: "CDNOW, a record shop on the web", in: data.Feed(), deliveries: data.Deliveries(), left: data.Summary(),
		club: shop.Club{
			Program: "cdnow", Currency: cdnow.Currency, Zone: cdnow.Zone, Card: cdnow.PersonKind,
			On: program.Paid, ReturnDays: 0, ExpireMonths: 12, Silver: 100, Gold: 250, TierMonths: 12,
		},
		check: func(ctx context.Context, l *loop) ([]input.Check, error) {
			files, err := cdnow.Reconcile(file, data.Summary())
			if err != nil {
				return nil, err
			}
			library, err := l.cdnowFigures(ctx)
			return cdnow.Compare(files, library), err
		},
	}, nil
}

// replay runs the loop over the recording. The second error says that the
// report is complete but not to be trusted.
func (r recording) replay(ctx context.Context, keep *storage, bar *progress.Progress) (out report.Report, doubt, err error) {
	p := period{}
	if p.zone, err = time.LoadLocation(r.club.Zone); err != nil {
		return out, nil, err
	}
	for d := range r.in {
		if p.from.IsZero() {
			p.from = d.At
		}
		p.to = d.At.Add(time.Microsecond)
	}
	l, err := newLoop(ctx, p.from, setting{zone: r.club.Zone, currency: r.club.Currency, world: nobody{}, clubs: map[string]shop.Club{"": r.club}, keep: keep, input: r.title})
	if err != nil {
		return out, nil, err
	}
	stage := bar.Stage(r.title, "deliveries", int64(r.deliveries))
	if err := l.run(ctx, r.in, p.to, func() { stage.Add(1) }); err != nil {
		return out, nil, err
	}
	stage.Done()

	checks, err := r.check(ctx, l)
	if err != nil {
		return out, nil, err
	}
	sections, err := l.sections(ctx, p)
	if err != nil {
		return out, nil, err
	}
	doubt = r.left.Verdict()
	if !input.AllEqual(checks) {
		doubt = errors.Join(doubt, errDiffers)
	}
	equal := 0
	for _, c := range checks {
		if c.Equal {
			equal++
		}
	}
	out = report.Report{
		Title: r.title, From: p.from, To: p.to,
		Headline: []report.Figure{
			{Name: "deliveries", Value: report.Count(l.count.deliveries)},
			{Name: "orders", Value: report.Count(len(l.orders))},
			{Name: "figures that agree with the files", Value: fmt.Sprintf("%d of %d", equal, len(checks)), Tone: tone(equal == len(checks))},
		},
		Sections: append([]report.Section{{
			Title: "Held against the files",
			Lead:  "Every figure twice: counted from the rows of the files without the library, and computed by the library from the events.",
			Blocks: []report.Block{
				report.Reconciliation{Checks: checks},
				report.LeftOut("What was left out of the files", r.left),
			},
		}}, sections...),
	}
	return out, doubt, nil
}

// olistFigures are what the packages computed of the Olist feed.
func (l *loop) olistFigures(ctx context.Context) (olist.Figures, error) {
	var f olist.Figures
	orders, err := l.folded()
	if err != nil {
		return f, err
	}
	c := l.clubs[""]
	for _, o := range orders {
		f.Orders++
		f.PaidCents += o.Paid()
		if len(o.Lines) == 0 {
			f.OrdersWithoutItems++
		}
		left, err := c.kept(ctx, o)
		if err != nil {
			return f, err
		}
		switch {
		case !o.ClosedAt.IsZero():
			f.Closed++
			f.PointsOnClosed += left
		case !o.CompletedAt.IsZero():
			f.Delivered++
			f.PointsBaseCents += o.Paid() - o.PaidBy(olist.Voucher)
			if !o.ReceivedAt.IsZero() {
				f.Arrived++
			}
			if o.Late() {
				f.Late++
			}
		}
	}
	if f.Points, err = c.usable(ctx, l.now.AddDate(0, 1, 0)); err != nil {
		return f, err
	}
	people, reviews := map[profile.ID]bool{}, map[string]int{}
	if err := l.eachEvent(ctx, func(e profile.Event, id profile.ID) {
		people[id] = true
		switch e.Name {
		case feed.PaymentPending:
			amount, _ := e.Properties["amount"].Int()
			f.PendingCents += amount
		case feed.ReviewPosted:
			review, _ := e.Properties["review_id"].Text()
			reviews[review]++
		}
	}); err != nil {
		return f, err
	}
	f.Persons = int64(len(people))
	f.RecurringReviews = several(reviews)
	answered := map[commerce.Key]int{}
	for r, err := range l.surveys.Responses(ctx, feedback.Query{Survey: shop.Reviews}) {
		if err != nil {
			return f, err
		}
		stars, _ := r.Rating("stars")
		f.Reviews++
		f.StarsSum += int64(stars)
		answered[r.Occasion.Order]++
	}
	f.ReviewedTwice = several(answered)
	return f, nil
}

// cdnowFigures are what the packages computed of the CDNOW feed.
func (l *loop) cdnowFigures(ctx context.Context) (cdnow.Figures, error) {
	var f cdnow.Figures
	zone, err := time.LoadLocation(cdnow.Zone)
	if err != nil {
		return f, err
	}
	people, seen := map[profile.ID]bool{}, map[commerce.Key]bool{}
	days := map[string]bool{}
	if err := l.eachEvent(ctx, func(_ profile.Event, id profile.ID) { people[id] = true }); err != nil {
		return f, err
	}
	for id := range people {
		orders, err := l.customers.Orders(ctx, id)
		if err != nil {
			return f, err
		}
		mine := map[string]bool{}
		for _, o := range orders {
			day := o.PlacedAt.In(zone).Format("20060102")
			if mine[day] {
				f.SameDayOrders++
			}
			mine[day], days[day], seen[o.Key] = true, true, true
			f.AmountCents += o.Paid()
			for _, line := range o.Lines {
				f.Discs += line.Quantity
			}
		}
		f.PurchaseDays += int64(len(mine))
		if len(orders) > 1 {
			f.RepeatBuyers++
		}
		if len(mine) > 1 {
			f.RepeatByDay++
		}
	}
	f.Customers, f.Orders = int64(len(people)), int64(len(seen))
	ordered := slices.Sorted(maps.Keys(days))
	f.FirstDay, f.LastDay = ordered[0], ordered[len(ordered)-1]
	moved, err := l.clubs[""].ledger.Movements(ctx, time.Time{}, l.now.Add(time.Microsecond), time.Time{})
	for _, m := range moved {
		if m.Unit == loyalty.Points {
			f.Points = m.Earned + m.Returned
		}
	}
	return f, err
}

// eachEvent visits every event that the directory holds, with whose it is now.
func (l *loop) eachEvent(ctx context.Context, visit func(profile.Event, profile.ID)) error {
	for c, err := range l.customers.Changes(ctx, 0) {
		if err != nil {
			return err
		}
		if c.Kind != profile.Observed {
			continue
		}
		e, id, err := l.customers.Event(ctx, c.Event)
		if err != nil {
			return err
		}
		visit(e, id)
	}
	return nil
}

// kept is what is left of the points that an order earned.
func (c *club) kept(ctx context.Context, o commerce.Order) (int64, error) {
	var left int64
	a, err := c.ledger.Award(ctx, "award/"+program.OrderRef(o.Key)+"/purchase")
	if errors.Is(err, loyalty.ErrNotFound) {
		return 0, nil
	}
	for _, line := range a.Lines {
		left += line.Amount - line.Returned
	}
	return left, err
}

// usable is the sum of usable points of all accounts at an instant.
func (c *club) usable(ctx context.Context, at time.Time) (int64, error) {
	var sum int64
	for a, err := range c.ledger.Accounts(ctx) {
		if err != nil {
			return 0, err
		}
		b, err := c.ledger.Balance(ctx, a.ID, loyalty.Points, loyalty.AsOf{Effective: at})
		if err != nil {
			return 0, err
		}
		sum += b.Usable
	}
	return sum, nil
}

// several counts the keys that occur more than once.
func several[K comparable](times map[K]int) int64 {
	var n int64
	for _, k := range times {
		if k > 1 {
			n++
		}
	}
	return n
}
