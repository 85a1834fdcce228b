package intake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/profile/intake"
)

// memory is a sink with the rules of a directory and nothing more.
type memory struct {
	events map[string]profile.Event
	order  []string
	fail   int  // batches until an error; 0 for never
	torn   bool // the batch that fails is half taken
	batch  int
}

var errSink = errors.New("sink is gone")

func (m *memory) ObserveBatch(_ context.Context, events []profile.Event) ([]profile.Receipt, error) {
	m.batch++
	if m.batch == m.fail && !m.torn {
		return nil, errSink
	}
	if m.events == nil {
		m.events = map[string]profile.Event{}
	}
	if m.batch == m.fail {
		for _, e := range events[:len(events)/2] {
			if _, ok := m.events[e.ID]; !ok {
				m.events[e.ID] = e
				m.order = append(m.order, e.ID)
			}
		}
		return nil, errSink
	}
	receipts := make([]profile.Receipt, len(events))
	for i, e := range events {
		old, ok := m.events[e.ID]
		receipts[i] = profile.Receipt{Event: e.ID, Duplicate: ok}
		if ok && fmt.Sprint(old) != fmt.Sprint(e) && (e.Order == nil || old.Order == nil) {
			receipts[i].Duplicate, receipts[i].Err = false, profile.ErrEventConflict
		}
		if !ok {
			m.events[e.ID] = e
			m.order = append(m.order, e.ID)
		}
	}
	return receipts, nil
}

// members is the mapping of a plain file of members.
func members() intake.Mapping {
	return intake.Mapping{
		Source: "crm", Mode: intake.Backfill, Zone: "Asia/Shanghai",
		Events: []intake.EventMap{{
			Time: intake.Column("joined"),
			Identifiers: []intake.IdentifierMap{
				{Kind: "member", Scope: intake.Column("brand"), Value: intake.Column("card")},
				{Kind: "phone", Value: intake.Column("phone")},
			},
			Traits: map[string]intake.Field{
				"tier":     {Column: "tier", Values: map[string]string{"G": "gold", "S": "silver", "-": ""}},
				"visits":   {Column: "visits", Type: intake.IntegerType},
				"spent":    {Column: "spent", Type: intake.MoneyType},
				"score":    {Column: "score", Type: intake.DecimalType},
				"vip":      {Column: "vip", Type: intake.BoolType},
				"birthday": {Column: "birthday", Type: intake.TimeType, Zone: "UTC"},
				"likes":    {Column: "likes", Type: intake.TagsType, Separator: "|"},
			},
			Consents: []intake.ConsentMap{{
				Purpose: "marketing", Channel: "sms",
				Granted: intake.Column("sms"), ExpiresAt: intake.Column("sms_until"), Policy: intake.Const("2026-01"),
			}},
		}},
	}
}

const memberHeader = "card,brand,phone,joined,tier,visits,spent,score,vip,birthday,likes,sms,sms_until\n"

func importer(t *testing.T, m intake.Mapping, sink intake.Sink, with ...func(*intake.Config)) *intake.Importer {
	t.Helper()
	cfg := intake.Config{Mapping: m, Sink: sink}
	for _, f := range with {
		f(&cfg)
	}
	im, err := intake.New(cfg)
	require.NoError(t, err)
	return im
}

// load imports a text and returns the events in order, and the report.
func load(t *testing.T, m intake.Mapping, text string) ([]profile.Event, intake.Report) {
	t.Helper()
	sink := &memory{}
	report, err := importer(t, m, sink).Import(t.Context(), intake.Input{Name: "f", Reader: strings.NewReader(text)})
	require.NoError(t, err)
	events := make([]profile.Event, len(sink.order))
	for i, id := range sink.order {
		events[i] = sink.events[id]
	}
	return events, report
}

func TestARowBecomesAnEventWithTypedValues(t *testing.T) {
	events, report := load(t, members(), memberHeader+
		`M1,lumen, 13800138000 ,2026-03-01 08:00:00,G,12,1599.5,4.750,yes,1990-02-28,boots| socks||boots,1,2027-01-01`+"\r\n"+
		`M2,lumen,,2026-03-01 08:00:00,-,,,,,,,,`)
	require.Empty(t, report.Rejects)
	require.Len(t, events, 2)
	e := events[0]
	assert.Equal(t, "crm", e.Source)
	assert.Equal(t, profile.Backfill, e.Mode)
	assert.Equal(t, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), e.Time)
	assert.Equal(t, []profile.Identifier{{Kind: "member/lumen", Value: "M1"}, {Kind: "phone", Value: "13800138000"}}, e.Identifiers)
	assert.Equal(t, profile.Values{
		"tier": profile.Text("gold"), "visits": profile.Int(12), "spent": profile.Int(159950),
		"score": profile.Dec(475, 2), "vip": profile.Flag(true), "likes": profile.Tags("boots", "socks"),
		"birthday": profile.Time(time.Date(1990, 2, 28, 0, 0, 0, 0, time.UTC)),
	}, e.Traits)
	assert.Equal(t, []profile.ConsentAct{{
		Purpose: "marketing", Channel: "sms", Granted: true, Policy: "2026-01",
		ExpiresAt: time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC),
	}}, e.Consents)

	assert.Empty(t, events[1].Traits, "what is absent is not said")
	assert.Empty(t, events[1].Consents)
	assert.Len(t, events[1].Identifiers, 1)
}

func TestABrokenRowIsRejectedWithLineAndReasonAndTheRestGoesThrough(t *testing.T) {
	good := "M9,lumen,,2026-03-01,G,,,,,,,,\n"
	for reason, row := range map[string]string{
		"has 3 cells, the header 13":                                    "secret,lumen,\n",
		"column joined: is missing":                                     "secret,lumen,,,G,,,,,,,,\n",
		"column joined: is not a time of the form that the mapping":     "secret,lumen,,01/03/2026,G,,,,,,,,\n",
		"column tier: holds a value that the mapping does not list":     "secret,lumen,,2026-03-01,B,,,,,,,,\n",
		"column visits: has more decimals than the mapping says":        "secret,lumen,,2026-03-01,G,1.5,,,,,,,\n",
		"column visits: is not a number of the form that the mapping":   "secret,lumen,,2026-03-01,G,many,,,,,,,\n",
		"column spent: is a number out of range":                        "secret,lumen,,2026-03-01,G,,99999999999999999999,,,,,,\n",
		"column score: is not a number of the form that the mapping":    "secret,lumen,,2026-03-01,G,,,1e5,,,,,\n",
		"column vip: is neither true nor false":                         "secret,lumen,,2026-03-01,G,,,,perhaps,,,,\n",
		"column sms: is neither true nor false":                         "secret,lumen,,2026-03-01,G,,,,,,,perhaps,\n",
		"column sms_until: is not a time of the form that the mapping":  "secret,lumen,,2026-03-01,G,,,,,,,1,later\n",
		"column brand: is missing":                                      "secret,,,2026-03-01,G,,,,,,,,\n",
		"identifiers: is missing":                                       ",lumen,,2026-03-01,G,,,,,,,,\n",
		"not UTF-8: convert it before the import, from GBK for example": "secret,\xb5\xc6,,2026-03-01,G,,,,,,,,\n",
		"holds a NUL byte":                                              "secret,a\x00b,,2026-03-01,G,,,,,,,,\n",
		"a quote stands inside a cell that is not quoted":               "secret,5\" pipe,,2026-03-01,G,,,,,,,,\n",
		"text follows a closing quote":                                  "secret,\"a\"b,,2026-03-01,G,,,,,,,,\n",
	} {
		t.Run(reason, func(t *testing.T) {
			sink := &memory{}
			var rejects strings.Builder
			in := intake.Input{Name: "f.csv", Reader: strings.NewReader(memberHeader + good + row + good[:1] + "8" + good[2:]), Rejects: &rejects}
			report, err := importer(t, members(), sink).Import(t.Context(), in)
			require.NoError(t, err)
			assert.Len(t, sink.events, 2)
			require.Len(t, report.Rejects, 1)
			assert.Equal(t, 3, report.Rejects[0].Line)
			assert.Contains(t, report.Rejects[0].Reason, reason)
			assert.NotContains(t, report.String(), "secret")
			assert.Contains(t, rejects.String(), report.Rejects[0].Reason)
			if strings.Contains(row, "secret") {
				assert.Contains(t, rejects.String(), "secret")
			}
			assert.Equal(t, 3, report.Rows)
		})
	}
}

func TestAHeaderThatDoesNotFitStopsTheRunBeforeAnythingIsWritten(t *testing.T) {
	row := "M1,lumen,,2026-03-01,G,,,,,,,,\n"
	for name, c := range map[string]struct {
		text    string
		err     error
		columns []string
		line    int
	}{
		"a column is missing":     {strings.Replace(memberHeader, "tier", "level", 1) + row, intake.ErrMissingColumn, []string{"tier"}, 1},
		"a column is unknown":     {strings.Replace(memberHeader, "\n", ",notes\n", 1) + row, intake.ErrUnknownColumn, []string{"notes"}, 1},
		"a column is there twice": {strings.Replace(memberHeader, "\n", ",tier\n", 1) + row, intake.ErrRepeatedColumn, []string{"tier"}, 1},
		"after empty lines":       {"\n\n" + strings.Replace(memberHeader, "tier,", "", 1), intake.ErrMissingColumn, []string{"tier"}, 3},
		"no header at all":        {"", intake.ErrNoHeader, nil, 0},
		"only empty lines":        {"\n  \n", intake.ErrNoHeader, nil, 0},
		"GBK":                     {"\xbf\xa8\xba\xc5,phone\n", intake.ErrEncoding, nil, 1},
		"UTF-16":                  {"\xff\xfec\x00a\x00", intake.ErrEncoding, nil, 1},
		"a broken header":         {"card,\"brand\"x\n", intake.ErrNoHeader, nil, 1},
		"an open quote":           {"card,\"brand\n" + row, intake.ErrTooLong, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			sink := &memory{}
			_, err := importer(t, members(), sink).Import(t.Context(), intake.Input{Name: "f.csv", Reader: strings.NewReader(c.text)})
			require.ErrorIs(t, err, c.err)
			var at *intake.FileError
			require.ErrorAs(t, err, &at)
			assert.Equal(t, "f.csv", at.File)
			assert.Equal(t, c.line, at.Line)
			assert.Equal(t, c.columns, at.Columns)
			assert.Zero(t, sink.batch)
		})
	}
	t.Run("a file of data without a header is not quoted", func(t *testing.T) {
		_, err := importer(t, members(), &memory{}).Import(t.Context(), intake.Input{Name: "f.csv", Reader: strings.NewReader(row)})
		assert.ErrorIs(t, err, intake.ErrMissingColumn)
		assert.NotContains(t, err.Error(), "M1")
	})
}

func TestColumnsMayBeIgnoredAndNamedByTheMapping(t *testing.T) {
	m := members()
	m.Ignore = []string{"notes"}
	_, report := load(t, m, strings.Replace(memberHeader, "\n", ",notes\n", 1)+"M1,lumen,,2026-03-01,G,,,,,,,,,hello\n")
	assert.Equal(t, 1, report.Events)
	m.Ignore = []string{"*"}
	_, report = load(t, m, strings.Replace(memberHeader, "\n", ",a,b\n", 1)+"M1,lumen,,2026-03-01,G,,,,,,,,,1,2\n")
	assert.Equal(t, 1, report.Events)
	m = members()
	m.Comma, m.Columns = "\t", strings.Split(strings.TrimSpace(memberHeader), ",")
	_, report = load(t, m, "\xef\xbb\xbfM1\tlumen\t\t2026-03-01\tG\t\t\t\t\t\t\t\t\n")
	assert.Equal(t, 1, report.Events)
}

func TestCellsFollowTheQuotingOfRFC4180(t *testing.T) {
	m := intake.Mapping{
		Source: "s", Mode: intake.Live,
		Events: []intake.EventMap{{
			Time: intake.Const("2026-01-01"), Identifiers: []intake.IdentifierMap{{Kind: "account", Value: intake.Column("id")}},
			Properties: map[string]intake.Field{"note": intake.Column("note")},
		}},
	}
	events, report := load(t, m, "\xef\xbb\xbfid,note\r\n\r\n1,\"a, \"\"b\"\"\r\nc\"\r\n2,\"\"\n3,plain\n\"4\",\"x\"")
	require.Empty(t, report.Rejects)
	require.Len(t, events, 4)
	assert.Equal(t, profile.Text("a, \"b\"\r\nc"), events[0].Properties["note"])
	assert.Empty(t, events[1].Properties)
	assert.Equal(t, profile.Text("plain"), events[2].Properties["note"])
	assert.Equal(t, profile.Text("x"), events[3].Properties["note"])
	assert.Equal(t, 7, report.Checkpoint.Line)
}

func TestAnOpenQuoteOrAnOverlongRowStopsTheRunAndWhatWasTakenStands(t *testing.T) {
	for name, tail := range map[string]string{
		"open quote": "2,\"never closed\n3,x\n4,y\n",
		"overlong":   "2," + strings.Repeat("x", 2000) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			m := intake.Mapping{
				Source: "s", Mode: intake.Live,
				Events: []intake.EventMap{{
					Time: intake.Const("2026-01-01"), Identifiers: []intake.IdentifierMap{{Kind: "account", Value: intake.Column("id")}},
					Properties: map[string]intake.Field{"note": intake.Column("note")},
				}},
			}
			sink := &memory{}
			im := importer(t, m, sink, func(c *intake.Config) { c.BatchSize, c.MaxRecordBytes = 1, 1000 })
			report, err := im.Import(t.Context(), intake.Input{Name: "f", Reader: strings.NewReader("id,note\n0,x\n1,x\n" + tail)})
			require.ErrorIs(t, err, intake.ErrTooLong)
			var at *intake.FileError
			require.ErrorAs(t, err, &at)
			assert.Equal(t, 4, at.Line)
			assert.Equal(t, len(sink.events), report.Events)
			assert.Equal(t, 1+len(sink.events), report.Checkpoint.Line)
		})
	}
}

func TestEventIDsFollowFromTheNumberOrTheContentNotFromThePlace(t *testing.T) {
	row := "M1,lumen,,2026-03-01,G,,,,,,,,\n"
	first, _ := load(t, members(), memberHeader+row)
	again, report := load(t, members(), memberHeader+"M2,lumen,,2026-03-01,G,,,,,,,,\n\n"+row+row)
	require.Len(t, again, 2)
	assert.Equal(t, first[0].ID, again[1].ID)
	assert.Equal(t, 1, report.Duplicates)
	live := members()
	live.Mode = intake.Live
	other, _ := load(t, live, memberHeader+row)
	assert.Equal(t, first[0].ID, other[0].ID, "live or backfill, it is the same event")

	m := members()
	m.Events[0].Name, m.Events[0].ID = "member.joined", intake.Fields{intake.Column("card")}
	numbered, _ := load(t, m, memberHeader+row)
	assert.Equal(t, "crm/member.joined/M1", numbered[0].ID)
	long, _ := load(t, m, memberHeader+strings.Replace(row, "M1", strings.Repeat("M", 300), 1))
	assert.LessOrEqual(t, len(long[0].ID), 128)
	_, report = load(t, m, memberHeader+strings.Replace(row, "M1", "", 1))
	assert.Equal(t, 1, report.Rejected, "a record without its number")
}

func TestARecordYieldsTheEventsWhoseConditionsHold(t *testing.T) {
	m := intake.Mapping{
		Source: "shop", Mode: intake.Backfill, Ignore: []string{"*"},
		Events: []intake.EventMap{
			{
				Name: "order.placed", ID: intake.Fields{intake.Column("no")}, Time: intake.Column("placed"),
				Identifiers: []intake.IdentifierMap{{Kind: "account", Value: intake.Column("who")}},
			},
			{
				Name: "order.received", ID: intake.Fields{intake.Column("no")}, Time: intake.Column("received"),
				When:        []intake.Condition{{Column: "received", Not: []string{""}}, {Column: "status", Is: []string{"ok", "late"}}},
				Identifiers: []intake.IdentifierMap{{Kind: "account", Value: intake.Column("who")}},
				Order: &intake.OrderMap{
					Kind: commerce.Received, Key: intake.KeyMap{Number: intake.Column("no")},
					Aliases: []intake.KeyMap{{Source: intake.Const("tmall"), Number: intake.Column("tid")}},
				},
			},
		},
	}
	events, report := load(t, m, "no,who,placed,received,status,tid,x\n"+
		"1,a,2026-01-01,2026-01-03,ok,T9,\n2,a,2026-01-01,,ok,,\n3,a,2026-01-01,2026-01-03,lost,,\n4,a,,2026-01-03,ok,,\n")
	assert.Equal(t, map[string]int{"order.placed": 3, "order.received": 1}, report.Names)
	assert.Equal(t, 1, report.Rejected, "one faulty event keeps the whole row out")
	assert.Equal(t, commerce.Key{Source: "shop", Number: "1"}, events[1].Order.Order)
	assert.Equal(t, []commerce.Key{{Source: "tmall", Number: "T9"}}, events[1].Order.Aliases)

	m.Events = m.Events[1:]
	_, report = load(t, m, "no,who,placed,received,status,tid\n1,a,,2026-01-03,ok,\n2,a,,,ok,\n")
	assert.Equal(t, 1, report.Skipped)
}

func orders() intake.Mapping {
	return intake.Mapping{
		Source: "erp", Mode: intake.Live, GroupBy: []string{"no", "shop"},
		Events: []intake.EventMap{{
			Name: "order.paid", ID: intake.Fields{intake.Column("shop"), intake.Column("no")}, Time: intake.Column("paid"),
			Identifiers: []intake.IdentifierMap{{Kind: "account", Value: intake.Column("who")}},
			Order: &intake.OrderMap{
				Kind: commerce.Paid, Key: intake.KeyMap{Outlet: intake.Column("shop"), Number: intake.Column("no")},
				Freight: intake.Column("freight"),
				Lines: []intake.LineMap{{
					Each: intake.Rows, SKU: intake.Column("sku"), Quantity: intake.Column("qty"),
					List: intake.Column("list"), Net: intake.Column("net"),
					Discounts: []intake.DiscountMap{{Funder: "platform", Amount: intake.Column("coupon")}},
				}},
				Payments: []intake.PaymentMap{
					{Tender: intake.Const("card"), Amount: intake.Column("card")},
					{Tender: intake.Const("voucher"), Amount: intake.Column("voucher")},
				},
			},
		}},
	}
}

const orderHeader = "no,shop,who,paid,sku,qty,list,net,coupon,freight,card,voucher\n"

func TestRowsOfOneOrderAreOneRecord(t *testing.T) {
	events, report := load(t, orders(), orderHeader+
		"1,A,x,2026-01-01,boots,2,110,100.00,10.00,5,130,0\n"+
		"1,A,x,2026-01-01,socks,,25,25,,5,130,0\n"+
		"1,B,x,2026-01-01,boots,1,50,50,,,,50.00\n"+
		"2,B,x,2026-01-01,,,,,,,10,\n")
	require.Empty(t, report.Rejects)
	require.Len(t, events, 3)
	assert.Equal(t, "erp/order.paid/A/1", events[0].ID)
	assert.Equal(t, &commerce.Event{
		Kind: commerce.Paid, Order: commerce.Key{Source: "erp", Outlet: "A", Number: "1"}, Freight: 500,
		Lines: []commerce.Line{
			{ID: "1", SKU: "boots", Quantity: 2, List: 11000, Net: 10000, Discounts: []commerce.Discount{{Funder: "platform", Amount: 1000}}},
			{ID: "2", SKU: "socks", Quantity: 1, List: 2500, Net: 2500},
		},
		Payments: []commerce.Payment{{Tender: "card", Amount: 13000}},
	}, events[0].Order)
	assert.Empty(t, events[2].Order.Lines, "a line without a cell is none")
	assert.Equal(t, 4, report.Rows)
}

func TestAnOrderThatDoesNotAddUpIsRejectedWithTheField(t *testing.T) {
	_, report := load(t, orders(), orderHeader+
		"1,A,x,2026-01-01,boots,2,110,100.00,9.00,5,130,0\n"+
		"1,A,x,2026-01-01,socks,1,25,25,,5,130,0\n"+
		"2,A,x,2026-01-01,boots,-2,110,110,,5,130,0\n"+
		"3,A,x,2026-01-01,boots,1,110,-1,,,,\n")
	require.Len(t, report.Rejects, 4)
	assert.Contains(t, report.Rejects[0].Reason, "lines[0].discounts")
	assert.Contains(t, report.Rejects[2].Reason, "lines[0].quantity")
	assert.Contains(t, report.Rejects[3].Reason, "lines[0].net")
	assert.Zero(t, report.Events)
}

func TestABrokenRowTakesWithItTheOrdersItMayBelongTo(t *testing.T) {
	row := func(no int) string { return fmt.Sprintf("%d,A,x,2026-01-01,boots,1,10,10,,,10,\n", no) }
	_, report := load(t, orders(), orderHeader+row(1)+row(2)+row(2)+"2,A,x\n"+row(2)+row(3)+row(4)+"5\n"+"6\n"+row(7)+row(8))
	var lines []int
	for _, x := range report.Rejects {
		lines = append(lines, x.Line)
	}
	assert.Equal(t, []int{3, 4, 5, 6, 8, 9, 10, 11}, lines)
	assert.Equal(t, 3, report.Events)
}

func TestJSONLinesAreMappedByPath(t *testing.T) {
	m := intake.Mapping{
		Source: "app", Mode: intake.Live, Input: intake.JSONLines, Layouts: []string{"unix_ms"},
		Events: []intake.EventMap{{
			Name: "order.placed", ID: intake.Fields{intake.Column("id")}, Time: intake.Column("at"),
			Identifiers: []intake.IdentifierMap{{Kind: "account", Value: intake.Column("user.id")}},
			Traits:      map[string]intake.Field{"likes": {Column: "user.likes", Type: intake.TagsType}},
			Properties: map[string]intake.Field{
				"vip": {Column: "user.vip", Type: intake.BoolType}, "dotted": intake.Column("a.b"),
			},
			Order: &intake.OrderMap{
				Kind: commerce.Placed, Key: intake.KeyMap{Number: intake.Column("id")},
				Lines:    []intake.LineMap{{Each: "cart.items", ID: intake.Column("n"), SKU: intake.Column("sku.code"), Net: intake.Column("price")}},
				Payments: []intake.PaymentMap{{Each: "tenders", Tender: intake.Column("type"), Amount: intake.Column("sum")}},
			},
		}},
	}
	good := `{"id":7,"at":1767225600000,"user":{"id":"u1","vip":true,"likes":["b","a"]},"a.b":"x","more":[1],` +
		`"cart":{"items":[{"n":1,"sku":{"code":"boots"},"price":19.9},{"n":2,"price":"0.10"}]},"tenders":[{"type":"card","sum":20}]}`
	events, report := load(t, m, good+"\n\n"+
		`{"id":8,"at":1767225600000,"user":{"id":{"x":1}}}`+"\n"+
		`{"id":9,"at":"soon","user":{"id":"u1"}}`+"\n"+
		`{"id":10,"at":1767225600000,"user":{"id":"u1"},"tenders":{"type":"card"}}`+"\n"+
		`{"id":11,"at":1767225600000,"user":{"id":"u1"},"tenders":[5]}`+"\n"+
		`[1]`+"\n"+`null`+"\n"+`{"id":12} {"id":13}`+"\n"+`{"id":`+"\n"+"{\"id\":\"\xff\"}\n"+
		`{"id":14,"at":1767225600000,"user":{"id":["u1"]}}`+"\n"+
		`{"id":15,"at":1767225600000,"user":{"id":"u1","vip":null,"likes":[]}}`)
	require.Len(t, events, 2)
	e := events[0]
	assert.Equal(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), e.Time)
	assert.Equal(t, profile.Values{"likes": profile.Tags("a", "b")}, e.Traits)
	assert.Equal(t, profile.Values{"vip": profile.Flag(true), "dotted": profile.Text("x")}, e.Properties)
	assert.Equal(t, []commerce.Line{{ID: "1", SKU: "boots", Quantity: 1, Net: 1990}, {ID: "2", Quantity: 1, Net: 10}}, e.Order.Lines)
	assert.Equal(t, []commerce.Payment{{Tender: "card", Amount: 2000}}, e.Order.Payments)
	assert.Empty(t, events[1].Properties)
	reasons := make([]string, len(report.Rejects))
	for i, x := range report.Rejects {
		reasons[i] = x.String()
	}
	assert.Equal(t, []string{
		"line 3: field user.id: holds an object, or an array where one value is meant",
		"line 4: field at: is not a time of the form that the mapping says",
		"line 5: field tenders: is not an array of objects",
		"line 6: field tenders: is not an array of objects",
		"line 7: is not a JSON object",
		"line 8: is not a JSON object",
		"line 9: more than one JSON value stands on the line",
		"line 10: is not a JSON object",
		"line 11: not UTF-8: convert it before the import, from GBK for example",
		"line 12: field user.id: holds an object, or an array where one value is meant",
	}, reasons)
}

func TestADryRunCountsAndWritesNothing(t *testing.T) {
	sink := &memory{}
	m := members()
	m.Events[0].ID = intake.Fields{intake.Column("card")}
	im := importer(t, m, sink)
	text := memberHeader + "M1,lumen,,2026-03-01,G,,,,,,,,\nM2,lumen,,2026-03-02,S,,,,,,,,\nM1,lumen,,2026-03-01,G,,,,,,,,\n" +
		"M1,lumen,,2026-03-01,S,,,,,,,,\nM3,lumen,,never,S,,,,,,,,\n"
	var rejects strings.Builder
	saved := false
	report, err := im.DryRun(t.Context(), intake.Input{
		Name: "f.csv", Reader: strings.NewReader(text), Rejects: &rejects,
		Save: func(context.Context, intake.Checkpoint) error { saved = true; return nil },
	})
	require.NoError(t, err)
	assert.Equal(t, intake.Counts{Rows: 5, Events: 2, Duplicates: 1, Rejected: 2}, report.Counts)
	assert.Len(t, report.Samples, 2)
	assert.Equal(t, map[string]int{"tier": 2}, report.Traits)
	assert.Equal(t, map[string]int{"member": 2}, report.Identifiers)
	assert.Contains(t, rejects.String(), "5,event 1 of 1: profile: event ID taken by another content")
	assert.Zero(t, sink.batch)
	assert.False(t, saved)

	real, err := im.Import(t.Context(), intake.Input{Name: "f.csv", Reader: strings.NewReader(text)})
	require.NoError(t, err)
	assert.Equal(t, report.Counts, real.Counts)
	assert.Empty(t, real.Samples)
	_, err = importer(t, m, nil).DryRun(t.Context(), intake.Input{Reader: strings.NewReader(text)})
	assert.NoError(t, err, "a dry run needs no sink")
}

// feedOf makes a file of many rows, some of them broken, repeated or empty.
func feedOf(rng *rand.Rand) string {
	var b strings.Builder
	b.WriteString(orderHeader)
	for n := range 40 {
		for range 1 + rng.IntN(3) {
			fmt.Fprintf(&b, "%d,A,u%d,2026-01-%02d,\"sku\n%d\",1,10,10,,,10,\n", n, rng.IntN(9), 1+n%28, rng.IntN(5))
		}
		switch rng.IntN(6) {
		case 0:
			b.WriteString("broken\n")
		case 1:
			b.WriteString("\n")
		case 2:
			fmt.Fprintf(&b, "%d,A,u1,never,x,1,1,1,,,1,\n", 1000+n)
		}
	}
	return b.String()
}

// An import that is stopped anywhere, in the middle of a batch too, and resumed
// ends where one that was never stopped does: the same events, counts and rejects.
func TestAResumedImportEndsWhereAnUninterruptedOneDoes(t *testing.T) {
	const seed = 31
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 20 {
		text := feedOf(rng)
		batch := func(c *intake.Config) { c.BatchSize = 1 + rng.IntN(7) }
		whole := &memory{}
		var wantRejects bytes.Buffer
		want, err := importer(t, orders(), whole, batch).Import(t.Context(), intake.Input{Name: "f", Reader: strings.NewReader(text), Rejects: &wantRejects})
		require.NoError(t, err)

		sink := &memory{}
		var rejects bytes.Buffer
		var last intake.Checkpoint
		var got intake.Report
		for stop := 1; ; stop++ {
			// The last checkpoint went through JSON, and the rejects through a file.
			b, err := json.Marshal(last)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(b, &last))
			rejects.Truncate(int(last.RejectBytes))
			sink.batch, sink.fail, sink.torn = 0, 1+rng.IntN(4), rng.IntN(2) == 0
			left := 1 + rng.IntN(3)
			got, err = importer(t, orders(), sink, batch).Import(t.Context(), intake.Input{
				Name: "f", Reader: strings.NewReader(text), Rejects: &rejects, From: last,
				Save: func(_ context.Context, c intake.Checkpoint) error {
					if left--; left < 0 {
						return io.ErrUnexpectedEOF // the batch is taken, the checkpoint lost
					}
					last = c
					return nil
				},
			})
			if err == nil {
				break
			}
			require.True(t, errors.Is(err, errSink) || errors.Is(err, io.ErrUnexpectedEOF), "%v", err)
			require.Less(t, stop, 500)
			if stop > 200 {
				sink.fail = 0
			}
		}
		require.Equal(t, slices.Sorted(maps.Keys(whole.events)), slices.Sorted(maps.Keys(sink.events)))
		require.Equal(t, whole.order, sink.order)
		require.Equal(t, wantRejects.String(), rejects.String())
		require.Equal(t, want.Rows, got.Rows)
		require.Equal(t, want.Rejected, got.Rejected)
		require.Equal(t, want.Events+want.Duplicates, got.Events+got.Duplicates)
		require.Equal(t, want.Checkpoint.Hash, got.Checkpoint.Hash)
		require.Equal(t, want.Checkpoint.Line, got.Checkpoint.Line)
		require.Equal(t, want.Checkpoint.Offset, got.Checkpoint.Offset)
	}
}

func TestACheckpointFitsOnlyItsMappingAndItsInput(t *testing.T) {
	text := memberHeader + "M1,lumen,,2026-03-01,G,,,,,,,,\nM2,lumen,,2026-03-02,S,,,,,,,,"
	done, err := importer(t, members(), &memory{}).Import(t.Context(), intake.Input{Name: "f", Reader: strings.NewReader(text)})
	require.NoError(t, err)
	from := done.Checkpoint
	resume := func(m intake.Mapping, text string, c intake.Checkpoint) (intake.Report, error) {
		return importer(t, m, &memory{}).Import(t.Context(), intake.Input{Name: "f", Reader: strings.NewReader(text), From: c})
	}
	got, err := resume(members(), text, from)
	require.NoError(t, err)
	assert.Equal(t, done.Counts, got.Counts, "at the end nothing is left")
	got, err = resume(members(), text+"\nM3,lumen,,2026-03-02,S,,,,,,,,\n", from)
	require.NoError(t, err)
	assert.Equal(t, 3, got.Events, "a file may grow")

	other := members()
	other.Brand = "hearth"
	older := from
	older.Format = 0
	early := from
	early.Offset = 3
	for name, again := range map[string]func() (intake.Report, error){
		"another mapping":         func() (intake.Report, error) { return resume(other, text, from) },
		"another format":          func() (intake.Report, error) { return resume(members(), text, older) },
		"within the header":       func() (intake.Report, error) { return resume(members(), text, early) },
		"an edited input":         func() (intake.Report, error) { return resume(members(), strings.Replace(text, "M1", "M7", 1), from) },
		"a shorter input":         func() (intake.Report, error) { return resume(members(), text[:len(text)-4], from) },
		"a last row that is more": func() (intake.Report, error) { return resume(members(), text+"1\n", from) },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := again()
			assert.ErrorIs(t, err, intake.ErrCheckpoint)
		})
	}
}

func TestARunStopsAtTooManyRejects(t *testing.T) {
	im := importer(t, members(), &memory{}, func(c *intake.Config) { c.MaxRejects, c.BatchSize = 2, 1 })
	_, err := im.Import(t.Context(), intake.Input{Reader: strings.NewReader(memberHeader + strings.Repeat("broken\n", 20))})
	assert.ErrorIs(t, err, intake.ErrTooManyRejects)
	_, err = im.Import(t.Context(), intake.Input{Reader: strings.NewReader(memberHeader + strings.Repeat("broken\n", 2))})
	assert.NoError(t, err)
}

func TestACancelledImportHandsNothingOver(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sink := &memory{}
	_, err := importer(t, members(), sink).Import(ctx, intake.Input{Reader: strings.NewReader(memberHeader + "M1,lumen,,2026-03-01,G,,,,,,,,\n")})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, sink.batch)
}

func TestErrorsOfTheReaderTheSinkAndTheWriterArePassedOn(t *testing.T) {
	rows := memberHeader + "M1,lumen,,2026-03-01,G,,,,,,,,\nbroken\n"
	reader := io.MultiReader(strings.NewReader(rows), iotest.ErrReader(io.ErrClosedPipe))
	_, err := importer(t, members(), &memory{}).Import(t.Context(), intake.Input{Reader: reader})
	assert.ErrorIs(t, err, io.ErrClosedPipe)
	_, err = importer(t, members(), &memory{fail: 1}).Import(t.Context(), intake.Input{Reader: strings.NewReader(rows)})
	assert.ErrorIs(t, err, errSink)
	_, err = importer(t, members(), &memory{}).Import(t.Context(), intake.Input{Reader: strings.NewReader(rows), Rejects: failing{}})
	assert.ErrorIs(t, err, io.ErrShortWrite)
	_, err = importer(t, members(), intake.SinkFunc(func(context.Context, []profile.Event) ([]profile.Receipt, error) {
		return nil, nil
	})).Import(t.Context(), intake.Input{Reader: strings.NewReader(rows)})
	assert.ErrorIs(t, err, intake.ErrConfig)
	_, err = importer(t, members(), nil).Import(t.Context(), intake.Input{Reader: strings.NewReader(rows)})
	assert.ErrorIs(t, err, intake.ErrConfig)
	_, err = importer(t, members(), &memory{}).Import(t.Context(), intake.Input{})
	assert.ErrorIs(t, err, intake.ErrConfig)
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestTheCallerHasTheLastWordOnAnEvent(t *testing.T) {
	sink := &memory{}
	im := importer(t, orders(), sink, func(c *intake.Config) {
		c.Each = func(raw string, e *profile.Event) error {
			switch {
			case strings.Contains(raw, "gift"):
				return errors.New("gifts are no sales")
			case strings.Contains(raw, "negative"):
				e.Order.Freight = -1
			default:
				e.Properties = profile.Values{"rows": profile.Int(int64(1 + strings.Count(raw, "\n")))}
			}
			return nil
		}
	})
	report, err := im.Import(t.Context(), intake.Input{Reader: strings.NewReader(orderHeader +
		"1,A,x,2026-01-01,boots,1,10,10,,,10,\n1,A,x,2026-01-01,socks,1,10,10,,,10,\n" +
		"2,A,x,2026-01-01,gift,1,10,10,,,10,\n3,A,x,2026-01-01,negative,1,10,10,,,10,\n")})
	require.NoError(t, err)
	require.Len(t, sink.order, 1)
	assert.Equal(t, profile.Int(2), sink.events[sink.order[0]].Properties["rows"])
	require.Len(t, report.Rejects, 2)
	assert.Equal(t, "line 4: gifts are no sales", report.Rejects[0].String())
	assert.Contains(t, report.Rejects[1].Reason, "freight")
}

func TestTheDirectorysRefusalsAreCountedAndItsErrorsRejectTheRow(t *testing.T) {
	customers, err := profile.New(profile.Config{Now: func() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }})
	require.NoError(t, err)
	report, err := importer(t, members(), customers).Import(t.Context(), intake.Input{Name: "f", Reader: strings.NewReader(memberHeader +
		"M1,lumen,138****1234,2026-03-01,G,,,,,,,,\n" +
		"M2,lumen,13800138000,2036-03-01,G,,,,,,,,\n" +
		"M3,lumen,13800138000,2026-03-01,G,,,,,,,,\n")})
	require.NoError(t, err)
	assert.Equal(t, 2, report.Events)
	assert.Equal(t, 1, report.Refused)
	assert.Len(t, report.Reasons, 1)
	require.Len(t, report.Rejects, 1)
	assert.Equal(t, 3, report.Rejects[0].Line)
	_, err = customers.Lookup(t.Context(), profile.Identifier{Kind: "phone", Value: "+8613800138000"})
	assert.NoError(t, err)
}
