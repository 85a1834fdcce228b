package intake_test

import (
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

// track is a message of an e-commerce event.
func track(id, event, properties string) string {
	return fmt.Sprintf(`{"type":"track","messageId":%q,"userId":"u1","event":%q,"timestamp":"2026-03-01T11:00:00Z","properties":{%s}}`, id, event, properties)
}

const twoGames = `"products":[{"product_id":"p1","sku":"45790-32","name":"Monopoly","price":19,"quantity":1,"category":"Games"},` +
	`{"product_id":"p2","sku":"46493-32","name":"Uno","price":3,"quantity":2,"category":"Games"}]`

func TestOrderCompletedIsAnOrderPaid(t *testing.T) {
	line := func(id, sku string, quantity, list, net int64, funder string) commerce.Line {
		l := commerce.Line{ID: id, SKU: sku, Category: "Games", Quantity: quantity, List: list, Net: net}
		if list > net {
			l.Discounts = []commerce.Discount{{Funder: funder, Amount: list - net}}
		}
		return l
	}
	for name, c := range map[string]struct {
		properties string
		want       commerce.Event
	}{
		"the example of the spec": {
			`"order_id":"A1","affiliation":"Google Store","total":27.50,"subtotal":22.50,"revenue":25.00,"shipping":3,"tax":2,"discount":2.5,"coupon":"hasbros","currency":"usd",` + twoGames,
			commerce.Event{
				Currency: "USD", Freight: 300,
				Lines:    []commerce.Line{line("1", "45790-32", 1, 1900, 1862, "voucher"), line("2", "46493-32", 2, 600, 588, "voucher")},
				Payments: []commerce.Payment{{Tender: "unspecified", Amount: 2750}},
			},
		},
		"without total, by subtotal": {
			`"order_id":"A1","subtotal":22.50,"tax":2,"shipping":3,"payment_method":"card",` + twoGames,
			commerce.Event{
				Freight:  300,
				Lines:    []commerce.Line{line("1", "45790-32", 1, 1900, 1862, "merchant"), line("2", "46493-32", 2, 600, 588, "merchant")},
				Payments: []commerce.Payment{{Tender: "card", Amount: 2750}},
			},
		},
		"by the products": {
			`"order_id":"A1","discount":"5",` + twoGames,
			commerce.Event{
				Lines:    []commerce.Line{line("1", "45790-32", 1, 1900, 1520, "merchant"), line("2", "46493-32", 2, 600, 480, "merchant")},
				Payments: []commerce.Payment{{Tender: "unspecified", Amount: 2000}},
			},
		},
		"by the revenue": {
			`"order_id":7,"revenue":19.999,"tax":0.30000000000000004`,
			commerce.Event{Payments: []commerce.Payment{{Tender: "unspecified", Amount: 2030}}},
		},
		"in a currency without minor unit": {
			`"order_id":"A1","currency":"JPY","total":1980.5`,
			commerce.Event{Currency: "JPY", Payments: []commerce.Payment{{Tender: "unspecified", Amount: 1981}}},
		},
		"in thousandths, with an exponent": {
			`"order_id":"A1","currency":"KWD","total":1.5e-1`,
			commerce.Event{Currency: "KWD", Payments: []commerce.Payment{{Tender: "unspecified", Amount: 150}}},
		},
		"for nothing": {
			`"order_id":"A1","total":0,"products":[{"name":"sample"}]`,
			commerce.Event{Lines: []commerce.Line{{ID: "1", SKU: "sample", Quantity: 1}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			events, report := receive(t, webshop(), track("m1", "Order Completed", c.properties))
			require.Empty(t, report.Rejects)
			number := "A1"
			if strings.Contains(c.properties, `"order_id":7`) {
				number = "7"
			}
			c.want.Kind, c.want.Order, c.want.Ref = commerce.Paid, commerce.Key{Source: "web", Number: number}, number
			assert.Equal(t, &c.want, events[0].Order)
			assert.Equal(t, "Order Completed", events[0].Name)
			o, err := commerce.Fold([]commerce.Event{events[0].Order.Identified("m1", events[0].Time)})
			require.NoError(t, err)
			assert.Equal(t, o.Paid(), o.NetSpendAt(received), "what is owed is what was paid")
		})
	}
}

func TestAnOrderOfTheSpecFoldsWithItsRefundAndCancellation(t *testing.T) {
	customers, err := profile.New(profile.Config{Now: func() time.Time { return received }})
	require.NoError(t, err)
	cfg := webshop()
	cfg.Sink = customers
	im, err := intake.New(cfg)
	require.NoError(t, err)
	body := `{"batch":[` + strings.Join([]string{
		track("1", "Product Added", `"cart_id":"c","product_id":"p1","price":19`),
		track("2", "Order Completed", `"order_id":"A1","total":25,"shipping":0,`+twoGames),
		track("3", "Order Completed", `"order_id":"A1","total":25,"shipping":0,`+twoGames), // the page was loaded again
		track("4", "Order Refunded", `"order_id":"A1","products":[{"sku":"46493-32","price":3},{"sku":"46493-32","price":3}]`),
		track("5", "Order Completed", `"order_id":"A2","total":10`),
		track("6", "Order Refunded", `"order_id":"A2","total":10`),
		track("7", "Order Completed", `"order_id":"A3","total":10`),
		track("8", "Order Cancelled", `"order_id":"A3","total":10`),
		track("9", "Order Updated", `"order_id":"A3","total":12`),
	}, ",") + `]}`
	report, err := im.Receive(t.Context(), []byte(body), received)
	require.NoError(t, err)
	require.Empty(t, report.Rejects)
	require.Equal(t, 9, report.Events)
	id, err := customers.Lookup(t.Context(), profile.Identifier{Kind: "account/web", Value: "u1"})
	require.NoError(t, err)
	orders, err := customers.Orders(t.Context(), id)
	require.NoError(t, err)
	var got []string
	for _, o := range orders {
		require.Empty(t, o.Problems)
		got = append(got, fmt.Sprint(o.Key, " paid ", o.Paid(), " net ", o.NetSpendAt(received), " ", o.StageAt(received)))
	}
	require.Equal(t, []string{"web/A1 paid 2500 net 1900 paid", "web/A2 paid 1000 net 0 refunded", "web/A3 paid 1000 net 0 closed"}, got)
}

func TestABrokenOrderOfTheSpecIsRejectedWithItsField(t *testing.T) {
	for properties, reason := range map[string]string{
		`"total":5`:                                                           "field properties.order_id: is missing",
		`"order_id":{"secret":1},"total":5`:                                   "field properties.order_id: is of another type than the spec says",
		`"order_id":"A","total":"secret"`:                                     "field properties.total: is not an amount that can be counted",
		`"order_id":"A","total":"1e30"`:                                       "field properties.total: is not an amount that can be counted",
		`"order_id":"A","total":-5`:                                           "field properties.total: is less than the shipping",
		`"order_id":"A","total":5,"shipping":6`:                               "field properties.total: is less than the shipping",
		`"order_id":"A","total":5,"shipping":-6`:                              "field properties.total: is not an amount that can be counted",
		`"order_id":"A","discount":-1,` + twoGames:                            "field properties.discount: is not an amount that can be counted",
		`"order_id":"A","total":5,"products":{"sku":"x"}`:                     "field properties.products: is not an array of objects",
		`"order_id":"A","total":5,"products":[5]`:                             "field properties.products: is not an array of objects",
		`"order_id":"A","total":5,"products":[{"quantity":0}]`:                "field properties.products: is not an amount that can be counted",
		`"order_id":"A","products":[{"price":9e16},{"price":9e16}]`:           "field properties.products: is not an amount that can be counted",
		`"order_id":"A","products":[{"price":9e16,"quantity":2}]`:             "field properties.products: is not an amount that can be counted",
		`"order_id":"A","total":5,"currency":"dollars"`:                       "order: commerce: invalid order event: currency: is not three capital letters",
		`"order_id":"A","subtotal":9e16,"tax":9e16`:                           "field properties.subtotal: is not an amount that can be counted",
		`"order_id":"A","revenue":50000000000000000,"tax":50000000000000000`:  "field properties.revenue: is not an amount that can be counted",
		`"order_id":"A","total":5,"products":[{"price":5,"quantity":"some"}]`: "field properties.products: is not an amount that can be counted",
	} {
		_, report := receive(t, webshop(), track("m", "Order Completed", properties))
		require.Len(t, report.Rejects, 1, properties)
		assert.Equal(t, reason, report.Rejects[0].Reason, properties)
	}
	for properties, reason := range map[string]string{
		`"order_id":"A"`: "field properties.total: is missing",
		`"order_id":"A","total":5,"products":[{"quantity":1}]`: "field properties.products: is missing",
	} {
		_, report := receive(t, webshop(), track("m", "Order Refunded", properties))
		require.Len(t, report.Rejects, 1, properties)
		assert.Equal(t, reason, report.Rejects[0].Reason, properties)
	}
	events, report := receive(t, webshop(func(s *intake.Spec) { s.NoOrders = true }), track("m", "Order Completed", `"total":"secret"`))
	require.Empty(t, report.Rejects)
	require.Nil(t, events[0].Order)
}

func TestArraysBecomeTagsAsFarAsTheyAreTexts(t *testing.T) {
	events, report := receive(t, webshop(), track("m", "Cart Viewed", twoGames+
		`,"mixed":[{"a":"x","b":1},{"a":2,"b":2},{"c":["d"],"e":null,"f":""}],"numbers":[1,2],"odd":[{"a":"x"},5],"empty":[],"deep":{"list":[{"k":"v"}]}`))
	require.Empty(t, report.Rejects)
	assert.Equal(t, profile.Values{
		"products.product_id": profile.Tags("p1", "p2"), "products.sku": profile.Tags("45790-32", "46493-32"),
		"products.name": profile.Tags("Monopoly", "Uno"), "products.category": profile.Tags("Games"), "deep.list.k": profile.Tags("v"),
		"empty": profile.Tags(),
	}, events[0].Properties)
	require.Nil(t, events[0].Order)
	_, report = receive(t, webshop(), track("m", "Cart Viewed", `"products":[{"sku":"a\u0000"}]`))
	require.Len(t, report.Rejects, 1)
}
