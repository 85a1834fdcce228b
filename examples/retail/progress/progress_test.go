package progress

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWithoutATerminalAFewPlainLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(&out)
		s := p.Stage("stitching", "events", 40_000)
		for range 40_000 {
			s.Add(1)
		}
		time.Sleep(1500 * time.Millisecond)
		s.Done()
		small := p.Stage("reading", "orders", 10)
		small.Add(8)
		small.Done()
		p.Close()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		require.Len(t, lines, 3)
		require.Equal(t, []string{"stitching", "20,000", "of", "40,000", "events"}, strings.Fields(lines[0]))
		require.Equal(t, []string{"stitching", "40,000", "events", "in", "1.5s"}, strings.Fields(lines[1]))
		require.Equal(t, []string{"reading", "8", "orders", "in", "0s"}, strings.Fields(lines[2]))
		require.NotContains(t, out.String(), "\x1b", "no escape sequences")
	})
}

func TestANilStageCountsNothing(t *testing.T) {
	var s *Stage
	s.Add(1)
	s.Done()
}
