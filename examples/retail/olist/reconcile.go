package olist

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strconv"

	"github.com/cxkit/cxkit/examples/retail/input"
)

// Figures are what is counted twice: by [Reconcile] from the rows of the files,
// and by the program from what the library made of the feed. Amounts are cents.
type Figures struct {
	Orders             int64 // distinct order_id
	Persons            int64 // distinct customer_unique_id
	OrdersWithoutItems int64
	PaidCents          int64 // payments of the orders that count as paid, every tender
	PendingCents       int64 // payments of the other orders: chosen, never confirmed
	Delivered          int64 // orders in the state delivered
	Closed             int64 // orders canceled or unavailable
	PointsBaseCents    int64 // paid other than by voucher, delivered orders
	Points             int64 // per delivered order, one for each whole real of that
	PointsOnClosed     int64 // points of canceled or unavailable orders: none
	Reviews            int64 // distinct review × order
	StarsSum           int64 // over those
	RecurringReviews   int64 // review_id that stand for several orders
	ReviewedTwice      int64 // orders with several reviews
	Arrived            int64 // delivered orders with a day of delivery
	Late               int64 // of those, delivered after the promised day
}

// Reconcile counts the rows of the files in dir, without the code that makes
// the feed: rows by column name, sums as big rationals, days compared as they
// are written. It skips what the summary of [Open] says was left out, and
// nothing else.
func Reconcile(dir string, s input.Summary) (Figures, error) {
	c := counter{dir: dir, rejected: map[input.Place]bool{}, leftOut: s.LeftOut}
	for _, r := range s.Rejects {
		c.rejected[r.Place] = true
	}

	var f Figures
	persons, buyer := map[string]bool{}, map[string]string{}
	c.each(customersFile, func(row map[string]string) { buyer[row["customer_id"]] = row["customer_unique_id"] })

	state, isPaid := map[string]string{}, map[string]bool{}
	c.each(ordersFile, func(row map[string]string) {
		id := row["order_id"]
		state[id] = row["order_status"]
		isPaid[id] = row["order_approved_at"] != "" || state[id] == "delivered"
		persons[buyer[row["customer_id"]]] = true
		f.Orders++
		switch state[id] {
		case "delivered":
			f.Delivered++
			if came := row["order_delivered_customer_date"]; came != "" {
				f.Arrived++
				if came[:len("2006-01-02")] > row["order_estimated_delivery_date"][:len("2006-01-02")] {
					f.Late++
				}
			}
		case "canceled", "unavailable":
			f.Closed++
		}
	})
	f.Persons = int64(len(persons))

	withItems := map[string]bool{}
	c.each(itemsFile, func(row map[string]string) { withItems[row["order_id"]] = true })
	f.OrdersWithoutItems = f.Orders - int64(len(withItems))

	paid, pending, base := new(big.Rat), new(big.Rat), map[string]*big.Rat{}
	c.each(paymentsFile, func(row map[string]string) {
		id := row["order_id"]
		amount, ok := new(big.Rat).SetString(row["payment_value"])
		switch {
		case !ok:
			c.fail(paymentsFile, "an amount cannot be read")
			return
		case isPaid[id]:
			paid.Add(paid, amount)
		default:
			pending.Add(pending, amount)
		}
		if state[id] == "delivered" && row["payment_type"] != "voucher" {
			if base[id] == nil {
				base[id] = new(big.Rat)
			}
			base[id].Add(base[id], amount)
		}
	})
	all, points := new(big.Rat), new(big.Int)
	for _, reais := range base {
		all.Add(all, reais)
		points.Add(points, new(big.Int).Quo(reais.Num(), reais.Denom()))
	}
	f.PaidCents, f.PendingCents, f.PointsBaseCents = c.cents(paid), c.cents(pending), c.cents(all)
	f.Points = points.Int64()

	type reviewKey struct{ review, order string }
	stars, perReview, perOrder := map[reviewKey]int64{}, map[string]int{}, map[string]int{}
	c.each(reviewsFile, func(row map[string]string) {
		k := reviewKey{row["review_id"], row["order_id"]}
		if _, again := stars[k]; again {
			return
		}
		n, err := strconv.ParseInt(row["review_score"], 10, 64)
		if err != nil {
			c.fail(reviewsFile, "a score cannot be read")
		}
		stars[k] = n
		f.StarsSum += n
		perReview[k.review]++
		perOrder[k.order]++
	})
	f.Reviews = int64(len(stars))
	f.RecurringReviews, f.ReviewedTwice = overOne(perReview), overOne(perOrder)
	return f, c.err
}

func overOne(counts map[string]int) (n int64) {
	for _, count := range counts {
		if count > 1 {
			n++
		}
	}
	return n
}

// counter walks the rows of files that are to be counted.
type counter struct {
	dir      string
	rejected map[input.Place]bool
	leftOut  map[string]bool
	err      error // the first
}

func (c *counter) fail(file, why string) {
	if c.err == nil {
		c.err = fmt.Errorf("olist: counting %s: %s", file, why)
	}
}

func (c *counter) cents(reais *big.Rat) int64 {
	cents := new(big.Rat).Mul(reais, big.NewRat(100, 1))
	if !cents.IsInt() || !cents.Num().IsInt64() {
		c.fail(paymentsFile, "a sum is not a whole number of cents")
		return 0
	}
	return cents.Num().Int64()
}

func (c *counter) each(file string, count func(row map[string]string)) {
	f, err := os.Open(filepath.Join(c.dir, file))
	if err != nil {
		c.fail(file, "cannot be opened")
		return
	}
	defer f.Close()
	r := csv.NewReader(f)
	header, err := r.Read()
	if err != nil {
		c.fail(file, "no header")
		return
	}
	if bom := "\ufeff"; len(header[0]) > len(bom) && header[0][:len(bom)] == bom {
		header[0] = header[0][len(bom):]
	}
	r.FieldsPerRecord = len(header)
	for {
		cells, err := r.Read()
		if err == io.EOF {
			return
		}
		var parse *csv.ParseError
		if errors.As(err, &parse) && c.rejected[input.Place{File: file, Line: parse.StartLine}] {
			continue
		}
		if err != nil {
			c.fail(file, err.Error())
			return
		}
		line, _ := r.FieldPos(0)
		if c.rejected[input.Place{File: file, Line: line}] {
			continue
		}
		row := make(map[string]string, len(header))
		for i, name := range header {
			row[name] = cells[i]
		}
		if !c.leftOut[row["order_id"]] {
			count(row)
		}
	}
}
