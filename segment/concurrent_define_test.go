package segment_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

// Definitions come, change and go beside readers; for the race detector.
func TestReadersBesideDefinitions(t *testing.T) {
	s := newShop(t)
	s.define("rich", atLeastPoints(3))
	s.define("made of it", segment.Not(segment.In("rich")))
	visits := segment.Events("visit").Within(segment.Days(2))
	v, err := s.engine.View("made of it")
	require.NoError(t, err)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	clock := s.now.Add(time.Hour)
	for range 2 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := customer(i % 12)
				v.Contains(id)
				v.Len()
				s.engine.NextDue()
				_, err := v.ContainsAt(t.Context(), id, clock.Add(100*time.Hour))
				if err == nil {
					_, err = v.Audience()
				}
				if err == nil {
					_, err = s.engine.Explain(t.Context(), "rich", id, clock.Add(100*time.Hour))
				}
				if err == nil && i%4 == 0 {
					_, err = v.MembersAt(s.now)
				}
				if err == nil && i%8 == 0 {
					_, err = s.engine.Count(t.Context(), time.Time{}, segment.Definition{Rule: segment.All(segment.In("rich"), visits.AtLeast(1))})
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 150 {
		def := segment.Definition{Name: "rich", Rule: segment.All(atLeastPoints(i%9), segment.Any(visits.AtLeast(1+i%2), atLeastPoints(5)))}
		_, err := s.engine.Redefine(t.Context(), s.now, def, segment.RedefineOptions{DryRun: i%3 == 0})
		require.NoError(t, err)
		passing := segment.Definition{Name: fmt.Sprint("passing ", i), Rule: visits.Sum("n").AtLeast(profile.Int(int64(i % 3)))}
		require.NoError(t, s.engine.Define(t.Context(), s.now, passing))
		require.NoError(t, s.history.Observe(customer(i%12), profile.Event{
			ID: fmt.Sprint("more ", i), Name: "visit", Time: s.now, Properties: profile.Values{"n": profile.Int(1)},
		}))
		require.NoError(t, s.engine.CatchUp(t.Context()))
		require.NoError(t, s.engine.Checkpoint(t.Context()))
		require.NoError(t, s.engine.Drop(t.Context(), s.now, passing.Name))
	}
	close(stop)
	readers.Wait()
}
