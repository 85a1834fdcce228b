package commerce

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrConflict reports two events of one ID with different content.
var ErrConflict = errors.New("commerce: event ID used for another content")

// ErrSeveralOrders reports events of more than one order given to [Fold].
var ErrSeveralOrders = errors.New("commerce: events of several orders")

// ErrNoEvents reports that [Fold] was given nothing.
var ErrNoEvents = errors.New("commerce: no events")

// ErrCurrency reports events of one order in different currencies.
var ErrCurrency = errors.New("commerce: one order in several currencies")

// EventError is an error about one event, by its ID; it unwraps to the
// condition: [ErrInvalidEvent], [ErrConflict], [ErrCurrency], [ErrOverflow].
type EventError struct {
	Event string
	Err   error
}

func (e *EventError) Error() string {
	return fmt.Sprintf("%v (event %q)", e.Err, e.Event)
}

// Unwrap returns the condition.
func (e *EventError) Unwrap() error { return e.Err }

// Fold makes one order of its events, in any order and with any duplication of
// equal events. All must be of one order, by key or alias, else
// [ErrSeveralOrders]. Any invalid event, an ID with two contents and a second
// currency are an [*EventError]: the order is refused as a whole.
//
// Of what several systems report of the same order each fact counts once: by
// [Event].Ref, else a fact that n times equals one of another system is the
// same n facts, at the earlier times. Lines are taken from the system that
// described them first, each as it was first described.
//
// The cost is that of sorting the events.
func Fold(events []Event) (Order, error) {
	orders, err := FoldAll(events)
	switch {
	case err != nil:
		return Order{}, err
	case len(orders) == 0:
		return Order{}, ErrNoEvents
	case len(orders) > 1:
		return Order{}, fmt.Errorf("%w: %d", ErrSeveralOrders, len(orders))
	}
	return orders[0], nil
}

// FoldAll makes orders of the events of many, in the byte order of their keys.
// Keys that any event calls aliases are one order. An order that [Fold] would
// refuse is left out and its error joined to the error returned; the others
// are returned beside it.
func FoldAll(events []Event) ([]Order, error) {
	groups, errs := group(events)
	orders := make([]Order, 0, len(groups))
	for _, g := range groups {
		o, err := fold(g)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		orders = append(orders, o)
	}
	slices.SortFunc(orders, func(a, b Order) int { return a.Key.Compare(b.Key) })
	return orders, errors.Join(errs...)
}

// Compare orders keys by source, outlet, number, each by byte: −1, 0 or +1.
func (k Key) Compare(l Key) int {
	return cmp.Or(strings.Compare(k.Source, l.Source),
		strings.Compare(k.Outlet, l.Outlet), strings.Compare(k.Number, l.Number))
}

// String writes the key for people: "tmall/flagship/1001".
func (k Key) String() string {
	if k.Outlet == "" {
		return k.Source + "/" + k.Number
	}
	return k.Source + "/" + k.Outlet + "/" + k.Number
}

// group sorts events into orders, without duplicates. What is refused takes
// its whole order with it.
func group(events []Event) ([][]Event, []error) {
	at := make(map[string]int, len(events)) // ID → index in kept
	keys := union{}
	var kept []Event
	refused := map[Key]error{}
	refuse := func(e Event, err error) {
		refused[e.Order] = least(refused[e.Order], &EventError{Event: e.ID, Err: err})
	}
	for _, e := range events {
		e = e.truncated()
		for _, a := range e.Aliases {
			keys.join(e.Order, a)
		}
		if i, seen := at[e.ID]; seen && e.ID != "" {
			if !e.Equal(kept[i]) {
				keys.join(e.Order, kept[i].Order)
				refuse(e, ErrConflict)
			}
			continue
		}
		if err := e.Validate(); err != nil {
			refuse(e, err)
		}
		at[e.ID] = len(kept)
		kept = append(kept, e)
	}
	bad := map[Key]error{}
	for k, err := range refused {
		root := keys.root(k)
		bad[root] = least(bad[root], err)
	}
	byRoot := map[Key][]Event{}
	for _, e := range kept {
		root := keys.root(e.Order)
		if _, ok := bad[root]; !ok {
			byRoot[root] = append(byRoot[root], e)
		}
	}
	groups := make([][]Event, 0, len(byRoot))
	for _, g := range byRoot {
		groups = append(groups, g)
	}
	errs := make([]error, 0, len(bad))
	for _, err := range bad {
		errs = append(errs, err)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return groups, errs
}

// least chooses one of two errors whatever their order.
func least(a, b error) error {
	if a != nil && a.Error() <= b.Error() {
		return a
	}
	return b
}

// union is a union-find over keys; the root of a set is its least key.
type union map[Key]Key

func (u union) root(k Key) Key {
	for {
		up, ok := u[k]
		if !ok {
			return k
		}
		if over, ok := u[up]; ok {
			u[k] = over
		}
		k = up
	}
}

func (u union) join(a, b Key) {
	a, b = u.root(a), u.root(b)
	switch c := a.Compare(b); {
	case c < 0:
		u[b] = a
	case c > 0:
		u[a] = b
	}
}
