package profile_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

// Of the feed at least KeepChanges rows are kept; who comes with an older cursor
// is told so, and nobody is given a feed with a gap.
func TestOldRowsOfTheFeedExpire(t *testing.T) {
	const keep, events = 1000, 30_000
	d := open(t, profile.Config{KeepChanges: keep, NewID: func() func() profile.ID {
		n := 0
		return func() profile.ID { n++; return profile.ID(strconv.Itoa(n)) }
	}()})
	var last uint64
	for i := range events {
		last = observe(t, d, event(strconv.Itoa(i), day(1).Add(time.Duration(i)*time.Second), device(strconv.Itoa(i%7)))).Seq
	}
	read := func(after uint64) (first, n uint64, err error) {
		for c, err := range d.Changes(t.Context(), after) {
			if err != nil {
				return first, n, err
			}
			if first == 0 {
				first = c.Seq
			}
			require.Equal(t, first+n, c.Seq)
			n++
		}
		return first, n, nil
	}
	_, n, err := read(0)
	require.ErrorIs(t, err, profile.ErrCursorExpired)
	require.Zero(t, n)

	oldest := uint64(0) // the oldest cursor that is served
	for lo, hi := uint64(0), last; lo < hi; {
		middle := (lo + hi) / 2
		if _, _, err := read(middle); err != nil {
			lo = middle + 1
		} else {
			hi, oldest = middle, middle
		}
	}
	require.Positive(t, oldest)
	require.LessOrEqual(t, oldest, last-keep)
	require.Greater(t, oldest, last-keep-3*4096, "what is older is dropped")
	first, n, err := read(oldest)
	require.NoError(t, err)
	require.Equal(t, oldest+1, first)
	require.Equal(t, last-oldest, n)
	_, _, err = read(oldest - 1)
	require.ErrorIs(t, err, profile.ErrCursorExpired)
	_, n, err = read(last)
	require.NoError(t, err)
	require.Zero(t, n)
	_, n, err = read(last + 1000)
	require.NoError(t, err)
	require.Zero(t, n, "a cursor ahead of the feed waits for it")
}

// A reader whose rows expire while it reads is told so, and skips none.
func TestFeedExpiresUnderItsReader(t *testing.T) {
	d := open(t, profile.Config{KeepChanges: 10})
	observe(t, d, event("first", day(1), device("1")))
	var seen uint64
	var failed error
	for c, err := range d.Changes(t.Context(), 0) {
		if err != nil {
			failed = err
			break
		}
		require.Equal(t, seen+1, c.Seq)
		seen = c.Seq
		for i := range 20_000 {
			if seen == 1 {
				observe(t, d, event(strconv.Itoa(i), day(1), device("1")))
			}
		}
	}
	require.ErrorIs(t, failed, profile.ErrCursorExpired)
}

// What was recorded before a time is purged by whole blocks; what readers may
// still come for stays.
func TestTheFeedIsPurgedByTime(t *testing.T) {
	now := day(1)
	d := open(t, profile.Config{Now: func() time.Time { return now }, MaxAhead: -1})
	var last uint64
	for i := range 10_000 {
		now = now.Add(time.Second)
		last = observe(t, d, event(strconv.Itoa(i), day(1), device("1"))).Seq
	}
	n, err := d.PurgeChanges(t.Context(), day(1))
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = d.PurgeChanges(t.Context(), now.Add(-time.Second))
	require.NoError(t, err)
	require.Equal(t, 8192, n)
	for _, err := range d.Changes(t.Context(), uint64(n)-1) {
		require.ErrorIs(t, err, profile.ErrCursorExpired)
	}
	seen := uint64(n)
	for c, err := range d.Changes(t.Context(), seen) {
		require.NoError(t, err)
		seen++
		require.Equal(t, seen, c.Seq)
	}
	require.Equal(t, last, seen)
}
