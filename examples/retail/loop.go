package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cxkit/cxkit/examples/retail/audience"
	"github.com/cxkit/cxkit/examples/retail/campaign"
	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/shop"
	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/program"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/segment"
)

// loop is the group's backend: the five packages and what goes from one to the
// other. Time is that of the deliveries; nothing here reads a clock.
//
//	delivery → who is it (profile) → which audiences (segment) → what next (journey)
//	         → orders → points and tiers (loyalty) → back to the profile
//	         → surveys, reviews, cases (feedback) → who is left alone
type loop struct {
	now time.Time

	customers *profile.Directory
	audiences *segment.Engine
	journeys  *journey.Engine
	campaigns []string
	surveys   *feedback.Collector
	desk      *care.Desk
	office    *care.Calendar
	clubs     map[string]*club // by brand

	orders    map[commerce.Key][]commerce.Event // the shop's own order table
	early     map[string][]profile.Event        // word of a case that is not open yet, by case
	followed  uint64                            // changes of customers handed to the packages
	seen      uint64                            // transitions handed to the journeys
	causes    map[string]string                 // the event that started a journey's instance
	currency  string
	scheduled agenda // what happens outside because of what was done here
	world     outside
	count     counts
	minted    int // customers' IDs
	taken     int // deliveries of the feed

	keep  *storage        // nil in memory
	input string          // what is run over
	heard map[string]bool // the messages that the outside has reacted to
}

// club is a brand's loyalty program.
type club struct {
	*program.Program
	ledger *loyalty.Ledger
	brand  string
	card   string // the kind of identifier that names the account
}

// setting is what differs between the inputs.
type setting struct {
	tablets []string
	clubs   map[string]shop.Club
	zone    string
	// currency is what amounts are shown in.
	currency string
	world    outside
	// input names what is run over.
	input string
	// keep is where everything is kept; nil is memory.
	keep *storage
}

func newLoop(ctx context.Context, start time.Time, s setting) (*loop, error) {
	l := &loop{now: start, currency: s.currency, clubs: map[string]*club{}, orders: map[commerce.Key][]commerce.Event{}, early: map[string][]profile.Event{}, causes: map[string]string{}, world: s.world, keep: s.keep, input: s.input, heard: map[string]bool{}}
	clock := func() time.Time { return l.now }
	var err error

	if l.customers, err = profile.New(profile.Config{
		Kinds: shop.Kinds(s.tablets), Now: clock, MaxAhead: -1,
		// The same run gives the same report: splits are drawn by customer.
		NewID: func() profile.ID { l.minted++; return profile.ID(fmt.Sprintf("c%07d", l.minted)) },
		Store: s.keep.customers(),
	}); err != nil {
		return nil, err
	}

	resumed, err := l.restore(ctx)
	if err != nil {
		return nil, err
	}
	if l.audiences, err = segment.Resume(ctx, segment.Config{History: l.customers, Store: s.keep.audiences()}); err != nil {
		return nil, err
	}
	if !resumed {
		for _, def := range audience.All(s.zone) {
			if err := l.audiences.Define(ctx, start, def); err != nil {
				return nil, err
			}
		}
	}

	policy := shop.ContactPolicy()
	policy.Zone = s.zone
	if l.journeys, err = journey.New(journey.Config{
		Now: clock, Store: s.keep.journeys(), Contact: policy,
		Channels: map[string]journey.Port{
			"wechat": l.channel(), "push": l.channel(), "sms": l.channel(), "email": l.channel(),
		},
		Actions: map[journey.Binding]journey.Port{
			{Kind: journey.CaseEffect}: {Handle: l.openCase, HonorsKeys: true},
			{Kind: journey.TaskEffect}: l.channel(),
		},
		Consent: l.mayWrite,
		Resolve: l.customers.Resolve,
	}); err != nil {
		return nil, err
	}
	for _, b := range campaign.All() {
		d, err := b.GoLive(start).Build()
		if err != nil {
			return nil, err
		}
		if err := l.journeys.Deploy(ctx, d); err != nil {
			return nil, err
		}
		l.campaigns = append(l.campaigns, d.Name())
	}

	hours := shop.ServiceHours()
	hours.Zone = s.zone
	if l.office, err = care.NewCalendar(hours); err != nil {
		return nil, err
	}
	if l.desk, err = care.New(care.Config{
		Now: clock, Store: s.keep.cases(), Policies: shop.ServicePolicies(), Rules: shop.ServiceRules(),
		Calendars: map[string]*care.Calendar{"service": l.office}, SameAs: l.sameAs,
	}); err != nil {
		return nil, err
	}
	surveys, budgets := shop.Surveys()
	if l.surveys, err = feedback.New(feedback.Config{
		Now: clock, Store: s.keep.surveys(), Surveys: surveys, Budgets: budgets,
		Checks: map[string]feedback.Check{shop.OpenCase: l.desk.HasOpen}, SameAs: l.sameAs,
	}); err != nil {
		return nil, err
	}

	books := s.keep.points()
	for brand, c := range s.clubs {
		cfg, err := c.Ledger(books, clock)
		if err != nil {
			return nil, err
		}
		ledger, err := loyalty.New(cfg)
		if err != nil {
			return nil, err
		}
		p, err := program.New(program.Config{Ledger: ledger, Store: s.keep.tiers(), Now: clock, Zone: cfg.Zone, Definition: c.Rules()})
		if err != nil {
			return nil, err
		}
		l.clubs[brand] = &club{Program: p, ledger: ledger, brand: brand, card: c.Card}
	}
	if resumed {
		return l, nil
	}
	return l, l.schedule(appointment{At: start.Add(3 * time.Hour), What: nightRun})
}

// sameAs lists the IDs under which a customer may be on record.
func (l *loop) sameAs(ctx context.Context, id profile.ID) ([]profile.ID, error) {
	ids, err := l.customers.IDs(ctx, id)
	if errors.Is(err, profile.ErrGone) || errors.Is(err, profile.ErrNotFound) {
		return []profile.ID{id}, nil // nobody else: the person was erased
	}
	return ids, err
}

// run takes a feed to its end, and then lets time pass until the given instant.
func (l *loop) run(ctx context.Context, in feed.Feed, until time.Time, progress func()) error {
	skip := l.taken // by the run that this one goes on from
	for d, err := range in {
		if err != nil {
			return err
		}
		if progress(); skip > 0 {
			skip--
			continue
		}
		if err := l.pass(ctx, d.At); err != nil {
			return err
		}
		if err := l.take(ctx, d.Event); err != nil {
			return fmt.Errorf("delivery of event %s: %w", d.Event.ID, err)
		}
		if l.taken++; l.taken%deliveriesPerCommit == 0 {
			if err := l.save(ctx); err != nil {
				return err
			}
		}
	}
	if err := l.pass(ctx, until); err != nil {
		return err
	}
	return l.save(ctx)
}

// pass lets time go by: whatever falls due on the way happens at its instant.
func (l *loop) pass(ctx context.Context, until time.Time) error {
	for {
		journeys, err := l.journeys.NextDue(ctx)
		if err != nil {
			return err
		}
		next := earliest(l.audiences.NextDue(), journeys, l.scheduled.next())
		if next.IsZero() || next.After(until) {
			break
		}
		l.now = later(l.now, next)
		if err := l.audiences.Advance(ctx, l.now); err != nil {
			return err
		}
		if err := l.react(ctx); err != nil {
			return err
		}
		if _, err := l.journeys.RunDue(ctx, l.now); err != nil {
			return err
		}
		for a, ok := l.due(); ok; a, ok = l.due() {
			if err := l.do(ctx, a); err != nil {
				return err
			}
		}
	}
	l.now = later(l.now, until)
	if err := l.audiences.Advance(ctx, l.now); err != nil {
		return err
	}
	return l.react(ctx)
}

// take is the way of one event through the packages.
func (l *loop) take(ctx context.Context, e profile.Event) error {
	l.count.deliveries++
	if e.Name == feed.PhoneReassigned {
		return l.reassigned(ctx, e)
	}
	receipt, err := l.customers.Observe(ctx, e)
	if err != nil && !errors.Is(err, profile.ErrNoIdentifier) { // from nobody: the order counts, the customer is unknown
		return err
	}
	id := receipt.Profile

	if err := l.react(ctx); err != nil {
		return err
	}
	if id != "" {
		moved, err := l.journeys.Ingest(ctx, inputOf(e, id))
		if err != nil {
			return err
		}
		if err := l.caused(moved, e.ID); err != nil {
			return err
		}
	}
	if e.Order != nil {
		if err := l.order(ctx, e, id); err != nil {
			return err
		}
	}
	return l.respond(ctx, e, id)
}

// reassigned takes the operator's word that a number is another person's as of
// a day. The notice is from nobody.
func (l *loop) reassigned(ctx context.Context, e profile.Event) error {
	number, _ := e.Properties["phone"].Text()
	asOf, _ := e.Properties["as_of"].Time()
	err := l.customers.Release(ctx, profile.Identifier{Kind: "phone", Value: number}, asOf, profile.Decision{Actor: "operator", Reason: "reassigned"})
	if errors.Is(err, profile.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return l.react(ctx)
}

// react follows the customers' change feed with every package, and the
// audiences' transitions with the journeys.
func (l *loop) react(ctx context.Context) error {
	for c, err := range l.customers.Changes(ctx, l.followed) {
		if err != nil {
			return err
		}
		if err := l.follow(ctx, c); err != nil {
			return err
		}
		l.followed = c.Seq
	}
	if err := l.audiences.CatchUp(ctx); err != nil {
		return err
	}
	for t, err := range l.audiences.Transitions(ctx, l.seen) {
		if err != nil {
			return err
		}
		moved, err := l.journeys.IngestTransition(ctx, journey.Transition{
			ID: t.ID, Audience: t.Segment, Customer: t.Customer, Entered: t.Kind == segment.Entered,
			EffectiveAt: t.EffectiveAt, DetectedAt: t.DetectedAt, Mode: t.Mode,
		})
		if err != nil {
			return err
		}
		if err := l.caused(moved, t.Cause.Event); err != nil {
			return err
		}
		l.seen = t.Seq
	}
	return nil
}

// follow is what a change of a customer means to the others: a merge joins
// journeys and the contact history, an erasure reaches everything. The
// audiences follow by themselves.
func (l *loop) follow(ctx context.Context, c profile.Change) error {
	err := errors.Join(l.journeys.Apply(ctx, c), l.surveys.Apply(ctx, c), l.desk.Apply(ctx, c))
	for _, club := range l.clubs {
		err = errors.Join(err, club.ledger.Apply(ctx, c))
	}
	return err
}

// caused notes which event started an instance: the outside reacts to that.
func (l *loop) caused(moved journey.Receipt, event string) error {
	for _, instance := range moved.Instances {
		if l.causes[instance] != "" {
			continue
		}
		l.causes[instance] = event
		if err := l.note(causeRecord, instance, event); err != nil {
			return err
		}
	}
	return nil
}

// inputOf is an event as the journeys see it: with the promised day of its order.
func inputOf(e profile.Event, id profile.ID) journey.Input {
	x := journey.FromEvent(e, id)
	if e.Order != nil && !e.Order.PromisedBy.IsZero() {
		x.Props = maps.Clone(x.Props)
		x.Props["promised_by"] = profile.Time(e.Order.PromisedBy)
	}
	return x
}

// order keeps the shop's order table, and brings points and tier in line with
// the order as it is known now.
func (l *loop) order(ctx context.Context, e profile.Event, id profile.ID) error {
	fact := e.Order.Identified(e.ID, e.Time)
	known := l.orders[fact.Order]
	for _, k := range known {
		if k.ID == fact.ID {
			return nil
		}
	}
	known = append(known, fact)
	l.orders[fact.Order] = known
	if err := l.note(orderRecord, fact.Order.String()+"/"+fact.ID, fact); err != nil {
		return err
	}
	club, account := l.membership(e)
	if club == nil {
		return nil
	}
	order, err := commerce.Fold(known)
	if err != nil {
		return err
	}
	done, err := club.Apply(ctx, account, order, e.Mode)
	if err != nil {
		return err
	}
	if done.Tier != nil {
		return l.tier(ctx, club, *done.Tier, e.Mode)
	}
	return nil
}

// tier tells the customer's profile of a new tier, so that audiences may use it.
func (l *loop) tier(ctx context.Context, c *club, change program.TierChange, mode profile.Mode) error {
	_, err := l.customers.Observe(ctx, profile.Event{
		ID: "tier/" + change.Account + "/" + change.At.UTC().Format(time.RFC3339Nano), Source: "loyalty", Name: "tier.changed",
		Time: l.now, Mode: mode, Brand: c.brand,
		Identifiers: []profile.Identifier{{Kind: c.card, Value: change.Account}},
		Traits:      profile.Values{"tier": profile.Text(cmp.Or(change.To, "member"))},
	})
	if err != nil {
		return err
	}
	return l.react(ctx)
}

// nightly records what time has done, and holds the reviews of tiers. No
// answer depends on it but that of a review, which is a decision.
func (l *loop) nightly(ctx context.Context) error {
	for _, brand := range slices.Sorted(maps.Keys(l.clubs)) {
		c := l.clubs[brand]
		if _, err := c.ledger.Sweep(ctx, l.now, 0); err != nil {
			return err
		}
		changes, err := c.RunReviews(ctx, l.now, 0)
		if err != nil {
			return err
		}
		for _, change := range changes {
			if err := l.tier(ctx, c, change, profile.Live); err != nil {
				return err
			}
		}
	}
	if _, err := l.desk.RunDue(ctx, l.now, 0); err != nil {
		return err
	}
	if _, err := l.surveys.RunDue(ctx, l.now, 0); err != nil {
		return err
	}
	return l.schedule(appointment{At: l.now.Add(24 * time.Hour), What: nightRun})
}

// membership is the account that an event names, of the brand's club; nil for none.
func (l *loop) membership(e profile.Event) (*club, string) {
	c := l.clubs[e.Brand]
	if c == nil {
		return nil, ""
	}
	card, _ := e.Properties["card"].Text()
	for _, id := range e.Identifiers {
		if card == "" && id.Kind == c.card {
			card = id.Value
		}
	}
	if card == "" {
		return nil, ""
	}
	return c, card
}

// respond does what a kind of event asks for besides journeys and points.
func (l *loop) respond(ctx context.Context, e profile.Event, id profile.ID) error {
	text := func(name string) string { s, _ := e.Properties[name].Text(); return s }
	switch e.Name {
	case feed.MemberJoined:
		if c, card := l.membership(e); c != nil && id != "" {
			return c.ledger.Bind(ctx, loyalty.Binding{Profile: id, Account: card, From: e.Time, Reason: "joined"})
		}
	case feed.PointsRedeemed:
		return l.redeem(ctx, e)
	case feed.MessageGranted:
		if id == "" {
			return nil
		}
		return l.journeys.UpdateContact(ctx, id, func(row contact.Row) contact.Row {
			return row.WithCredit(contact.Credit{ID: e.ID, Channel: text("channel"), Template: text("template"), Brand: e.Brand, Count: 1})
		})
	case feed.OrderReceived:
		return l.invite(ctx, e, id, shop.PurchaseNPS)
	case feed.SurveyAnswered:
		return l.answered(ctx, e, id)
	case feed.ReviewPosted:
		return l.review(ctx, e, id)
	case feed.ComplaintFiled:
		return l.open(ctx, e, care.Opening{
			Kind: care.Complaint, Customer: id, Topic: text("topic"), Text: text("text"),
			Order: commerce.Key{Source: e.Source, Number: text("order_id")},
		}, "start")
	case feed.RepairRequested:
		return l.open(ctx, e, care.Opening{Kind: care.Repair, Customer: id, Product: text("sku"), Outlet: text("outlet")}, "drop_off", "repair")
	case feed.ComplaintClosed:
		return l.closeCase(ctx, e, id, "resolve", "close")
	case feed.RepairReturned:
		return l.closeCase(ctx, e, id, "finish", "arrive", "pick_up")
	}
	return nil
}

// redeem spends points for a gift. What is refused for want of points is not
// repeated.
func (l *loop) redeem(ctx context.Context, e profile.Event) error {
	c, card := l.membership(e)
	if c == nil {
		return nil
	}
	points, _ := e.Properties["points"].Int()
	key, _ := e.Properties["redemption_id"].Text()
	_, err := c.ledger.Post(ctx, loyalty.Redeem{Key: key, Account: card, Amount: points, Reason: "gift"})
	if errors.Is(err, loyalty.ErrInsufficient) {
		return nil
	}
	return err
}
