package intake_test

import (
	"encoding/json"
	"strings"
	"testing"

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
