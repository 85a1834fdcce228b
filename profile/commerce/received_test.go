package commerce_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile/commerce"
)

func TestWhatArrivedIsKnownByLine(t *testing.T) {
	events := append(bought(), fact(commerce.Received, at(3, 0), line("1", 1, 0)))
	o := fold(t, events...)
	assert.Empty(t, o.ArrivedAt(at(2, 0)))
	assert.Equal(t, []commerce.Share{{Line: "1", Quantity: 1, Amount: 100}}, o.ArrivedAt(at(3, 0)))
	assert.Equal(t, int64(1), o.Lines[0].Received)
	assert.Zero(t, o.ReceivedAt, "the rest is on its way")

	o = fold(t, append(events, fact(commerce.Received, at(5, 0)))...)
	assert.Equal(t, []commerce.Share{{Line: "1", Quantity: 2, Amount: 200}, {Line: "2", Quantity: 1, Amount: 100}}, o.ArrivedAt(at(5, 0)))
	assert.Equal(t, []commerce.Share{{Line: "1", Quantity: 1, Amount: 100}}, o.ArrivedAt(at(4, 0)))
	assert.Equal(t, at(5, 0), o.ReceivedAt)
	require.Len(t, o.Arrivals, 2)
	assert.Equal(t, []commerce.Share{{Line: "1", Quantity: 1, Amount: 100}, {Line: "2", Quantity: 1, Amount: 100}}, o.Arrivals[1].Lines)
	assert.Empty(t, o.Problems)

	o = fold(t, append(events, fact(commerce.Received, at(4, 0), line("1", 5, 0), line("9", 1, 0)))...)
	assert.Equal(t, int64(2), o.Lines[0].Received, "no more arrives than was ordered")
	assert.Equal(t, []commerce.Problem{{Kind: commerce.UnknownLine, Event: fact(commerce.Received, at(4, 0)).ID, Line: "9", By: 1}}, o.Problems)
}

func TestWhatWasReceivedAndKeptIsHeld(t *testing.T) {
	events := append(bought(),
		fact(commerce.Received, at(3, 0), line("1", 2, 0)),
		fact(commerce.Returned, at(4, 0), line("1", 1, 0)),
		fact(commerce.Returned, at(4, 0), line("2", 1, 0), id("refused at the door")))
	o := fold(t, events...)
	assert.Equal(t, []commerce.Share{{Line: "1", Quantity: 2, Amount: 200}}, o.HeldAt(at(3, 0)))
	assert.Equal(t, []commerce.Share{{Line: "1", Quantity: 1, Amount: 100}}, o.HeldAt(at(4, 0)))

	// What goes out in exchange is held once it has arrived.
	o = fold(t, append(bought(),
		fact(commerce.Received, at(3, 0)),
		fact(commerce.Exchanged, at(5, 0), line("2", 1, 0), replacement("3", 1, 130), tender("card", 30)),
		fact(commerce.Received, at(7, 0), line("3", 1, 0)))...)
	assert.Equal(t, []commerce.Share{{Line: "1", Quantity: 2, Amount: 200}}, o.HeldAt(at(6, 0)))
	assert.Equal(t, []commerce.Share{{Line: "1", Quantity: 2, Amount: 200}, {Line: "3", Quantity: 1, Amount: 130}}, o.HeldAt(at(7, 0)))
	assert.Equal(t, at(3, 0), o.ReceivedAt)
}

func TestADepositIsForfeitedWhereTheBalanceNeverCame(t *testing.T) {
	presale := []commerce.Event{
		fact(commerce.Placed, at(1, 0), line("1", 1, 1000)),
		fact(commerce.DepositPaid, at(1, 1), tender("card", 100)),
	}
	closed := fact(commerce.Closed, at(9, 0))
	for name, c := range map[string]struct {
		then []commerce.Event
		at   time.Time
		want int64
	}{
		"still open":              {nil, at(20, 0), 0},
		"closed":                  {[]commerce.Event{closed}, at(9, 0), 100},
		"not before":              {[]commerce.Event{closed}, at(8, 0), 0},
		"given back in part":      {[]commerce.Event{closed, fact(commerce.Refunded, at(10, 0), amount(30))}, at(10, 0), 70},
		"given back later":        {[]commerce.Event{closed, fact(commerce.Refunded, at(10, 0), amount(30))}, at(9, 0), 100},
		"given back":              {[]commerce.Event{closed, fact(commerce.Refunded, at(9, 0), amount(100))}, at(20, 0), 0},
		"the balance came":        {[]commerce.Event{fact(commerce.BalancePaid, at(5, 0), tender("card", 900)), closed}, at(20, 0), 0},
		"a balance after closing": {[]commerce.Event{closed, fact(commerce.BalancePaid, at(11, 0), tender("card", 900))}, at(20, 0), 0},
		"and before that":         {[]commerce.Event{closed, fact(commerce.BalancePaid, at(11, 0), tender("card", 900))}, at(10, 0), 100},
		"two deposits":            {[]commerce.Event{fact(commerce.DepositPaid, at(2, 0), tender("card", 50)), closed}, at(20, 0), 150},
	} {
		t.Run(name, func(t *testing.T) {
			o := fold(t, append(append([]commerce.Event{}, presale...), c.then...)...)
			assert.Equal(t, c.want, o.ForfeitedAt(c.at))
			if c.want > 0 {
				assert.Zero(t, o.NetSpendAt(c.at), "it is no purchase")
				assert.False(t, o.CountsAt(c.at))
			}
		})
	}
	assert.Zero(t, fold(t, append(bought(), closed)...).ForfeitedAt(at(20, 0)), "no deposit")
}

// What is held, what went back and what is still to come of a line are the line,
// at every instant, and later facts change no earlier answer.
func TestHeldReturnedAndTheRestAreTheWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 1))
	t.Log("seed 41")
	for range 1000 {
		events := history(rng, shop)
		o := fold(t, events...)
		for _, e := range events {
			now := e.Time
			var known []commerce.Event
			for _, k := range events {
				if !k.Time.After(now) {
					known = append(known, k)
				}
			}
			then := fold(t, known...)
			require.Equal(t, then.ArrivedAt(now), o.ArrivedAt(now))
			require.Equal(t, then.HeldAt(now), o.HeldAt(now))
			require.Equal(t, then.ForfeitedAt(now), o.ForfeitedAt(now))
			held := map[string]commerce.Share{}
			for _, s := range o.HeldAt(now) {
				held[s.Line] = s
			}
			for _, s := range o.ArrivedAt(now) {
				require.LessOrEqual(t, held[s.Line].Quantity, s.Quantity)
			}
			for _, kept := range o.KeptAt(now) {
				h := held[kept.Line]
				require.LessOrEqual(t, h.Quantity, kept.Quantity)
				require.LessOrEqual(t, h.Amount, kept.Amount)
				if h.Quantity == kept.Quantity {
					require.Equal(t, kept, h)
				}
				delete(held, kept.Line)
			}
			require.Empty(t, held, "nothing is held that was not kept")
		}
		for _, l := range o.Lines {
			require.LessOrEqual(t, l.Received, l.Quantity)
		}
		var pieces int64
		for _, a := range o.Arrivals {
			for _, s := range a.Lines {
				require.Positive(t, s.Quantity)
				pieces += s.Quantity
			}
		}
		for _, l := range o.Lines {
			pieces -= l.Received
		}
		require.Zero(t, pieces)
	}
}
