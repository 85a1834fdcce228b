package journeytest

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/profile"
)

// Move is one thing that may happen to the customer.
type Move struct {
	Name string
	do   func(ctx context.Context, n *node) error
}

// Happens is an event; properties are as for [Customer.Does].
func Happens(event string, properties ...any) Move {
	return input(journey.EventInput, event, properties)
}

// Called is a call of the program.
func Called(name string, properties ...any) Move {
	return input(journey.CallInput, name, properties)
}

func input(kind journey.InputKind, name string, properties []any) Move {
	return Move{name, func(ctx context.Context, n *node) error {
		props, err := values(properties)
		if err != nil {
			return err
		}
		return n.walk.Ingest(ctx, journey.Input{Kind: kind, Name: name, Time: n.walk.Now(), Props: props})
	}}
}

// Enters makes the customer a member of an audience and reports it.
func Enters(audience string) Move {
	return Move{"enters " + audience, func(ctx context.Context, n *node) error {
		n.member[audience] = true
		return n.walk.Ingest(ctx, journey.Input{Kind: journey.EnteredInput, Name: audience, Time: n.walk.Now()})
	}}
}

// Leaves ends the membership of an audience and reports it.
func Leaves(audience string) Move {
	return Move{"leaves " + audience, func(ctx context.Context, n *node) error {
		delete(n.member, audience)
		return n.walk.Ingest(ctx, journey.Input{Kind: journey.LeftInput, Name: audience, Time: n.walk.Now()})
	}}
}

// Comes is a schedule of a journey coming round for the customer.
func Comes(definition, schedule string) Move {
	return Move{"schedule " + schedule, func(ctx context.Context, n *node) error {
		return n.walk.Ingest(ctx, journey.Input{Kind: journey.TickInput, Name: definition + "/" + schedule, Time: n.walk.Now()})
	}}
}

// Gets gives the customer a trait; the value is as for [Customer.Does].
func Gets(trait string, value any) Move {
	return Move{fmt.Sprintf("gets %s %v", trait, value), func(ctx context.Context, n *node) error {
		v, err := values([]any{trait, value})
		if err != nil {
			return err
		}
		maps.Copy(n.traits, v)
		return n.walk.TraitsChanged(ctx, trait)
	}}
}

// Holds makes a registered check answer yes from then on.
func Holds(check string) Move {
	return Move{check + " holds", func(_ context.Context, n *node) error {
		n.member["check:"+check] = true
		return nil
	}}
}

// Travels moves the customer to another time zone.
func Travels(zone string) Move {
	return Move{"travels to " + zone, func(ctx context.Context, n *node) error {
		row := n.walk.Contact()
		row.Zone = zone
		return n.walk.SetContact(ctx, row)
	}}
}

// Passes lets time pass.
func Passes(d time.Duration) Move {
	return Move{d.String() + " later", func(ctx context.Context, n *node) error {
		return n.walk.Advance(ctx, n.walk.Now().Add(d))
	}}
}

// Withdraws takes back consent on a channel; "" is every channel.
func Withdraws(purpose, channel string) Move {
	return Move{"withdraws " + strings.TrimSpace(purpose+" "+channel), func(ctx context.Context, n *node) error {
		act := profile.ConsentAct{Purpose: purpose, Channel: channel}
		return n.walk.SetContact(ctx, n.walk.Contact().WithConsent(act, n.walk.Now()))
	}}
}

// Fails makes a channel, or the action of a name, refuse everything from then on.
func Fails(name string) Move {
	return Move{name + " fails", func(_ context.Context, n *node) error {
		n.fails[name] = true
		return nil
	}}
}

// Hangs leaves it unclear, from then on, whether a channel, or the action of a
// name, did anything.
func Hangs(name string) Move {
	return Move{name + " hangs", func(_ context.Context, n *node) error {
		n.hangs[name] = true
		return nil
	}}
}
