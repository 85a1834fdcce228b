package loyalty_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/cxkit/cxkit/loyalty"
)

func benchLedger(b *testing.B) *loyalty.Ledger {
	b.Helper()
	l, err := loyalty.New(loyalty.Config{
		Units: []loyalty.UnitConfig{{Unit: loyalty.Points, Expiry: loyalty.Expiry{Kind: loyalty.ExpireMonths, N: 12}}},
		Cache: 2_000_000,
	})
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// BenchmarkEarn posts awards to ten thousand members in turn.
func BenchmarkEarn(b *testing.B) {
	ctx, l := context.Background(), benchLedger(b)
	names := make([]string, 10_000)
	for i := range names {
		names[i] = "member-" + strconv.Itoa(i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		_, err := l.Post(ctx, loyalty.Earn{Key: "earn-" + strconv.Itoa(i), Account: names[i%len(names)], Amount: 100, Order: "order"})
		if err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkBalance(b *testing.B) {
	for _, lots := range []int{1, 10, 1000} {
		b.Run(fmt.Sprint("lots=", lots), func(b *testing.B) {
			ctx, l := context.Background(), benchLedger(b)
			for i := range lots {
				_, err := l.Post(ctx, loyalty.Earn{Key: strconv.Itoa(i), Account: "member", Amount: 100, At: time.Now().Add(-time.Hour)})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Balance(ctx, "member", "", loyalty.AsOf{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRedeemByLots spends from an account with many open lots.
func BenchmarkRedeemByLots(b *testing.B) {
	for _, lots := range []int{1, 1000} {
		b.Run(fmt.Sprint("lots=", lots), func(b *testing.B) {
			ctx, l := context.Background(), benchLedger(b)
			for i := range lots {
				_, err := l.Post(ctx, loyalty.Earn{Key: strconv.Itoa(i), Account: "member", Amount: loyalty.MaxAmount / 2000})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				if _, err := l.Post(ctx, loyalty.Redeem{Key: "r" + strconv.Itoa(i), Account: "member", Amount: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
