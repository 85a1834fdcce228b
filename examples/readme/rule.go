package readme

import (
	"github.com/cxkit/cxkit/segment"
)

// SerialReturner has bought for 1,000 or more in 180 days, and more than half
// of it went back.
func SerialReturner() segment.Rule {
	half := segment.Days(180)
	return segment.Func("serial-returner/1", segment.Deps{Measures: map[string]segment.Measure{
		"bought": segment.Orders().Within(half).Sum("amount"),
		"kept":   segment.NetOrders().Within(half).Sum("amount"),
	}}, func(c segment.Customer) bool {
		bought, _ := c.Measure("bought").Int()
		kept, _ := c.Measure("kept").Int()
		return bought >= 1000_00 && 2*kept < bought
	})
}
