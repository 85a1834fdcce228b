package segment_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
	"github.com/stretchr/testify/require"
)

// TestReadersBesideTheEngine is for the race detector.
func TestReadersBesideTheEngine(t *testing.T) {
	ctx := t.Context()
	var mu sync.Mutex
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	h := &segment.MemoryHistory{Now: clock}
	e, err := segment.New(segment.Config{History: h})
	require.NoError(t, err)
	busy := segment.All(
		segment.Events("visit").Within(segment.Days(2)).AtLeast(2),
		segment.Attr("tier").Is("gold"),
		segment.Attr("points").AtLeast(profile.Int(10)),
	)
	require.NoError(t, e.Define(ctx, now, segment.Definition{Name: "busy", Rule: busy}))
	v, err := e.View("busy")
	require.NoError(t, err)
	adHoc := segment.Definition{Rule: segment.Any(
		segment.Attr("points").Below(profile.Int(50)),
		segment.Events("visit").Within(segment.Days(1)).Sum("n").AtLeast(profile.Int(3)),
	)}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for r := range 2 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := profile.ID(fmt.Sprint("c", (i+r)%40))
				v.Contains(id)
				if _, err := v.ContainsAt(ctx, id, clock().Add(time.Hour)); err != nil {
					t.Error(err)
				}
				if i%8 == 0 {
					a, err := e.Select(ctx, time.Time{}, adHoc)
					if err != nil {
						t.Error(err)
						return
					}
					if n := len(a.Page("", 1000)); n != a.Len() {
						t.Errorf("%d keys of %d members", n, a.Len())
					}
				}
				if _, err := e.Explain(ctx, "busy", id, clock()); err != nil && !errors.Is(err, segment.ErrUnknownCustomer) && !errors.Is(err, segment.ErrPast) {
					t.Error(err)
				}
			}
		})
	}
	for i := range 1500 {
		mu.Lock()
		now = now.Add(time.Minute)
		mu.Unlock()
		id := profile.ID(fmt.Sprint("c", i*7%40))
		require.NoError(t, h.Observe(id, profile.Event{
			ID: fmt.Sprint("e", i), Name: "visit", Time: now.Add(-time.Duration(i%90) * time.Minute),
			Properties: profile.Values{"n": profile.Int(int64(i % 3))},
			Traits:     profile.Values{"tier": profile.Text([]string{"gold", "basic"}[i%2]), "points": profile.Int(int64(i % 100))},
		}))
		require.NoError(t, e.CatchUp(context.Background()))
	}
	close(stop)
	readers.Wait()
}
