package olist

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/input"
	"github.com/cxkit/cxkit/profile/commerce"
)

// realFiles is the directory of the public files; the test is skipped, saying
// so, where they are absent.
func realFiles(t *testing.T) string {
	t.Helper()
	root := os.Getenv("CXKIT_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	dir := filepath.Join(root, "olist")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no Olist files: set CXKIT_DATA or put them at %s", dir)
	}
	return dir
}

// These were counted from the sample with other tools.
var sample = Figures{
	Orders: 8135, Persons: 8016, OrdersWithoutItems: 775,
	PaidCents: 1_393_427_64, PendingCents: 35_175_17,
	Delivered: 5172, Closed: 1234, PointsBaseCents: 818_668_80, Points: 816_207,
	Reviews: 8225, StarsSum: 26909, RecurringReviews: 28, ReviewedTwice: 87,
	Arrived: 5164, Late: 342,
}

func TestTheSampleCountsAsItShould(t *testing.T) {
	dir := realFiles(t)
	d, err := Open(dir)
	require.NoError(t, err)
	require.True(t, d.Summary().Clean())
	require.NoError(t, d.Summary().Verdict())
	f, err := Reconcile(dir, d.Summary())
	require.NoError(t, err)
	require.Equal(t, sample, f)
	require.Contains(t, d.Summary().String(), "kept      775 orders without items")
}

// library computes the figures from the feed with the order model, as the
// program does with the packages above it.
func library(t *testing.T, d *Dataset) Figures {
	t.Helper()
	var f Figures
	var facts []commerce.Event
	persons, reviews, ids := map[string]bool{}, map[string]int{}, map[string]bool{}
	perOrder := map[string]int{}
	var last feed.Delivery
	for delivery, err := range d.Feed() {
		require.NoError(t, err)
		require.False(t, delivery.At.Before(last.At), "in order of time")
		last = delivery
		e := delivery.Event
		require.Equal(t, delivery.At, e.Time)
		require.False(t, ids[e.ID], "every event has an ID of its own")
		ids[e.ID] = true
		persons[e.Identifiers[0].Value] = true
		if e.Order != nil {
			fact := e.Order.Identified(e.ID, e.Time)
			require.NoError(t, fact.Validate())
			facts = append(facts, fact)
		}
		switch e.Name {
		case feed.ReviewPosted:
			stars, _ := e.Properties["stars"].Int()
			review, _ := e.Properties["review_id"].Text()
			order, _ := e.Properties["order_id"].Text()
			f.Reviews++
			f.StarsSum += stars
			reviews[review]++
			perOrder[order]++
		case feed.PaymentPending:
			amount, _ := e.Properties["amount"].Int()
			f.PendingCents += amount
		}
	}
	require.Len(t, ids, d.Deliveries())
	orders, err := commerce.FoldAll(facts)
	require.NoError(t, err)
	for _, o := range orders {
		require.Empty(t, o.Problems)
		f.Orders++
		f.PaidCents += o.Paid()
		if len(o.Lines) == 0 {
			f.OrdersWithoutItems++
		}
		if !o.ClosedAt.IsZero() {
			f.Closed++
		}
		if o.CompletedAt.IsZero() {
			continue
		}
		f.Delivered++
		base := o.Paid() - o.PaidBy(Voucher)
		f.PointsBaseCents += base
		f.Points += base / CentsPerPoint
		if !o.ReceivedAt.IsZero() {
			f.Arrived++
			if o.Late() {
				f.Late++
			}
		}
	}
	f.Persons = int64(len(persons))
	for _, n := range reviews {
		f.RecurringReviews += more(n)
	}
	for _, n := range perOrder {
		f.ReviewedTwice += more(n)
	}
	return f
}

func more(n int) int64 {
	if n > 1 {
		return 1
	}
	return 0
}

func requireEqual(t *testing.T, files, library Figures) {
	t.Helper()
	checks := Compare(files, library)
	for _, c := range checks {
		require.True(t, c.Equal, "%s: files %s, library %s", c.Figure, c.Files, c.Library)
	}
	require.True(t, input.AllEqual(checks))
}

func TestTheFeedFoldsToWhatTheFilesHold(t *testing.T) {
	d, err := Open(realFiles(t))
	require.NoError(t, err)
	requireEqual(t, sample, library(t, d))
}

func TestADifferenceShows(t *testing.T) {
	other := sample
	other.PaidCents++
	for _, c := range Compare(sample, other) {
		require.Equal(t, c.Figure != "Paid" && c.Figure != "All payment rows", c.Equal, c.Figure)
	}
	other = sample
	other.StarsSum++ // invisible in four decimals, and yet a difference
	for _, c := range Compare(sample, other) {
		require.Equal(t, c.Figure != "Mean stars", c.Equal, c.Figure)
	}
}

// files is a small world that can be broken: the content of each file.
type files map[string]string

// key has the form of the keys in the files; kind is one hexadecimal digit.
func key(kind string, n int) string { return fmt.Sprintf("%s%031d", kind, n) }

func csvRow(cells ...string) string { return strings.Join(cells, ",") + "\n" }

// world has n delivered orders, each of one person, with one item, one payment
// and one review.
func world(n int) files {
	f := files{
		customersFile: csvRow(customerColumns...), ordersFile: csvRow(orderColumns...), itemsFile: csvRow(itemColumns...),
		paymentsFile: csvRow(paymentColumns...), reviewsFile: csvRow(reviewColumns...), productsFile: csvRow(productColumns...),
	}
	for i := 1; i <= n; i++ {
		order, customer := key("a", i), key("c", i)
		f[customersFile] += csvRow(customer, key("d", i), "01310", "sao paulo", "SP")
		f[productsFile] += csvRow(key("b", i), "malas_acessorios", "10", "20", "1", "500", "20", "10", "15")
		f[ordersFile] += csvRow(order, customer, delivered, "2018-03-01 10:00:00", "2018-03-01 10:05:00", "2018-03-02 09:00:00", "2018-03-05 18:00:00", "2018-03-09 00:00:00")
		f[itemsFile] += csvRow(order, "1", key("b", i), key("e", 1), "2018-03-03 10:00:00", "99.9", "10.05")
		f[paymentsFile] += csvRow(order, "1", "credit_card", "2", "109.95")
		f[reviewsFile] += csvRow(key("f", i), order, "5", "", `"muito bom, obrigado`+"\r\n"+`volto"`, "2018-03-06 00:00:00", "2018-03-06 20:00:00")
	}
	return f
}

// edit changes the n-th row (from 1) of a file whose rows are lines.
func (f files) edit(file string, n int, change func(cells []string) []string) files {
	lines := strings.SplitAfter(f[file], "\n")
	lines[n] = csvRow(change(strings.Split(strings.TrimSuffix(lines[n], "\n"), ","))...)
	f[file] = strings.Join(lines, "")
	return f
}

func set(column int, value string) func([]string) []string {
	return func(cells []string) []string { cells[column] = value; return cells }
}

func (f files) dir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range f {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	return dir
}

// opened reads the world and requires that the two ways of counting agree on it.
func opened(t *testing.T, f files) *Dataset {
	t.Helper()
	dir := f.dir(t)
	d, err := Open(dir)
	require.NoError(t, err)
	counted, err := Reconcile(dir, d.Summary())
	require.NoError(t, err)
	requireEqual(t, counted, library(t, d))
	return d
}

// faults are the rejects with a fault of their own.
func faults(s input.Summary) (own []input.Reject) {
	for _, r := range s.Rejects {
		if !r.Follows {
			own = append(own, r)
		}
	}
	return own
}

func TestASoundWorldIsTakenWhole(t *testing.T) {
	d := opened(t, world(3))
	require.True(t, d.Summary().Clean())
	require.Equal(t, 3, d.Orders())
}

func TestABrokenRowLeavesItsOrderOutWhole(t *testing.T) {
	const orders = 3
	cases := []struct {
		why, file string
		change    func([]string) []string
		reason    string
	}{
		{"time of the calendar", ordersFile, set(3, "2018-02-30 10:00:00"), `order_purchase_timestamp: "2018-02-30 10:00:00" is not a time`},
		{"unknown state", ordersFile, set(2, "lost"), `order_status: unknown state "lost"`},
		{"no promise", ordersFile, set(7, ""), `order_estimated_delivery_date: "" is not a time`},
		{"amount with a comma", paymentsFile, set(4, `"109,95"`), `payment_value: "109,95" is not an amount`},
		{"negative amount", paymentsFile, set(4, "-1.00"), `payment_value: "-1.00" is not an amount`},
		{"amount beyond reason", paymentsFile, set(4, "99999999999.00"), "more than any order can cost"},
		{"unknown tender", paymentsFile, set(2, "shells"), `payment_type: unknown tender "shells"`},
		{"missing field", paymentsFile, func(c []string) []string { return c[:4] }, "4 fields instead of 5"},
		{"field too many", itemsFile, func(c []string) []string { return append(c, "x") }, "8 fields instead of 7"},
		{"unknown product", itemsFile, set(2, key("b", 99)), "product_id: the product is not in products.csv"},
		{"stray quote", itemsFile, set(3, `e"f`), `bare "`},
		{"line break", itemsFile, set(3, "\"e\nf\""), "a line break inside a field"},
		{"not UTF-8", itemsFile, set(3, "\xff"), "text that is not UTF-8"},
		{"customer without a person", customersFile, set(1, "nobody"), `customer_unique_id: "nobody" is not a key`},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			d := opened(t, world(orders).edit(c.file, 2, c.change))
			s := d.Summary()
			own := faults(s)
			require.Len(t, own, 1, "%v", s.Rejects)
			require.Equal(t, input.Place{File: c.file, Line: 3}, own[0].Place)
			require.Contains(t, own[0].Reason, c.reason)
			require.Equal(t, orders-1, d.Orders())
			require.Equal(t, map[string]bool{key("a", 2): true}, s.LeftOut)
			for _, f := range s.Files {
				if f.File != productsFile {
					require.Equal(t, orders-1, f.Used(), f.File)
				}
			}
			require.ErrorIs(t, s.Verdict(), input.ErrUntrusted, "a third of the orders")
		})
	}
}

func TestABrokenReviewLeavesOnlyTheReviewOut(t *testing.T) {
	f := world(3)
	f[reviewsFile] += csvRow(key("f", 9), key("a", 2), "6", "", "", "2018-03-06 00:00:00", "2018-03-06 20:00:00")
	d := opened(t, f)
	require.Equal(t, 3, d.Orders())
	own := faults(d.Summary())
	require.Len(t, own, 1)
	require.Contains(t, own[0].String(), `order_reviews.csv:8: review_score: "6" is not a number from 1 to 5`)
}

func TestOneBrokenRowInAThousandIsReportedAndTrusted(t *testing.T) {
	d := opened(t, world(1000).edit(paymentsFile, 500, set(4, "?")))
	require.Equal(t, 999, d.Orders())
	require.NoError(t, d.Summary().Verdict())
	require.Contains(t, d.Summary().String(), "left out  order_payments.csv:501: payment_value")
	require.Contains(t, d.Summary().String(), "left out  1 of 1000 orders whole")
}

func TestABrokenRowThatNamesNoOrderMakesEverySumDoubtful(t *testing.T) {
	d := opened(t, world(1000).edit(paymentsFile, 500, set(0, "?")))
	require.Equal(t, 1000, d.Orders(), "the order cannot be told")
	require.ErrorIs(t, d.Summary().Verdict(), input.ErrUntrusted)
	require.ErrorContains(t, d.Summary().Verdict(), "order_payments.csv:501 is broken and names no order")
}

func TestRepeatedAndContradictingRows(t *testing.T) {
	f := world(3)
	f[paymentsFile] += csvRow(key("a", 1), "1", "credit_card", "2", "109.95")
	d := opened(t, f)
	require.Equal(t, 3, d.Orders(), "an exact repetition is dropped")
	require.Contains(t, faults(d.Summary())[0].String(), "order_payments.csv:5: repeats line 2")

	f = world(3)
	f[paymentsFile] += csvRow(key("a", 1), "1", "credit_card", "2", "110.00")
	d = opened(t, f)
	require.Equal(t, 2, d.Orders(), "nobody knows which is right")
	require.Contains(t, faults(d.Summary())[0].String(), "order_payments.csv:5: contradicts line 2")
}

func TestOrphans(t *testing.T) {
	f := world(3)
	f[paymentsFile] += csvRow(key("a", 8), "1", "credit_card", "2", "109.95")
	f[customersFile] += csvRow(key("c", 8), key("d", 8), "01310", "sao paulo", "SP")
	d := opened(t, f)
	require.Equal(t, 3, d.Orders())
	own := faults(d.Summary())
	require.Len(t, own, 2)
	require.Equal(t, "customers.csv:5: no order names this customer", own[0].String())
	require.Equal(t, "order_payments.csv:5: order_id: the order is not in orders.csv", own[1].String())
}

func TestAFileThatCannotBeUsedIsAnError(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(files)
		reason string
	}{
		{"missing", func(f files) { delete(f, paymentsFile) }, "order_payments.csv: no such file"},
		{"empty", func(f files) { f[paymentsFile] = "" }, "order_payments.csv: the file is empty"},
		{"unknown column", func(f files) { f[paymentsFile] = "x," + f[paymentsFile] }, `order_payments.csv:1: unknown column "x"`},
		{"missing column", func(f files) {
			f[paymentsFile] = strings.Replace(f[paymentsFile], ",payment_value", "", 1)
		}, `order_payments.csv:1: column "payment_value" is missing`},
		{"column twice", func(f files) {
			f[paymentsFile] = strings.Replace(f[paymentsFile], "payment_value", "payment_type", 1)
		}, `order_payments.csv:1: column "payment_type" stands twice`},
		{"a quote that never ends", func(f files) {
			f[reviewsFile] = csvRow(reviewColumns...) + key("f", 1) + "," + key("a", 1) + ",5,,\"oops,2018-03-06 00:00:00,2018-03-06 20:00:00\nand\nmore\n"
		}, "order_reviews.csv:2: a quoted field begins here and never ends"},
	} {
		t.Run(c.why, func(t *testing.T) {
			f := world(2)
			c.change(f)
			_, err := Open(f.dir(t))
			var format *input.FormatError
			require.ErrorAs(t, err, &format)
			require.ErrorContains(t, err, c.reason)
		})
	}
}

func TestColumnsMayComeInAnyOrder(t *testing.T) {
	f := world(1)
	f[paymentsFile] = "\ufeffpayment_value,payment_type,order_id,payment_sequential,payment_installments\n109.95,boleto," + key("a", 1) + ",1,1\n"
	require.True(t, opened(t, f).Summary().Clean())
}

// events lists the feed of a world as "time name" in local time.
func events(d *Dataset) (all []string) {
	for delivery := range d.Feed() {
		all = append(all, delivery.At.Format("2006-01-02 15:04 ")+delivery.Event.Name)
	}
	return all
}

func TestTheLifeOfAnOrder(t *testing.T) {
	late := "2018-03-10 00:00:00"
	inTime := "2018-03-09 23:59:59"
	for _, c := range []struct {
		why  string
		edit map[int]string // columns of the order
		want []string
	}{
		{"delivered", nil, []string{
			"2018-03-01 10:00 order.placed", "2018-03-01 10:05 order.paid", "2018-03-02 09:00 order.shipped",
			"2018-03-05 18:00 order.received", "2018-03-05 18:00 order.completed", "2018-03-06 20:00 review.posted",
		}},
		{"delivered, nobody noted when: completed when the promised day ends", map[int]string{6: ""}, []string{
			"2018-03-01 10:00 order.placed", "2018-03-01 10:05 order.paid", "2018-03-02 09:00 order.shipped",
			"2018-03-06 20:00 review.posted", "2018-03-09 23:59 order.completed",
		}},
		{"never approved: the tenders are pending", map[int]string{2: created, 4: "", 5: "", 6: ""}, []string{
			"2018-03-01 10:00 order.placed", "2018-03-01 10:00 payment.pending", "2018-03-06 20:00 review.posted",
		}},
		{"delivered without approval: paid when ordered", map[int]string{4: ""}, []string{
			"2018-03-01 10:00 order.placed", "2018-03-01 10:00 order.paid", "2018-03-02 09:00 order.shipped",
			"2018-03-05 18:00 order.received", "2018-03-05 18:00 order.completed", "2018-03-06 20:00 review.posted",
		}},
		{"canceled although it came: closed, never received", map[int]string{2: canceled}, []string{
			"2018-03-01 10:00 order.placed", "2018-03-01 10:05 order.paid", "2018-03-02 09:00 order.shipped",
			"2018-03-05 18:00 order.closed", "2018-03-06 20:00 review.posted",
		}},
		{"approved after delivery: completed once it is paid", map[int]string{4: "2018-03-07 08:00:00"}, []string{
			"2018-03-01 10:00 order.placed", "2018-03-02 09:00 order.shipped", "2018-03-05 18:00 order.received",
			"2018-03-06 20:00 review.posted", "2018-03-07 08:00 order.paid", "2018-03-07 08:00 order.completed",
		}},
	} {
		f := world(1)
		for column, value := range c.edit {
			f.edit(ordersFile, 1, set(column, value))
		}
		require.Equal(t, c.want, events(opened(t, f)), c.why)
	}
	for moment, lateOrders := range map[string]int64{late: 1, inTime: 0} {
		d := opened(t, world(1).edit(ordersFile, 1, set(6, moment)))
		require.Equal(t, lateOrders, library(t, d).Late, moment)
	}
}

func TestVouchersEarnNoPoints(t *testing.T) {
	f := world(1)
	f[paymentsFile] += csvRow(key("a", 1), "2", "voucher", "1", "50.00") + csvRow(key("a", 1), "3", "voucher", "1", "0.0")
	got := library(t, opened(t, f))
	require.Equal(t, int64(159_95), got.PaidCents)
	require.Equal(t, int64(109_95), got.PointsBaseCents)
	require.Equal(t, int64(109), got.Points)
}

func TestAReviewOfTwoOrdersCountsForBoth(t *testing.T) {
	f := world(2)
	f[reviewsFile] += csvRow(key("f", 1), key("a", 2), "1", "", "", "2018-03-06 00:00:00", "2018-03-06 20:00:00")
	got := library(t, opened(t, f))
	require.Equal(t, int64(3), got.Reviews)
	require.Equal(t, int64(11), got.StarsSum)
	require.Equal(t, int64(1), got.RecurringReviews)
	require.Equal(t, int64(1), got.ReviewedTwice)
}

func FuzzParseTable(f *testing.F) {
	sound := world(2)
	f.Add([]byte(sound[paymentsFile]), false)
	f.Add([]byte(strings.Join(paymentColumns, ",")+"\n\"a\nb\",1,2\n\"x\"y,,,,\n,,,,\n\"never"), true)
	f.Add([]byte("\ufeff"+sound[paymentsFile]+"\xff,,,,\n"), true)
	f.Fuzz(func(t *testing.T, content []byte, multiline bool) {
		got, err := parseTable(paymentsFile, content, paymentColumns, multiline)
		if err != nil {
			var format *input.FormatError
			require.ErrorAs(t, err, &format)
			return
		}
		lines := strings.Count(string(content), "\n") + 1
		for _, r := range got.rows {
			require.Len(t, r.cells, len(paymentColumns))
			require.True(t, r.line >= 1 && r.line <= lines)
		}
		for _, b := range got.broken {
			require.True(t, b.line >= 1 && b.line <= lines)
			require.NotEmpty(t, b.reason)
		}
	})
}
