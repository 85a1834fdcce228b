package intake_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/intake"
)

// Reading, mapping and checkpoints, without the sink: rows of two traits and
// two identifiers.
func BenchmarkImport(b *testing.B) {
	const rows = 10_000
	var text strings.Builder
	text.WriteString(memberHeader)
	for n := range rows {
		fmt.Fprintf(&text, "M%d,lumen,138%08d,2026-03-01 08:00:00,G,12,,,,,,,\n", n, n)
	}
	nowhere := intake.SinkFunc(func(_ context.Context, events []profile.Event) ([]profile.Receipt, error) {
		return make([]profile.Receipt, len(events)), nil
	})
	im, err := intake.New(intake.Config{Mapping: members(), Sink: nowhere})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := im.Import(b.Context(), intake.Input{Reader: strings.NewReader(text.String())}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
