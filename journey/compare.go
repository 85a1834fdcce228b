package journey

import (
	"context"
	"fmt"
	"iter"
)

// Comparison sets two simulations of the same history side by side.
type Comparison struct {
	A, B Simulated
	// OnlyA and OnlyB are messages that but one of them sends; Both counts those
	// to the same customer, of the same template and channel, at the same time.
	OnlyA, OnlyB []SimulatedMessage
	Both         int
}

// Compare runs two simulations over one history.
func Compare(ctx context.Context, a, b *Simulator, history iter.Seq2[Input, error]) (Comparison, error) {
	var kept []Input
	for x, err := range history {
		if err != nil {
			return Comparison{}, err
		}
		kept = append(kept, x)
	}
	replay := func(yield func(Input, error) bool) {
		for _, x := range kept {
			if !yield(x, nil) {
				return
			}
		}
	}
	var c Comparison
	var err error
	if c.A, err = a.Run(ctx, replay); err != nil {
		return Comparison{}, err
	}
	if c.B, err = b.Run(ctx, replay); err != nil {
		return Comparison{}, err
	}
	key := func(m SimulatedMessage) SimulatedMessage {
		return SimulatedMessage{Customer: m.Customer, Template: m.Template, Channel: m.Channel, At: m.At}
	}
	inB := map[SimulatedMessage]int{}
	for _, m := range c.B.Messages {
		inB[key(m)]++
	}
	for _, m := range c.A.Messages {
		if inB[key(m)] > 0 {
			inB[key(m)]--
			c.Both++
		} else {
			c.OnlyA = append(c.OnlyA, m)
		}
	}
	for _, m := range c.B.Messages {
		if inB[key(m)] > 0 {
			inB[key(m)]--
			c.OnlyB = append(c.OnlyB, m)
		}
	}
	return c, nil
}

// String says what changes from A to B, for people.
func (c Comparison) String() string {
	return fmt.Sprintf("A: %s\nB: %s\n%s messages in both, %s only in A, %s only in B",
		c.A, c.B, grouped(c.Both), grouped(len(c.OnlyA)), grouped(len(c.OnlyB)))
}
