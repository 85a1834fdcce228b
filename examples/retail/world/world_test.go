package world_test

import (
	"encoding/json"
	"hash/fnv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/examples/retail/world"
)

// far is after every delivery.
var far = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

func small(t testing.TB, seed uint64) *world.World {
	t.Helper()
	w, err := world.New(world.Config{Seed: seed, Customers: 400})
	require.NoError(t, err)
	return w
}

// fingerprint covers every byte of every delivery.
func fingerprint(t testing.TB, w *world.World) uint64 {
	t.Helper()
	h := fnv.New64a()
	enc := json.NewEncoder(h)
	for d, err := range w.Feed() {
		require.NoError(t, err)
		require.NoError(t, enc.Encode(d))
	}
	return h.Sum64()
}

func TestOneSeedGivesOneWorldAndAnotherSeedAnother(t *testing.T) {
	one := fingerprint(t, small(t, 1))
	assert.Equal(t, one, fingerprint(t, small(t, 1)), "the same seed again")
	assert.NotEqual(t, one, fingerprint(t, small(t, 2)), "another seed")
}

func TestFeedIsInOrderOfArrival(t *testing.T) {
	w := small(t, 1)
	var last time.Time
	n := 0
	for d, err := range w.Feed() {
		require.NoError(t, err)
		require.False(t, d.At.Before(last), "delivery %d arrives before the one ahead of it", n)
		require.False(t, d.At.Before(d.Event.Time), "delivery %d arrives before it happens", n)
		require.False(t, d.At.Before(w.Start()))
		require.True(t, d.Event.Time.Before(w.End()))
		last = d.At
		n++
	}
	require.Greater(t, n, 5000)
}
