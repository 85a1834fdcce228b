package profile_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

// After a merge the present ID and the former one name one customer, and both
// say so; a customer nobody knows is not found.
func TestIDsOfACustomer(t *testing.T) {
	for name, store := range map[string]profile.Store{"memory": nil, "store": profile.NewMemoryStore()} {
		t.Run(name, func(t *testing.T) { idsOfACustomer(t, store) })
	}
}

// Where a release moved all events of an ID, the ID is the new owner's former
// one: known as theirs, erased with them, and gone with them.
func TestAnIDThatAReleaseMovedIsErasedToo(t *testing.T) {
	for name, store := range map[string]profile.Store{"memory": nil, "store": profile.NewMemoryStore()} {
		t.Run(name, func(t *testing.T) {
			d := open(t, profile.Config{Store: store, ErasureKeys: [][]byte{oldKey}})
			old := observe(t, d, event("1", day(5), phone(li))).Profile
			require.NoError(t, d.Release(t.Context(), phone(li), day(3), decided))
			require.NoError(t, d.Release(t.Context(), phone(li), day(4), decided))
			now, err := d.Resolve(t.Context(), old)
			require.NoError(t, err)
			require.NotEqual(t, old, now)
			ids, err := d.IDs(t.Context(), now)
			require.NoError(t, err)
			require.Equal(t, now, ids[0])
			require.Contains(t, ids, old)
			held := false
			for item, err := range d.Export(t.Context(), now) {
				require.NoError(t, err)
				held = held || item.Evidence != nil && slices.Contains(item.Evidence.Formers, old)
			}
			require.True(t, held)

			removal, err := d.Erase(t.Context(), now, profile.Erasure{Decision: decided})
			require.NoError(t, err)
			require.ElementsMatch(t, ids, removal.IDs)
			var told []profile.ID
			for c, err := range d.Changes(t.Context(), 0) {
				require.NoError(t, err)
				if c.Kind == profile.Erased && c.Other != "" {
					told = append(told, c.Other)
				}
			}
			require.ElementsMatch(t, ids[1:], told)
			for _, id := range ids {
				_, err = d.Resolve(t.Context(), id)
				require.ErrorIs(t, err, profile.ErrGone)
			}
		})
	}
}

// Where other rules make one record of evidence of two, both IDs are known as
// that customer's.
func TestAnIDThatOtherRulesMovedIsKnown(t *testing.T) {
	for name, store := range map[string]profile.Store{"memory": nil, "store": profile.NewMemoryStore()} {
		t.Run(name, func(t *testing.T) {
			d := open(t, profile.Config{Store: store, ErasureKeys: [][]byte{oldKey}})
			a := observe(t, d, event("1", day(1), phone(li), member("M1"))).Profile
			b := observe(t, d, event("2", day(2), phone(li), member("M2"))).Profile
			require.NotEqual(t, a, b)
			rules := d.Rules()
			rules.Kinds = slices.DeleteFunc(rules.Kinds, func(k profile.Kind) bool { return k.Name == "member" })
			_, err := d.Reconfigure(t.Context(), rules)
			require.NoError(t, err)
			ids, err := d.IDs(t.Context(), b)
			require.NoError(t, err)
			require.Equal(t, []profile.ID{a, b}, ids)
			removal, err := d.Erase(t.Context(), a, profile.Erasure{Decision: decided})
			require.NoError(t, err)
			require.Equal(t, ids, removal.IDs)
			_, err = d.Resolve(t.Context(), b)
			require.ErrorIs(t, err, profile.ErrGone)
		})
	}
}

func idsOfACustomer(t *testing.T, store profile.Store) {
	d, err := profile.New(profile.Config{Store: store})
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
