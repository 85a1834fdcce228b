package cdnow

import (
	"bufio"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"

	"github.com/cxkit/cxkit/examples/retail/input"
)

// Figures are what is counted twice: by [Reconcile] from the lines of the file,
// and by the program from what the library made of the feed.
type Figures struct {
	Customers     int64
	Orders        int64
	AmountCents   int64
	Discs         int64
	RepeatBuyers  int64 // customers with at least two orders
	RepeatByDay   int64 // customers who bought on at least two days
	PurchaseDays  int64 // distinct customer-days
	SameDayOrders int64 // orders after the customer's first of the day
	Points        int64 // per order, one for each whole dollar
	FirstDay      string
	LastDay       string
}

// Reconcile counts the lines of the file, without the code that makes the feed:
// blank-separated fields, sums as big rationals. It skips the lines that the
// summary of [Open] says were left out, and nothing else.
func Reconcile(file string, s input.Summary) (Figures, error) {
	var out Figures
	f, err := os.Open(file)
	if err != nil {
		return out, fmt.Errorf("cdnow: counting: %w", err)
	}
	defer f.Close()
	rejected := map[int]bool{}
	for _, r := range s.Rejects {
		rejected[r.Place.Line] = true
	}
	orders, days, daysOf := map[string]int64{}, map[string]bool{}, map[string]int64{}
	amount, discs, points := new(big.Rat), new(big.Int), new(big.Int)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<26)
	for n := 1; lines.Scan(); n++ {
		if rejected[n] {
			continue
		}
		fields := strings.Fields(lines.Text())
		if len(fields) != 5 {
			return out, fmt.Errorf("cdnow: counting %s:%d: %d fields", filepath.Base(file), n, len(fields))
		}
		customer, day := fields[0], fields[2]
		count, okDiscs := new(big.Int).SetString(fields[3], 10)
		dollars, okDollars := new(big.Rat).SetString(fields[4])
		if !okDiscs || !okDollars {
			return out, fmt.Errorf("cdnow: counting %s:%d: a number cannot be read", filepath.Base(file), n)
		}
		out.Orders++
		orders[customer]++
		if key := customer + " " + day; !days[key] {
			days[key] = true
			daysOf[customer]++
		}
		amount.Add(amount, dollars)
		discs.Add(discs, count)
		points.Add(points, new(big.Int).Quo(dollars.Num(), dollars.Denom()))
		if out.FirstDay == "" || day < out.FirstDay {
			out.FirstDay = day
		}
		if day > out.LastDay {
			out.LastDay = day
		}
	}
	if err := lines.Err(); err != nil {
		return out, fmt.Errorf("cdnow: counting: %w", err)
	}
	cents := amount.Mul(amount, big.NewRat(100, 1))
	if !cents.IsInt() || !cents.Num().IsInt64() {
		return out, fmt.Errorf("cdnow: counting: the sum is not a whole number of cents")
	}
	out.AmountCents, out.Discs, out.Points = cents.Num().Int64(), discs.Int64(), points.Int64()
	out.Customers, out.PurchaseDays = int64(len(orders)), int64(len(days))
	out.SameDayOrders = out.Orders - out.PurchaseDays
	out.RepeatBuyers, out.RepeatByDay = overOne(orders), overOne(daysOf)
	return out, nil
}

func overOne(counts map[string]int64) (n int64) {
	for _, count := range counts {
		if count > 1 {
			n++
		}
	}
	return n
}

// Compare sets the figures of the file beside those that the library computed,
// line by line, each with its definition.
func Compare(file, library Figures) []input.Check {
	var checks []input.Check
	add := func(figure, note, a, b string) {
		checks = append(checks, input.Check{Figure: figure, Files: a, Library: b, Equal: a == b, Note: note})
	}
	count := func(figure, note string, a, b int64) { add(figure, note, input.Count(a), input.Count(b)) }
	count("Customers", "distinct numbers in the master set", file.Customers, library.Customers)
	count("Orders", "lines", file.Orders, library.Orders)
	add("Amount", "every order", Currency+" "+input.Cents(file.AmountCents), Currency+" "+input.Cents(library.AmountCents))
	count("CDs", "pieces", file.Discs, library.Discs)
	count("Repeat buyers", "customers with at least two orders", file.RepeatBuyers, library.RepeatBuyers)
	count("Repeat buyers by day", "customers who bought on at least two days", file.RepeatByDay, library.RepeatByDay)
	count("Purchase days", "distinct customer and day", file.PurchaseDays, library.PurchaseDays)
	count("Same-day orders", "orders after the customer's first of the day", file.SameDayOrders, library.SameDayOrders)
	count("Points earned", "one per whole dollar of an order, rounded down per order", file.Points, library.Points)
	add("First day", "of the orders", file.FirstDay, library.FirstDay)
	add("Last day", "of the orders", file.LastDay, library.LastDay)
	return checks
}
