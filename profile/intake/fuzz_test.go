package intake_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/profile/intake"
)

func FuzzMapping(f *testing.F) {
	f.Add([]byte(smallMapping))
	for _, m := range []intake.Mapping{members(), orders()} {
		b, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := intake.ParseMapping(strings.NewReader(string(b)))
		if err != nil {
			return
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := intake.ParseMapping(strings.NewReader(string(again))); err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
	})
}

func FuzzSpec(f *testing.F) {
	f.Add([]byte(`{"format":1,"source":"web","mode":"live"}`))
	f.Add([]byte(`{"format":1,"source":"web","mode":"backfill","no_orders":true,"identifiers":{"mail":"email"},"types":{"paid":"money"},"external_ids":{"a":"b"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := intake.ParseSpec(strings.NewReader(string(b)))
		if err != nil {
			if !errors.Is(err, intake.ErrMapping) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		back, err := intake.ParseSpec(strings.NewReader(string(again)))
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		if twice, err := json.Marshal(back); err != nil || string(twice) != string(again) {
			t.Fatalf("%s became %s, %v", again, twice, err)
		}
	})
}

// Whatever an e-commerce message says, it is rejected or is an order whose lines
// and payments add up.
func FuzzOrderOfTheSpec(f *testing.F) {
	f.Add("Order Completed", `{"order_id":"A1","total":27.50,"shipping":3,"currency":"USD","products":[{"sku":"a","price":19,"quantity":1},{"sku":"b","price":3,"quantity":2}]}`)
	f.Add("Order Completed", `{"order_id":"A1","subtotal":0.1,"tax":1e-3,"discount":"2","revenue":9e15,"coupon":"x","products":[{"name":"a"}]}`)
	f.Add("Order Refunded", `{"order_id":"A1","refund_id":"r","products":[{"sku":"a","price":19.995},{"sku":"a"}]}`)
	f.Add("Order Cancelled", `{"order_id":7}`)
	f.Fuzz(func(t *testing.T, name, properties string) {
		m, err := json.Marshal(map[string]any{
			"type": "track", "messageId": "m", "userId": "u", "event": name, "properties": json.RawMessage(properties), "timestamp": "2026-03-01T11:00:00Z",
		})
		if err != nil {
			t.Skip()
		}
		sink := &memory{}
		cfg := webshop()
		cfg.Sink = sink
		im, err := intake.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := im.Receive(t.Context(), m, received); err != nil {
			return
		}
		for _, e := range sink.events {
			if e.Order == nil {
				continue
			}
			o, err := commerce.Fold([]commerce.Event{e.Order.Identified(e.ID, e.Time)})
			if errors.Is(err, commerce.ErrOverflow) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if e.Order.Kind == commerce.Paid && o.NetSpendAt(received) != o.Paid() {
				t.Fatalf("owed %d, paid %d", o.NetSpendAt(received), o.Paid())
			}
		}
	})
}

// Whatever the bytes, an import ends with counts that add up, and a second one
// finds only duplicates.
func FuzzImport(f *testing.F) {
	f.Add(false, orderHeader+"1,A,x,2026-01-01,boots,2,110,100.00,10.00,5,130,0\nbroken\n1,A,\"x\ny\",2026-01-01,,,,,,,,\n")
	f.Add(true, `{"no":1,"shop":"A","who":"x","paid":"2026-01-01","items":[{"sku":"boots","qty":1,"net":"5.5"}]}`+"\n[]\n")
	f.Fuzz(func(t *testing.T, asJSON bool, text string) {
		m := orders()
		m.Ignore = []string{"*"}
		if asJSON {
			m.Input, m.GroupBy, m.Ignore = intake.JSONLines, nil, nil
			m.Events[0].Order.Lines[0].Each = "items"
		}
		sink := &memory{}
		im, err := intake.New(intake.Config{Mapping: m, Sink: sink, BatchSize: 3, MaxRecordBytes: 4096})
		if err != nil {
			t.Fatal(err)
		}
		first, err := im.Import(t.Context(), intake.Input{Reader: strings.NewReader(text)})
		if err == nil && first.Rows < first.Rejected+first.Skipped {
			t.Fatalf("%+v does not add up", first.Counts)
		}
		n := len(sink.events)
		second, errAgain := im.Import(t.Context(), intake.Input{Reader: strings.NewReader(text)})
		if (err == nil) != (errAgain == nil) || second.Events != 0 || len(sink.events) != n {
			t.Fatalf("the second time %+v, %v", second.Counts, errAgain)
		}
	})
}
