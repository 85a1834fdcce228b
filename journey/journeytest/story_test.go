package journeytest_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/journey/journeytest"
	"github.com/cxkit/cxkit/profile"
)

// twoCarts is a customer with two carts, of which she pays for one.
func twoCarts() journeytest.Story {
	start := time.Date(2026, 11, 10, 2, 0, 0, 0, time.UTC)
	does := func(id, name, cart string, after time.Duration) journey.Input {
		return journey.Input{
			ID: id, Name: name, Customer: "li", Time: start.Add(after),
			Props: profile.Values{"cart_id": profile.Text(cart), "sku": profile.Text("boots")},
		}
	}
	return journeytest.Story{
		Journeys: []journey.Source{AbandonedCart(), LateDelivery()}, Policy: shop.ContactPolicy(),
		Contacts: map[profile.ID]contact.Row{"li": consenting()},
		Inputs: []journey.Input{
			does("1", "cart.updated", "A", 0), does("2", "cart.updated", "B", time.Hour),
			does("3", "cart.updated", "A", 90*time.Minute), does("4", "order.paid", "B", 26*time.Hour),
		},
	}
}

func TestCrashEverywhere(t *testing.T) {
	crashes := twoCarts().CrashEverywhere(t)
	t.Logf("%d crashes", crashes)
	require.Greater(t, crashes, 50)
}

func TestRepeatedInputs(t *testing.T) { twoCarts().Repeat(t, 3) }

// atMostOnePerCart is what the cart journey promises in any order of events.
func atMostOnePerCart(outbox []journey.EffectRow) error {
	sent := map[string]int{}
	for _, row := range outbox {
		if row.State == journey.Confirmed && row.Effect.Kind == journey.MessageEffect {
			if sent[row.Effect.Instance+row.Effect.State]++; sent[row.Effect.Instance+row.Effect.State] > 1 {
				return fmt.Errorf("%s goes out twice in %s", row.Effect.Name, row.Effect.State)
			}
		}
	}
	return nil
}

func TestShuffledInputs(t *testing.T) {
	s := twoCarts()
	s.Holds = atMostOnePerCart
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s.Shuffle(t, seed, 100)
	s.CrashEverywhere(t)
}

func TestStoriesTellWhatDoesNotHold(t *testing.T) {
	s := twoCarts()
	s.Holds = func([]journey.EffectRow) error { return errors.New("it rains") }
	r := &recorder{TB: t}
	s.Shuffle(r, 7, 1)
	require.Contains(t, r.text, "order 0 of seed 7, keys honored: true: it rains")
}

func TestStoriesAndExplorationsRunInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		twoCarts().CrashEverywhere(t)
		x := cartExploration(AbandonedCart())
		x.Depth = 3
		x.Test(t)
	})
}
