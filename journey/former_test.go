package journey_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

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
