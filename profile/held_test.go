package profile_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// Each kind of record that a directory commits, and where a person's access to
// it is: "" for what holds nothing of a person but opaque keys.
var recordKinds = map[string]string{
	"Moves": "", "Events": "event", "Evidence": "evidence", "Names": "name", "Anchors": "evidence", "Profiles": "profile",
	"Tombstones": "", "HandOvers": "profile", "Changes": "", "Rules": "", "FormerRules": "",
}

// Whoever adds a kind of record says here how it is exported and erased.
func TestEveryKindOfRecordIsKnown(t *testing.T) {
	of := reflect.TypeFor[profile.Batch]()
	for i := range of.NumField() {
		require.Contains(t, recordKinds, of.Field(i).Name, "is it exported, and erased?")
	}
	items := reflect.TypeFor[profile.ExportItem]()
	for _, in := range recordKinds {
		if in != "" {
			_, ok := items.FieldByName(strings.ToUpper(in[:1]) + in[1:])
			require.True(t, ok, in)
		}
	}
}

// full makes a customer of whom everything is held that can be, all of it
// marked, next to another of whom nothing may be told.
func full(t *testing.T, d *profile.Directory) profile.ID {
	t.Helper()
	ctx := t.Context()
	order := commerce.Event{
		Kind: commerce.Exchanged, Ref: "mark-ref", Order: commerce.Key{Source: "mark-shop", Outlet: "mark-outlet", Number: "mark-number"},
		Aliases: []commerce.Key{{Source: "mark-alias", Number: "mark-aliasno"}}, Currency: "CNY",
		Lines:       []commerce.Line{{ID: "mark-line", SKU: "mark-sku", Category: "mark-cat", Quantity: 1, List: 9, Net: 8, Discounts: []commerce.Discount{{Funder: "mark-funder", Amount: 1}}}},
		Replacement: []commerce.Line{{ID: "mark-new", Quantity: 1}}, Payments: []commerce.Payment{{Tender: "mark-tender", Amount: 1}},
	}
	e := event("first", day(3),
		member("mark-card"), device("mark-device"), profile.Identifier{Kind: "order", Value: "mark-lookup"},
		profile.Identifier{Kind: "order.token/x", Value: "mark-token"}, profile.Identifier{Kind: "device", Value: "blocked"}, phone("138****mark"),
		phone("13800138000"))
	e.Source, e.Name, e.Brand, e.Mode = "mark-source", "mark-name", "mark-brand", profile.Backfill
	e.Traits = profile.Values{"trait": profile.Text("mark-value"), "sum": profile.Dec(15, 1), "tags": profile.Tags("mark-tag")}
	e.Properties = profile.Values{"mark-property": profile.Text("mark-content")}
	e.Order = &order
	e.Consents = []profile.ConsentAct{{
		Purpose: "mark-purpose", Channel: "mark-channel", Address: phone("13800138000"), Brand: "mark-cbrand", Granted: true, Inferred: true, Pending: true,
		Guardian: "mark-guardian", Policy: "mark-policy", Proof: "mark-proof", ExpiresAt: day(9),
	}}
	e.Relations = []profile.RelationAct{
		{Type: "assistant", Party: "mark-assistant", Until: day(30)},
		{Type: "outlet", Party: "mark-home", Ended: true},
	}
	id := observe(t, d, e).Profile
	promised := event("promised", day(3), member("mark-card"))
	promised.Order = &commerce.Event{Kind: commerce.Placed, Order: order.Order, Freight: 1, PromisedBy: day(9)}
	observe(t, d, promised)
	refunded := event("refunded", day(3), member("mark-card"))
	refunded.Order = &commerce.Event{Kind: commerce.Refunded, Order: order.Order, Amount: 1}
	observe(t, d, refunded)

	// The other has the e-mail address first: the customer's link to it is refused.
	observe(t, d, event("o1", day(1), member("other-card"), profile.Identifier{Kind: "email", Value: "other@example.com"}, device("other-device")))
	r := observe(t, d, event("second", day(4), member("mark-card"), profile.Identifier{Kind: "email", Value: "other@example.com"}))
	require.NotEmpty(t, r.Refused)
	require.NoError(t, d.Separate(ctx, member("mark-card"), device("other-device"), profile.Decision{Actor: "mark-actor", Reason: "mark-reason"}))

	// A third has a card too: that link is refused for the limit.
	observe(t, d, event("o3", day(1), member("third-card"), profile.Identifier{Kind: "email", Value: "third@example.com"}))
	observe(t, d, event("sixth", day(4), member("mark-card"), profile.Identifier{Kind: "email", Value: "third@example.com"}))

	// A number that was somebody else's before.
	observe(t, d, event("o2", day(1), phone("13900139000")))
	require.NoError(t, d.Release(ctx, phone("13900139000"), day(2), decided))
	observe(t, d, event("third", day(5), phone("13900139000"), member("mark-card")))

	// Evidence whose linking power was taken away.
	unlinked := observe(t, d, event("fourth", day(6), member("mark-card"), device("mark-unlinked")))
	require.NoError(t, d.Unlink(ctx, unlinked.Evidence, profile.Decision{Actor: "mark-unlinker", Reason: "mark-why"}))
	require.NoError(t, d.Restrict(ctx, id, profile.Decision{Actor: "mark-restricter", Reason: "mark-because"}))
	require.NoError(t, d.HandOver(ctx, profile.HandOver{Type: "assistant", From: "mark-assistant", To: "successor", At: day(8), By: decided}))

	// An ID that a release moved.
	observe(t, d, event("fifth", day(7), phone("13700137000"), member("mark-card")))
	require.NoError(t, d.Release(ctx, phone("13700137000"), day(6), decided))
	id, err := d.Resolve(ctx, id)
	require.NoError(t, err)
	return id
}

func holdingConfig(store profile.Store) profile.Config {
	kinds := profile.DefaultKinds()
	for i := range kinds {
		switch kinds[i].Name {
		case "device":
			kinds[i].Blocked = []string{"blocked"}
		case "phone":
			kinds[i].Normalizer = ""
		}
	}
	return profile.Config{
		Store: store, Kinds: kinds, ErasureKeys: [][]byte{oldKey}, Now: func() time.Time { return day(20) },
		Traits: []profile.TraitRule{{Name: "sum", Policy: profile.Sum}, {Name: "tags", Policy: profile.Union, TTL: 900 * time.Hour}},
	}
}

// All that a Store holds on a person is in the export, and nothing of anybody
// else; every field that a record has is filled here, so that a new one has to be.
func TestTheExportHoldsAllThatTheStoreDoes(t *testing.T) {
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprint("stored=", stored), func(t *testing.T) {
			memory := profile.NewMemoryStore()
			cfg := holdingConfig(nil)
			if stored {
				cfg.Store = memory
			}
			d := open(t, cfg)
			id := full(t, d)
			var all strings.Builder
			filled := map[string]bool{}
			for item, err := range d.Export(t.Context(), id) {
				require.NoError(t, err)
				b, err := json.Marshal(item)
				require.NoError(t, err)
				all.Write(b)
				fill(reflect.ValueOf(item), "ExportItem", filled)
			}
			for _, marked := range marks(t, d, memory, stored) {
				require.True(t, strings.Contains(all.String(), marked), marked)
			}
			require.True(t, strings.Contains(all.String(), "13900139000"))
			require.True(t, strings.Contains(all.String(), `"former":"mark-assistant"`), "the hand-over shows in the relation")
			for _, others := range []string{"other-card", "other-device", "third-card"} {
				require.False(t, strings.Contains(all.String(), others), others)
			}
			for field, is := range filled {
				if !is && !expected[field] {
					t.Errorf("%s is never filled: is it exported, and erased?", field)
				}
			}
		})
	}
}

// expected are fields that an export leaves empty.
var expected = map[string]bool{
	"EvidenceRow.Deleted": true, "NameRow.Deleted": true, "NameRow.Version": true, "EvidenceRow.Version": true, // bookkeeping of a Store
	"RefusedRow.Far": true, "SideRow.Apart": false, "Refusal.Witness": true, // other people's
	"TieRow.Beaten": true, "Relation.Until": false,
}

// fill notes which fields of the structs of this package hold something.
func fill(v reflect.Value, name string, filled map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fill(v.Elem(), v.Type().Elem().Name(), filled)
		}
	case reflect.Slice:
		for i := range v.Len() {
			fill(v.Index(i), v.Type().Elem().Name(), filled)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() || v.Type() == reflect.TypeFor[profile.Value]() {
			return
		}
		for i := range v.NumField() {
			field := name + "." + v.Type().Field(i).Name
			filled[field] = filled[field] || !v.Field(i).IsZero()
			fill(v.Field(i), v.Type().Field(i).Type.Name(), filled)
		}
	}
}

// marks are the marked texts that are held.
func marks(t *testing.T, d *profile.Directory, memory *profile.MemoryStore, stored bool) []string {
	t.Helper()
	if !stored {
		var all strings.Builder
		for _, id := range []string{"first", "promised", "second", "third", "fourth", "fifth", "sixth"} {
			e, _, err := d.Event(t.Context(), id)
			require.NoError(t, err)
			b, err := json.Marshal(e)
			require.NoError(t, err)
			all.Write(b)
		}
		return words(all.String())
	}
	found := words(dump(t, memory))
	require.Greater(t, len(found), 40)
	return found
}

func words(text string) []string {
	var out []string
	for {
		i := strings.Index(text, "mark-")
		if i < 0 {
			return out
		}
		text = text[i:]
		end := strings.IndexAny(text, "\"\\")
		out = append(out, text[:end])
		text = text[end:]
	}
}

func TestAnErasureLeavesNothingOfWhatWasHeld(t *testing.T) {
	store := profile.NewMemoryStore()
	d := open(t, holdingConfig(store))
	id := full(t, d)
	removal, err := d.Erase(t.Context(), id, profile.Erasure{Decision: decided})
	require.NoError(t, err)
	require.Equal(t, 8, removal.Events)
	left := words(dump(t, store))
	require.Equal(t, []string{"mark-assistant"}, left, "the hand-over is about staff")
	require.Contains(t, dump(t, store), "other-card")
	require.NotContains(t, dump(t, store), "13700137000")
}
