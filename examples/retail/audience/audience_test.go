package audience

import (
	"testing"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/segment/segmenttest"
)

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

func TestHesitant(t *testing.T) { // back to the same product three times in two days, nothing bought
	c := segmenttest.New(t, Hesitant(), "Asia/Shanghai").
		Does(feed.ProductViewed, "2026-03-01 10:00", "sku", "boots").
		Does(feed.ProductViewed, "2026-03-01 21:00", "sku", "boots")
	c.At("2026-03-01 21:00").Out().Because("views", "2 of 3")
	c.Does(feed.ProductViewed, "2026-03-02 08:00", "sku", "boots")
	c.At("2026-03-02 08:00").In().Until("2026-03-03 10:00")
	c.Order("A1", "2026-03-02 09:00", 599_00)
	c.At("2026-03-02 09:00").Out().Because("bought", "under 2 days")
}

func TestHighSpender(t *testing.T) { // a refund takes the spend back at its own time
	c := segmenttest.New(t, HighSpender(), "Asia/Shanghai").
		Order("A1", "2026-01-05", 3_000_00).
		Order("A2", "2026-02-05", 2_000_00)
	c.At("2026-02-05").In()
	c.Refund("A2", "2026-02-20 09:00", 1)
	c.At("2026-02-20 08:59").In()
	c.At("2026-02-20 09:00").Out().Because("net_spend", "499999")
}

func TestNewMember(t *testing.T) { // for thirty days, to the minute
	c := segmenttest.New(t, NewMember(), "Asia/Shanghai").Does(feed.MemberJoined, "2026-03-01 10:00", "card", "L1")
	c.At("2026-03-31 09:59").In().Until("2026-03-31 10:00")
	c.At("2026-03-31 10:00").Out()
}
