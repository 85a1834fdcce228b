package readme

import (
	"testing"

	"github.com/cxkit/cxkit/segment/segmenttest"
)

func TestSerialReturner(t *testing.T) {
	c := segmenttest.New(t, SerialReturner(), "Asia/Shanghai").
		Order("A1", "2026-03-01 10:00", 800_00).
		Order("A2", "2026-03-05", 400_00)
	c.At("2026-03-09").Out().Forever()
	c.Refund("A1", "2026-03-10 12:00", 800_00)
	c.At("2026-03-10 11:59").Out()
	c.At("2026-03-10 12:00").In().Until("2026-08-28 10:00") // then A1 is 180 days old
}
