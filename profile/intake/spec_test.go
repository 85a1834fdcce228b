package intake_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/profile/intake"
)

var received = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func webshop(with ...func(*intake.Spec)) intake.Config {
	spec := &intake.Spec{Source: "web", Mode: intake.Live, Brand: "lumen"}
	for _, f := range with {
		f(spec)
	}
	return intake.Config{Spec: spec}
}

// receive hands one body over and returns the events, in order, and the report.
func receive(t *testing.T, cfg intake.Config, body string) ([]profile.Event, intake.Report) {
	t.Helper()
	sink := &memory{}
	cfg.Sink = sink
	im, err := intake.New(cfg)
	require.NoError(t, err)
	report, err := im.Receive(t.Context(), []byte(body), received)
	require.NoError(t, err)
	events := make([]profile.Event, len(sink.order))
	for i, id := range sink.order {
		events[i] = sink.events[id]
	}
	return events, report
}

func TestEachCallOfTheSpecBecomesAnEvent(t *testing.T) {
	const ids = `"messageId":"m1","userId":"u1","anonymousId":"c1","timestamp":"2026-03-01T11:59:00Z",`
	both := []profile.Identifier{{Kind: "account/web", Value: "u1"}, {Kind: "cookie", Value: "c1"}}
	for name, c := range map[string]struct {
		body string
		want profile.Event
	}{
		"identify": {
			`{"type":"identify",` + ids + `"traits":{"email":"Li@Example.com","plan":"gold","age":30,"score":4.50,"big":1e3,"vip":true,` +
				`"address":{"city":"上海"},"likes":["b","a"],"nothing":null,"odd":[1,2],"createdAt":"2020-05-06T07:08:09Z"},` +
				`"context":{"device":{"id":"d1"},"externalIds":[{"id":"x","type":"ga"}],"traits":{"plan":"silver","seen":1},"ip":"1.2.3.4"}}`,
			profile.Event{
				Identifiers: append(append([]profile.Identifier{}, both...), profile.Identifier{Kind: "email", Value: "Li@Example.com"}, profile.Identifier{Kind: "device", Value: "d1"}),
				Traits: profile.Values{
					"plan": profile.Text("gold"), "age": profile.Int(30), "score": profile.Dec(45, 1), "big": profile.Int(1000), "vip": profile.Flag(true),
					"address.city": profile.Text("上海"), "likes": profile.Tags("a", "b"), "seen": profile.Int(1),
					"createdAt": profile.Time(time.Date(2020, 5, 6, 7, 8, 9, 0, time.UTC)),
				},
			},
		},
		"track": {
			`{"type":"track",` + ids + `"event":"Product Viewed","properties":{"sku":"boots","price":19.9}}`,
			profile.Event{Name: "Product Viewed", Identifiers: both, Properties: profile.Values{"sku": profile.Text("boots"), "price": profile.Dec(199, 1)}},
		},
		"page": {
			`{"type":"page",` + ids + `"name":"Home","properties":{"path":"/"}}`,
			profile.Event{Name: "page.viewed", Identifiers: both, Properties: profile.Values{"path": profile.Text("/"), "name": profile.Text("Home")}},
		},
		"screen": {
			`{"type":"screen",` + ids + `"name":"Cart","category":"Shop"}`,
			profile.Event{Name: "screen.viewed", Identifiers: both, Properties: profile.Values{"category": profile.Text("Shop"), "name": profile.Text("Cart")}},
		},
		"group": {
			`{"type":"group",` + ids + `"groupId":"g1","traits":{"name":"Acme","email":"office@example.com"}}`,
			profile.Event{Name: "group.joined", Identifiers: both, Properties: profile.Values{"group_id": profile.Text("g1"), "name": profile.Text("Acme"), "email": profile.Text("office@example.com")}},
		},
		"alias": {
			`{"type":"alias","messageId":"m1","userId":"u1","previousId":"c1","timestamp":"2026-03-01T11:59:00Z"}`,
			profile.Event{Identifiers: both},
		},
	} {
		t.Run(name, func(t *testing.T) {
			events, report := receive(t, webshop(), c.body)
			require.Empty(t, report.Rejects)
			c.want.ID, c.want.Source, c.want.Brand = "web/m1", "web", "lumen"
			c.want.Time = time.Date(2026, 3, 1, 11, 59, 0, 0, time.UTC)
			require.Len(t, events, 1)
			assert.Equal(t, c.want, events[0])
		})
	}
}

func TestAClockThatIsWrongIsCorrectedBySentAt(t *testing.T) {
	for name, c := range map[string]struct{ times, want string }{
		"a clock that runs a day behind":  {`"timestamp":"2026-02-28T11:00:00Z","sentAt":"2026-02-28T12:00:00Z"`, "2026-03-01T11:00:00Z"},
		"a clock that runs ahead":         {`"timestamp":"2026-03-02T11:59:59.5Z","sentAt":"2026-03-02T12:00:00Z"`, "2026-03-01T11:59:59.5Z"},
		"another zone is no wrong clock":  {`"timestamp":"2026-03-01T19:00:00+08:00","sentAt":"2026-03-01T12:00:00Z"`, "2026-03-01T11:00:00Z"},
		"nothing was sent":                {`"timestamp":"2026-02-28T11:00:00Z"`, "2026-02-28T11:00:00Z"},
		"no time at all":                  {`"sentAt":"2026-02-28T12:00:00Z"`, "2026-03-01T12:00:00Z"},
		"corrected before":                {`"timestamp":"2026-02-28T11:00:00Z","originalTimestamp":"2020-01-01T00:00:00Z","sentAt":"2020-01-01T00:00:01Z"`, "2026-02-28T11:00:00Z"},
		"only the original":               {`"originalTimestamp":"2020-01-01T00:00:00Z","sentAt":"2020-01-01T00:00:01Z"`, "2026-03-01T11:59:59Z"},
		"the endpoint knows when it came": {`"timestamp":"2026-02-28T12:00:00Z","sentAt":"2026-02-28T12:00:00Z","receivedAt":"2001-01-01T00:00:00Z"`, "2026-03-01T12:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			events, report := receive(t, webshop(), `{"type":"track","event":"x","userId":"u",`+c.times+`}`)
			require.Empty(t, report.Rejects)
			assert.Equal(t, c.want, events[0].Time.Format(time.RFC3339Nano))
		})
	}
}

func TestInABatchBrokenMessagesDoNotStopTheOthers(t *testing.T) {
	events, report := receive(t, webshop(), `{"sentAt":"2026-02-28T12:00:00Z","batch":[
		{"type":"track","event":"a","userId":"u","messageId":"1","timestamp":"2026-02-28T11:00:00Z"},
		{"type":"track","userId":"u","messageId":"2"},
		{"type":"dance","userId":"u"},
		{"type":"track","event":"b"},
		{"type":"alias","userId":"u"},
		{"type":"group","userId":"u"},
		{"type":"track","event":"c","userId":7},
		{"type":"track","event":"c","userId":"u","timestamp":"secret"},
		{"type":"track","event":"c","userId":"u","properties":{"secret":1e99}},
		{"type":"track","event":"c","userId":"u","properties":{"x":"a\u0000b"}},
		{"type":"identify","userId":"u","traits":{"birthday":"secret"}},
		5,
		{"type":"track","event":"d","userId":"u","messageId":"3","sentAt":"2026-03-01T12:00:00Z","timestamp":"2026-03-01T11:00:00Z"}]}`)
	require.Len(t, events, 2)
	assert.Equal(t, events[0].Time, events[1].Time, "the batch's sentAt is for messages without one")
	require.Len(t, report.Rejects, 1)
	assert.Equal(t, strings.Split(report.Rejects[0].Reason, "; "), []string{
		"message 2 of 13: field event: is missing",
		"message 3 of 13: field type: is none of the spec",
		"message 4 of 13: userId and anonymousId: is missing",
		"message 5 of 13: field previousId: is missing",
		"message 6 of 13: field groupId: is missing",
		"message 7 of 13: field userId: is of another type than the spec says",
		"message 8 of 13: field timestamp: is not a time of the form that the mapping says",
		"message 9 of 13: a trait or property: is a number out of range",
		"message 10 of 13: a trait or property: holds a NUL byte",
		"message 11 of 13: a trait or property: is not a time of the form that the mapping says",
		"message 12 of 13: is not a message of the spec",
	})
	for _, body := range []string{"", "[]", "null5", "{", "\xff", "5"} {
		_, report := receive(t, webshop(), body)
		assert.Equal(t, 1, report.Rejected, "%q", body)
	}
}

func TestAMessageThatComesAgainKeepsItsFirstTime(t *testing.T) {
	customers, err := profile.New(profile.Config{Now: func() time.Time { return received }})
	require.NoError(t, err)
	cfg := webshop()
	cfg.Sink = customers
	im, err := intake.New(cfg)
	require.NoError(t, err)
	body := func(sku, sent string) []byte {
		return fmt.Appendf(nil, `{"type":"track","event":"x","userId":"u","messageId":"m","timestamp":"2026-03-01T10:00:00Z","sentAt":%q,"properties":{"sku":%q}}`, sent, sku)
	}
	first, err := im.Receive(t.Context(), body("boots", "2026-03-01T11:59:59Z"), received)
	require.NoError(t, err)
	assert.Equal(t, 1, first.Events)
	again, err := im.Receive(t.Context(), body("boots", "2026-03-01T12:00:07Z"), received.Add(9*time.Second))
	require.NoError(t, err)
	assert.Equal(t, 1, again.Duplicates)
	assert.Zero(t, again.Rejected)
	e, _, err := customers.Event(t.Context(), "web/m")
	require.NoError(t, err)
	assert.Equal(t, "2026-03-01T10:00:01Z", e.Time.Format(time.RFC3339))
	other, err := im.Receive(t.Context(), body("socks", "2026-03-01T12:00:07Z"), received)
	require.NoError(t, err)
	assert.Equal(t, 1, other.Rejected, "other content is a conflict still")

	// Twice in one batch, sent at two times.
	two := fmt.Sprintf(`{"batch":[%s,%s]}`, strings.Replace(string(body("a", "2026-03-01T12:00:00Z")), `"m"`, `"n"`, 1), strings.Replace(string(body("a", "2026-03-01T12:00:01Z")), `"m"`, `"n"`, 1))
	twice, err := im.Receive(t.Context(), []byte(two), received)
	require.NoError(t, err)
	assert.Equal(t, 1, twice.Events)
	assert.Equal(t, 1, twice.Duplicates)
}

func TestAMessageWithoutAnIDIsKnownByItsContent(t *testing.T) {
	a, _ := receive(t, webshop(), `{"type":"track","event":"x","userId":"u","timestamp":"2026-03-01T10:00:00Z","sentAt":"2026-03-01T12:00:00Z"}`)
	b, _ := receive(t, webshop(), `{"userId":"u","type":"track","sentAt":"2026-03-01T12:00:09Z","event":"x","timestamp":"2026-03-01T10:00:00Z"}`)
	c, _ := receive(t, webshop(), `{"userId":"v","type":"track","sentAt":"2026-03-01T12:00:09Z","event":"x","timestamp":"2026-03-01T10:00:00Z"}`)
	assert.Equal(t, a[0].ID, b[0].ID)
	assert.NotEqual(t, a[0].ID, c[0].ID)
	long, _ := receive(t, webshop(), `{"type":"track","event":"x","userId":"u","messageId":"`+strings.Repeat("m", 500)+`"}`)
	assert.LessOrEqual(t, len(long[0].ID), 128)
}

func TestTheSpecIsConfigured(t *testing.T) {
	cfg := webshop(func(s *intake.Spec) {
		s.UserKind, s.AnonymousKind, s.PreviousKind, s.DeviceKind = "member", "visitor", "old", "idfa"
		s.Identifiers = map[string]string{"mobile": "phone"}
		s.ExternalIDs = map[string]string{"openid": "wechat.openid/wx1"}
		s.Types = map[string]intake.Type{"total": intake.MoneyType}
	})
	cfg.Each = func(raw string, e *profile.Event) error {
		var m struct {
			Properties struct {
				OrderID string `json:"order_id"`
			} `json:"properties"`
		}
		if err := json.Unmarshal([]byte(raw), &m); err != nil {
			return err
		}
		switch m.Properties.OrderID {
		case "":
			return errors.New("no order")
		case "?":
			e.Order = &commerce.Event{Kind: commerce.Paid}
		default:
			e.Name = "order.paid"
			e.Order = &commerce.Event{Kind: commerce.Paid, Order: commerce.Key{Source: "web", Number: m.Properties.OrderID}}
		}
		return nil
	}
	message := func(order string) string {
		return `{"type":"alias","messageId":"m` + order + `","userId":"u","anonymousId":"c","previousId":"p","properties":{"order_id":"` + order + `","total":19.9},` +
			`"context":{"traits":{"mobile":13800138000,"email":"x@example.com"},"device":{"id":"d"},"externalIds":[{"id":"o1","type":"openid"},{"id":"z","type":"other"}]}}`
	}
	events, report := receive(t, cfg, `{"batch":[`+message("A1")+`,`+message("")+`,`+message("?")+`]}`)
	require.Len(t, events, 1)
	assert.Equal(t, []profile.Identifier{
		{Kind: "member", Value: "u"},
		{Kind: "visitor", Value: "c"},
		{Kind: "old", Value: "p"},
		{Kind: "wechat.openid/wx1", Value: "o1"},
		{Kind: "phone", Value: "13800138000"},
		{Kind: "idfa", Value: "d"},
	}, events[0].Identifiers)
	assert.Equal(t, profile.Values{"email": profile.Text("x@example.com")}, events[0].Traits)
	assert.Equal(t, profile.Int(1990), events[0].Properties["total"])
	assert.Equal(t, "order.paid", events[0].Name)
	assert.Contains(t, report.Rejects[0].Reason, "message 2 of 3: no order; message 3 of 3: order: commerce: invalid order event: order.source")
}

func TestMessagesComeFromFilesWithCheckpointAndRejects(t *testing.T) {
	cfg := webshop()
	sink := &memory{}
	cfg.Sink, cfg.BatchSize = sink, 1
	im, err := intake.New(cfg)
	require.NoError(t, err)
	const file = `{"type":"track","event":"a","userId":"u","messageId":"1","timestamp":"2026-02-28T11:00:00Z","sentAt":"2026-02-28T12:00:00Z","receivedAt":"2026-03-01T12:00:00Z"}
{"type":"track","event":"a","userId":"u","messageId":"2","timestamp":"2026-02-28T11:00:00Z","sentAt":"2026-02-28T12:00:00Z"}
broken
{"batch":[{"type":"track","event":"b","userId":"u","messageId":"3","timestamp":"2026-02-28T11:00:00Z"}]}
`
	var rejects strings.Builder
	report, err := im.Import(t.Context(), intake.Input{Name: "f", Reader: strings.NewReader(file), Rejects: &rejects})
	require.NoError(t, err)
	assert.Equal(t, 3, report.Events)
	assert.Equal(t, "line,reason,row\n3,is not a message of the spec,broken\n", rejects.String())
	assert.Equal(t, "2026-03-01T11:00:00Z", sink.events["web/1"].Time.Format(time.RFC3339))
	assert.Equal(t, "2026-02-28T11:00:00Z", sink.events["web/2"].Time.Format(time.RFC3339), "nothing says when it came in")
	dry, err := im.DryRun(t.Context(), intake.Input{Name: "f", Reader: strings.NewReader(file)})
	require.NoError(t, err)
	assert.Equal(t, report.Counts, dry.Counts)
	again, err := im.Import(t.Context(), intake.Input{Name: "f", Reader: strings.NewReader(file), From: report.Checkpoint})
	require.NoError(t, err)
	assert.Equal(t, report.Counts, again.Counts)
}

func TestASpecSurvivesItsJSONAndIsChecked(t *testing.T) {
	spec := intake.Spec{
		Source: "web", Mode: intake.Backfill, UserKind: "account", Identifiers: map[string]string{"mail": "email"},
		Types: map[string]intake.Type{"paid": intake.MoneyType},
	}
	b, err := json.Marshal(spec)
	require.NoError(t, err)
	back, err := intake.ParseSpec(strings.NewReader(string(b)))
	require.NoError(t, err)
	assert.Equal(t, spec, back)
	for text, reason := range map[string]string{
		`{"format":2,"source":"web","mode":"live"}`:                       "format",
		`{"format":1,"mode":"live"}`:                                      "source",
		`{"format":1,"source":"web"}`:                                     "mode",
		`{"format":1,"source":"web","mode":"live","kind":"x"}`:            "unknown field",
		`{"format":1,"source":"web","mode":"live","types":{"a":"float"}}`: "types.a",
		`{`: "unexpected",
	} {
		_, err := intake.ParseSpec(strings.NewReader(text))
		require.ErrorIs(t, err, intake.ErrMapping)
		assert.ErrorContains(t, err, reason)
	}
	_, err = intake.New(intake.Config{Spec: &spec, Mapping: members()})
	require.ErrorIs(t, err, intake.ErrConfig)
	_, err = importer(t, members(), &memory{}).Receive(t.Context(), nil, received)
	require.ErrorIs(t, err, intake.ErrConfig)
	im, err := intake.New(intake.Config{Spec: &spec})
	require.NoError(t, err)
	_, err = im.Receive(t.Context(), nil, received)
	assert.ErrorIs(t, err, intake.ErrConfig)
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"type":"identify","userId":"u","messageId":"m","traits":{"a":1.50e-3,"b":[1,"x"],"c":{"d":null}},"sentAt":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"batch":[{"type":"page","anonymousId":"c"},5],"sentAt":""}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		sink := &memory{}
		cfg := webshop()
		cfg.Sink = sink
		im, err := intake.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := im.Receive(t.Context(), body, received); err != nil {
			return
		}
		second, err := im.Receive(t.Context(), body, received)
		if err != nil || second.Events != 0 {
			t.Fatalf("the second time %+v, %v", second.Counts, err)
		}
	})
}
