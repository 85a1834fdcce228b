package olist

import (
	"fmt"

	"github.com/cxkit/cxkit/examples/retail/input"
)

// Compare sets the figures of the files beside those that the library computed,
// line by line, each with its definition.
func Compare(files, library Figures) []input.Check {
	var checks []input.Check
	add := func(figure, note string, write func(int64) string, of func(Figures) int64) {
		a, b := of(files), of(library)
		checks = append(checks, input.Check{Figure: figure, Files: write(a), Library: write(b), Equal: a == b, Note: note})
	}
	// share compares numerator and denominator, not the rounded quotient.
	share := func(figure, note string, write func(part, whole int64) string, part, whole func(Figures) int64) {
		checks = append(checks, input.Check{
			Figure: figure, Files: write(part(files), whole(files)), Library: write(part(library), whole(library)),
			Equal: part(files) == part(library) && whole(files) == whole(library), Note: note,
		})
	}
	reais := func(n int64) string { return Currency + " " + input.Cents(n) }
	reviews := func(f Figures) int64 { return f.Reviews }
	arrived := func(f Figures) int64 { return f.Arrived }
	late := func(f Figures) int64 { return f.Late }

	add("Orders", "distinct order_id", input.Count, func(f Figures) int64 { return f.Orders })
	add("Persons", "distinct customer_unique_id; customer_id is one per order", input.Count, func(f Figures) int64 { return f.Persons })
	add("Orders without items", "no fault: mostly unavailable or canceled", input.Count, func(f Figures) int64 { return f.OrdersWithoutItems })
	add("Paid", "every tender of the orders whose payment was approved, or that were delivered", reais, func(f Figures) int64 { return f.PaidCents })
	add("Chosen, never confirmed", "tenders of the other orders", reais, func(f Figures) int64 { return f.PendingCents })
	add("All payment rows", "the sum of the two lines above", reais, func(f Figures) int64 { return f.PaidCents + f.PendingCents })
	add("Delivered orders", "order_status delivered", input.Count, func(f Figures) int64 { return f.Delivered })
	add("Canceled or unavailable", "order_status canceled or unavailable", input.Count, func(f Figures) int64 { return f.Closed })
	add("Points base", "paid other than by voucher, delivered orders", reais, func(f Figures) int64 { return f.PointsBaseCents })
	add("Points earned", "one per whole real of an order's base, rounded down per order", input.Count, func(f Figures) int64 { return f.Points })
	add("Points on canceled or unavailable", "never any", input.Count, func(f Figures) int64 { return f.PointsOnClosed })
	add("Reviews", "distinct review × order; each counts once for the mean", input.Count, reviews)
	add("Reviews that recur across orders", "review_id with several orders; every order counts", input.Count, func(f Figures) int64 { return f.RecurringReviews })
	add("Orders with several reviews", "every review counts", input.Count, func(f Figures) int64 { return f.ReviewedTwice })
	share("Mean stars", "over the reviews above", mean, func(f Figures) int64 { return f.StarsSum }, reviews)
	add("Delivered with a day of delivery", "the base of the late share", input.Count, arrived)
	add("Late deliveries", "day of delivery after the promised day, both as written (local time)", input.Count, late)
	share("Share of late deliveries", "late of those with a day of delivery", input.Percent, late, arrived)
	return checks
}

// mean writes sum ÷ n to four decimals, rounded half up.
func mean(sum, n int64) string {
	if n == 0 {
		return "–"
	}
	q := (sum*20000 + n) / (2 * n)
	return fmt.Sprintf("%d.%04d", q/10000, q%10000)
}
