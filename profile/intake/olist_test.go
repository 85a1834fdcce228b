package intake_test

import (
	"context"
	"encoding/csv"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/profile/intake"
)

// olistFile opens a file of the public Olist data, or skips the test.
func olistFile(t *testing.T, name string) *os.File {
	t.Helper()
	dir := os.Getenv("CXKIT_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(dir, "olist", name))
	if err != nil {
		t.Skipf("the Olist data is not here (set CXKIT_DATA): %v", err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// columnsOf reads a file a second time, on another path.
func columnsOf(t *testing.T, name string) (rows [][]string, at map[string]int) {
	t.Helper()
	rows, err := csv.NewReader(olistFile(t, name)).ReadAll()
	require.NoError(t, err)
	at = map[string]int{}
	for i, c := range rows[0] {
		at[c] = i
	}
	return rows[1:], at
}

func TestOlistOrdersImportToTheCent(t *testing.T) {
	zone := "America/Sao_Paulo"
	who := []intake.IdentifierMap{{Kind: "order.token", Value: intake.Column("customer_id")}}
	fact := func(name string, kind commerce.EventKind, column string) intake.EventMap {
		return intake.EventMap{
			Name: name, ID: intake.Fields{intake.Column("order_id")}, Time: intake.Column(column),
			When:        []intake.Condition{{Column: column, Not: []string{""}}},
			Identifiers: who,
			Order:       &intake.OrderMap{Kind: kind, Key: intake.KeyMap{Number: intake.Column("order_id")}},
		}
	}
	placed := fact("order.placed", commerce.Placed, "order_purchase_timestamp")
	placed.Order.PromisedBy = intake.Column("order_estimated_delivery_date")
	closed := fact("order.closed", commerce.Closed, "order_purchase_timestamp")
	closed.When = []intake.Condition{{Column: "order_status", Is: []string{"canceled", "unavailable"}}}
	orders := intake.Mapping{
		Source: "olist", Mode: intake.Backfill, Zone: zone,
		Events: []intake.EventMap{
			placed, closed,
			fact("order.shipped", commerce.Shipped, "order_delivered_carrier_date"),
			fact("order.received", commerce.Received, "order_delivered_customer_date"),
		},
		Ignore: []string{"order_approved_at"},
	}
	payments := intake.Mapping{
		Source: "olist", Mode: intake.Backfill, Ignore: []string{"payment_installments"},
		Events: []intake.EventMap{{
			Name: "order.paid", ID: intake.Fields{intake.Column("order_id"), intake.Column("payment_sequential")}, Time: intake.Const("2019-01-01"), // the file has no times
			Identifiers: []intake.IdentifierMap{{Kind: "order", Value: intake.Column("order_id")}},
			Order: &intake.OrderMap{
				Kind: commerce.Paid, Key: intake.KeyMap{Number: intake.Column("order_id")},
				Payments: []intake.PaymentMap{{
					Tender: intake.Column("payment_type"), Amount: intake.Column("payment_value"),
				}},
			},
		}},
	}
	var facts []commerce.Event
	sink := intake.SinkFunc(func(_ context.Context, events []profile.Event) ([]profile.Receipt, error) {
		for _, e := range events {
			facts = append(facts, e.Order.Identified(e.ID, e.Time))
		}
		return make([]profile.Receipt, len(events)), nil
	})
	for name, m := range map[string]intake.Mapping{"orders.csv": orders, "order_payments.csv": payments} {
		report, err := importer(t, m, sink).Import(t.Context(), intake.Input{Name: name, Reader: olistFile(t, name)})
		require.NoError(t, err)
		t.Log(report)
		require.Zero(t, report.Rejected)
	}
	folded, err := commerce.FoldAll(facts)
	require.NoError(t, err)

	rows, at := columnsOf(t, "orders.csv")
	assert.Len(t, folded, len(rows))
	late, canceled := 0, 0
	for _, r := range rows {
		// Written times compare as text: both are of the same zone.
		if got := r[at["order_delivered_customer_date"]]; got != "" && got > r[at["order_estimated_delivery_date"]] {
			late++
		}
		if s := r[at["order_status"]]; s == "canceled" || s == "unavailable" {
			canceled++
		}
	}
	rows, at = columnsOf(t, "order_payments.csv")
	paid := new(big.Rat)
	for _, r := range rows {
		v, ok := new(big.Rat).SetString(r[at["payment_value"]])
		require.True(t, ok)
		paid.Add(paid, v)
	}
	paid.Mul(paid, big.NewRat(100, 1))

	var gotPaid int64
	gotLate, gotClosed := 0, 0
	for _, o := range folded {
		gotPaid += o.Paid()
		if o.Late() {
			gotLate++
		}
		if o.StageAt(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)) == commerce.StageClosed {
			gotClosed++
		}
		assert.Empty(t, o.Problems)
	}
	assert.Equal(t, paid.RatString(), big.NewRat(gotPaid, 1).RatString())
	assert.Equal(t, late, gotLate)
	assert.Equal(t, canceled, gotClosed)
}
