package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/examples/retail/input"
	"github.com/cxkit/cxkit/examples/retail/progress"
	"github.com/cxkit/cxkit/examples/retail/report"
	"github.com/cxkit/cxkit/examples/retail/world"
)

// Seeds other than the one that is shown, in a world small enough for a test.
func TestAnyYearHoldsAgainstItsTruth(t *testing.T) {
	for _, seed := range []uint64{2, 20260217} {
		cfg := world.Config{Seed: seed, Customers: 300, Earn: earn}
		l, w, err := live(t.Context(), cfg, nil, progress.New(io.Discard))
		require.NoError(t, err)
		v, err := scoreboard(t.Context(), l, w)
		require.NoError(t, err)
		require.Equal(t, v.cards, v.right, "seed %d: every card has the points that the generator computed on its own", seed)
		require.Greater(t, v.identity.Knowable.Precision(), 0.95, "seed %d", seed)
		require.Greater(t, v.identity.Knowable.Recall(), 0.95, "seed %d", seed)
	}
}

func TestSameSeedSameReport(t *testing.T) {
	var runs [2][]string
	for i := range runs {
		r, err := generated(t.Context(), world.Config{Seed: 7, Customers: 100}, nil, progress.New(io.Discard))
		require.NoError(t, err)
		runs[i] = strings.Split(text(t, r), "\n")
	}
	require.Contains(t, strings.Join(runs[0], "\n"), "nps.purchase, on its way", "what customers say is told for each state of the delivery")
	require.Len(t, runs[1], len(runs[0]))
	for i, line := range runs[0] {
		require.Equal(t, line, runs[1][i], "line %d", i+1)
	}
}

func text(t *testing.T, r report.Report) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.Text(&b))
	return b.String()
}

func TestOlistReconciles(t *testing.T) {
	r := replayOf(t, func(data string) (recording, error) { return fromOlist(filepath.Join(data, "olist")) })
	require.Contains(t, text(t, r), "All 18 figures are equal.")
}

func TestCDNOWReconciles(t *testing.T) {
	r := replayOf(t, func(data string) (recording, error) {
		return fromCDNOW(filepath.Join(data, "cdnow", "CDNOW_sample.txt"))
	})
	require.Contains(t, text(t, r), "All 11 figures are equal.")
}

func replayOf(t *testing.T, open func(data string) (recording, error)) report.Report {
	t.Helper()
	data := os.Getenv("CXKIT_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(data); err != nil {
		t.Skip("no data: set CXKIT_DATA to the folder that holds olist and cdnow")
	}
	in, err := open(data)
	require.NoError(t, err)
	r, doubt, err := in.replay(t.Context(), nil, progress.New(io.Discard))
	require.NoError(t, err)
	require.NoError(t, doubt)
	return r
}

// A missing file names itself; a broken row is reported with its line, and too
// many of them end the run with an error.
func TestWhatCannotBeTrustedIsAnError(t *testing.T) {
	_, err := fromOlist(t.TempDir())
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "customers.csv")

	file := filepath.Join(t.TempDir(), "cdnow.txt")
	lines := strings.Repeat(" 00004 0001 19970101  2   29.33\n", 3) + " 00004 0001 1997-1-1  2   29.33\n"
	require.NoError(t, os.WriteFile(file, []byte(lines), 0o600))
	in, err := fromCDNOW(file)
	require.NoError(t, err)
	r, doubt, err := in.replay(context.Background(), nil, progress.New(io.Discard))
	require.NoError(t, err)
	require.ErrorIs(t, doubt, input.ErrUntrusted)
	require.Contains(t, text(t, r), "cdnow.txt:4")
}
