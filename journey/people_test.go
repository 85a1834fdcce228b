package journey_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

func TestMergedCustomers(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, func(c *journey.Config) {
		c.Resolve = func(_ context.Context, id profile.ID) (profile.ID, error) {
			if id == "old" {
				return "new", nil
			}
			return id, nil
		}
		c.Contact.Quiet = []contact.Quiet{{From: "00:00", To: "04:00"}}
	}, simple("j"), simple("k").Key("cart"))
	put := func(id, customer string, props ...string) {
		v := profile.Values{}
		if len(props) > 0 {
			v["cart"] = profile.Text(props[0])
		}
		_, err := d.Ingest(ctx, journey.Input{ID: id, Name: "go", Customer: profile.ID(customer), Time: d.now, Props: v})
		require.NoError(t, err)
	}
	// "old" is written as it was before the merge.
	before := newDesk(t, func(c *journey.Config) {
		c.Store, c.Contact.Quiet = d.store, []contact.Quiet{{From: "00:00", To: "04:00"}}
	}, simple("j"), simple("k").Key("cart"))
	before.does("1", "go", "old", "cart", "A")
	require.NoError(t, before.UpdateContact(ctx, "old", func(r contact.Row) contact.Row { r.Zone = "Asia/Tokyo"; return r }))
	d.now = d.now.Add(time.Minute)
	put("2", "new", "B")
	merged := profile.Change{Seq: 1, Kind: profile.Merged, Profile: "new", Other: "old"}
	require.NoError(t, d.Apply(ctx, merged))
	require.NoError(t, d.Apply(ctx, merged))
	require.ElementsMatch(t, []string{"=merged", "wait", "wait", "wait"}, d.states("new"))
	require.Empty(t, d.states("old"))
	row, err := d.Contact(ctx, "new")
	require.NoError(t, err)
	require.Equal(t, "Asia/Tokyo", row.Zone)
	d.does("3", "paid", "old", "cart", "A") // a former ID still reaches them
	require.ElementsMatch(t, []string{"=merged", "=done", "=done", "wait"}, d.states("new"))

	person, err := d.Export(ctx, "new")
	require.NoError(t, err)
	require.Len(t, person.Instances, 4)
	text, err := json.Marshal(person)
	require.NoError(t, err)
	require.Contains(t, string(text), `"from":"wait"`)
	require.NoError(t, d.Apply(ctx, profile.Change{Kind: profile.Erased, Profile: "new"}))
	for _, id := range []profile.ID{"new", "old"} {
		p, err := d.Export(ctx, id)
		require.NoError(t, err)
		require.Equal(t, journey.Person{Format: 1, Customer: id, Instances: []journey.Instance{}, Effects: []journey.Effect{}, History: []journey.Record{}}, p)
	}
}

// After a split, what is under way stays with the ID that it has; who comes out
// starts afresh.
func TestSplitCustomers(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, simple("j"))
	d.does("1", "go", "both")
	require.NoError(t, d.Apply(ctx, profile.Change{Kind: profile.Split, Profile: "both", Other: "out"}))
	require.Equal(t, []string{"wait"}, d.states("both"))
	require.Empty(t, d.states("out"))
	d.does("2", "go", "out")
	d.after(time.Hour)
	require.Equal(t, []string{"sms hello both", "sms hello out"}, slices.Sorted(slices.Values(d.sent)))
}

func TestRestrictedCustomersGetNothing(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, simple("j"))
	require.NoError(t, d.Restrict(ctx, "li", true))
	d.does("1", "go", "li")
	d.after(24 * time.Hour)
	require.Empty(t, d.sent)
	require.NoError(t, d.Restrict(ctx, "li", false))
	d.does("2", "go", "li")
	d.after(24 * time.Hour)
	require.Len(t, d.sent, 1)

	require.NoError(t, d.Apply(ctx, profile.Change{Kind: profile.Restricted, Profile: "li"}), "as the directory tells it")
	d.does("3", "go", "li")
	d.after(24 * time.Hour)
	require.Len(t, d.sent, 1)
	require.NoError(t, d.Apply(ctx, profile.Change{Kind: profile.Resumed, Profile: "li"}))
	d.does("4", "go", "li")
	d.after(24 * time.Hour)
	require.Len(t, d.sent, 2)
}

func TestConsentFromTheDirectory(t *testing.T) {
	m := journey.Message{Template: "hello", Purpose: "marketing", Channels: []string{"sms", "mail"}}
	j := journey.Define("j").Brand("luna")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").Send(m).After(time.Hour).End("over")
	d := newDesk(t, func(c *journey.Config) {
		c.Consent = func(_ context.Context, q journey.ConsentQuestion) (contact.Permission, error) {
			require.Equal(t, "luna", q.Brand)
			return contact.Permission{Granted: q.Channel == "mail" && q.Purpose == "marketing"}, nil
		}
	}, j)
	d.does("1", "go", "li")
	require.Equal(t, []string{"mail hello li"}, d.sent)
}

func TestConsentsComeWithEvents(t *testing.T) {
	d := newDesk(t, nil, simple("j"))
	x := journey.FromEvent(profile.Event{
		ID: "1", Name: "nobody.listens", Time: monday,
		Consents: []profile.ConsentAct{{Purpose: "marketing", Channel: "sms", Granted: true}},
	}, "li")
	_, err := d.Ingest(context.Background(), x)
	require.NoError(t, err)
	row, err := d.Contact(context.Background(), "li")
	require.NoError(t, err)
	require.Len(t, row.Consents, 1)
}

// A program that does not resolve IDs knows a merged customer by both.
func TestErasureOfFormerIDs(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name  string
		erase func(d *desk) error
		left  []profile.ID // who is still known
	}{
		{"the present ID", func(d *desk) error { return d.Erase(ctx, "new") }, nil},
		{"the present ID, by the feed", func(d *desk) error { return d.Apply(ctx, profile.Change{Kind: profile.Erased, Profile: "new"}) }, nil},
		{"a row of the former ID in the feed", func(d *desk) error {
			return d.Apply(ctx, profile.Change{Kind: profile.Erased, Profile: "new", Other: "old"})
		}, nil},
		{"the former ID alone", func(d *desk) error { return d.Erase(ctx, "old") }, []profile.ID{"new"}},
	} {
		for _, batch := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, batch %t", c.name, batch), func(t *testing.T) {
				d := newDesk(t, nil, simple("j"))
				put := func(id, customer string) journey.Receipt {
					x := journey.Input{ID: id, Name: "go", Customer: profile.ID(customer), Time: d.now}
					if batch {
						r, err := d.IngestBatch(ctx, []journey.Input{x, {ID: "by " + id, Name: "go", Customer: "bystander " + profile.ID(id), Time: d.now}})
						require.NoError(t, err)
						require.NoError(t, r[0].Err)
						require.Len(t, r[1].Instances, 1)
						return r[0]
					}
					r, err := d.Ingest(ctx, x)
					require.NoError(t, err)
					return r
				}
				put("1", "old")
				require.NoError(t, d.UpdateContact(ctx, "old", func(r contact.Row) contact.Row { r.Zone = "Asia/Tokyo"; return r }))
				require.NoError(t, d.Apply(ctx, profile.Change{Kind: profile.Merged, Profile: "new", Other: "old"}))
				require.NoError(t, c.erase(d))
				for _, id := range []profile.ID{"new", "old"} {
					p, err := d.Export(ctx, id)
					require.NoError(t, err)
					text, err := json.Marshal(p)
					require.NoError(t, err)
					if len(c.left) > 0 && id == "new" {
						require.Len(t, p.Instances, 1)
						require.Equal(t, "Asia/Tokyo", p.Contact.Zone)
					} else {
						require.Empty(t, p.Instances, string(text))
						require.Empty(t, p.History, string(text))
						require.Empty(t, p.Effects, string(text))
						require.Zero(t, p.Contact, string(text))
					}
				}

				// Whoever comes back under the former ID is somebody new.
				r := put("2", "old")
				require.Len(t, r.Instances, 1)
				require.Equal(t, []string{"wait"}, d.states("old"))
				d.after(25 * time.Hour)
				require.Len(t, d.states("old"), 1)
				require.Len(t, put("3", "old").Instances, 1)
			})
		}
	}
}
