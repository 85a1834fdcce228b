package loyalty_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/profile"
)

// An erasure in the directory's feed takes the bindings of the present ID and
// of the former one, and leaves the books as they are.
func TestErasureReachesFormerIDs(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	l, err := loyalty.New(loyalty.Config{Now: func() time.Time { return at }})
	require.NoError(t, err)
	_, err = l.Post(t.Context(), loyalty.Earn{Key: "e1", Account: "card-1", Amount: 100})
	require.NoError(t, err)
	for _, id := range []profile.ID{"present", "former"} {
		require.NoError(t, l.Bind(t.Context(), loyalty.Binding{Profile: id, Account: "card-1"}))
	}
	require.NoError(t, l.Apply(t.Context(), profile.Change{Kind: profile.Merged, Profile: "present", Other: "former"}))
	require.NoError(t, l.Apply(t.Context(), profile.Change{Kind: profile.Erased, Profile: "present", Other: "former"}))
	for _, id := range []profile.ID{"present", "former"} {
		have, err := l.Bindings(t.Context(), loyalty.BindingQuery{Profile: id})
		require.NoError(t, err)
		require.Empty(t, have, id)
	}
	b, err := l.Balance(t.Context(), "card-1", loyalty.Points, loyalty.AsOf{})
	require.NoError(t, err)
	require.Equal(t, int64(100), b.Usable)
}
