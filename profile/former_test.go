package profile_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

// After a merge the present ID and the former one name one customer, and both
// say so; a customer nobody knows is not found.
func TestIDsOfACustomer(t *testing.T) {
	d, err := profile.New(profile.Config{})
	require.NoError(t, err)
	phone := profile.Identifier{Kind: "phone", Value: "13800138000"}
	openid := profile.Identifier{Kind: "wechat.openid/app", Value: "o1"}
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	see := func(id string, ids ...profile.Identifier) profile.ID {
		at = at.Add(time.Minute)
		r, err := d.Observe(t.Context(), profile.Event{ID: id, Time: at, Identifiers: ids})
		require.NoError(t, err)
		return r.Profile
	}
	a, b := see("1", phone), see("2", openid)
	require.NotEqual(t, a, b)
	present := see("3", phone, openid)
	for _, id := range []profile.ID{a, b} {
		ids, err := d.IDs(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, present, ids[0])
		require.Subset(t, ids, []profile.ID{a, b})
	}
	_, err = d.IDs(t.Context(), "nobody")
	require.ErrorIs(t, err, profile.ErrNotFound)
}
