package segmenttest_test

import (
	"testing"
	"time"

	"github.com/cxkit/cxkit/segment"
	"github.com/cxkit/cxkit/segment/segmenttest"
)

// LapsedVIP is a gold member with at least three net orders in 365 days and
// none in the last 90.
func LapsedVIP() segment.Rule {
	return segment.All(
		segment.Attr("tier").Is("gold").As("tier"),
		segment.NetOrders().Within(segment.Days(365)).AtLeast(3).As("net_orders"),
		segment.NetOrders().Within(segment.Days(90)).Never().As("last_order"),
	)
}

func TestLapsedVIP(t *testing.T) { // gold, at least 3 net orders in 365 days, none in the last 90
	c := segmenttest.New(t, LapsedVIP(), "Asia/Shanghai").Trait("tier", "gold").
		Order("A1", "2026-01-05", 599_00).
		Order("A2", "2026-03-02", 199_00).
		Order("A3", "2026-06-01 10:00", 99_00)
	c.At("2026-08-30 09:59").Out().Because("last_order", "under 90 days")
	c.At("2026-08-30 10:00").In()
	c.Refund("A3", "2026-08-31 12:00", 99_00)
	c.At("2026-08-31 12:00").Out().Because("net_orders", "2 of 3")
}

func testTime(t *testing.T, at string) time.Time {
	t.Helper()
	out, err := time.Parse(time.DateOnly, at)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
