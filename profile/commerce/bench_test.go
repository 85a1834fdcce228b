package commerce_test

import (
	"math/rand/v2"
	"testing"

	"github.com/cxkit/cxkit/profile/commerce"
)

// usual is the history of an order with two lines that was received.
func usual() []commerce.Event {
	return append(bought(promised(at(5, 0))), fact(commerce.Shipped, at(2, 0)), fact(commerce.Received, at(4, 0)),
		fact(commerce.Completed, at(11, 0)))
}

func BenchmarkValidate(b *testing.B) {
	e := usual()[0]
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFold(b *testing.B) {
	refunded := append(usual(), fact(commerce.Returned, at(12, 0), line("2", 1, 0)),
		fact(commerce.Refunded, at(13, 0), line("2", 1, 0), amount(100)))
	for name, events := range map[string][]commerce.Event{"received": usual(), "returned": refunded} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := commerce.Fold(events); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// One customer's orders, as a segment or a ledger folds them after an event.
func BenchmarkFoldAll(b *testing.B) {
	rng := rand.New(rand.NewPCG(28, 1))
	var events []commerce.Event
	for range 20 {
		events = append(events, history(rng, commerce.Key{Source: "shop", Number: string(rune('a' + rng.IntN(1<<15)))})...)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := commerce.FoldAll(events); err != nil {
			b.Fatal(err)
		}
	}
}
