package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/profilesql"
	"github.com/cxkit/cxkit/profile/profiletest"
)

// TestTheTimelineByMonth: rows that were there keep their meaning, the suite
// passes on the partitions, an ID is unique over all of them, and a query over a
// month reads that month.
func TestTheTimelineByMonth(t *testing.T) {
	for _, prefix := range []string{"", "crm.eu_"} {
		t.Run("prefix "+prefix, func(t *testing.T) {
			ctx := context.Background()
			db := Postgres(t, 8)
			s, err := profilesql.New(db, profilesql.Postgres, option(prefix)...)
			require.NoError(t, err)
			require.NoError(t, s.Migrate(ctx))
			fresh := components[0].fresh(t, profilesql.Postgres, prefix)
			count := func(table string) (n int) {
				require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM "+prefix+table).Scan(&n))
				return n
			}
			if prefix == "" {
				writeProfiles(t, db, profilesql.Postgres, 1)
			}
			before := rowsOf(t, db, prefix+"profile_event")
			errs := make(chan error, 3)
			for range cap(errs) {
				go func() { errs <- s.PartitionByMonth(ctx, march.AddDate(0, 1, 0)) }()
			}
			for range cap(errs) {
				require.NoError(t, <-errs)
			}
			require.Equal(t, before, rowsOf(t, db, prefix+"profile_event"))
			require.Equal(t, len(before), count("profile_event_id"))
			if prefix == "" {
				require.Equal(t, 4, count("profile_event_2026_03"))
				require.Equal(t, 2, count("profile_event_rest"), "a retracted event and an erased one have no time")
				want, err := os.ReadFile(filepath.Join("testdata", "past", "profile", "0001.txt"))
				require.NoError(t, err)
				require.Equal(t, string(want), strings.Join(readProfiles(t, db, profilesql.Postgres, 1), "\n")+"\n")
			}
			profiletest.TestStore(t, func(t testing.TB) profile.Store {
				for _, text := range fresh {
					_, err := db.Exec(text)
					require.NoError(t, err)
				}
				return s
			})

			for _, text := range fresh {
				_, err := db.Exec(text)
				require.NoError(t, err)
			}
			require.Zero(t, count("profile_event_id"))
			event := func(id string, at time.Time) error {
				return s.Commit(ctx, profile.Batch{Events: []profile.EventRow{{Event: profile.Event{ID: id, Time: at}, Evidence: profile.EvidenceKey{1}}}})
			}
			for m := range 6 {
				require.NoError(t, event(fmt.Sprint(m), march.AddDate(0, m-1, 0)))
				require.ErrorIs(t, event(fmt.Sprint(m), march.AddDate(0, 3-m, 0)), profile.ErrConflict, "another month does not hide it")
			}
			if prefix == "" {
				require.Equal(t, 4, count("profile_event_rest"), "months that nobody has made yet")
			}
			require.NoError(t, s.PartitionByMonth(ctx, march.AddDate(0, 3, 0)))
			require.Equal(t, 1, count("profile_event_rest"), "and one that is later than asked for")
			require.Equal(t, 6, count("profile_event_id"))
			for _, month := range []string{"2026_02", "2026_03", "2026_04", "2026_05", "2026_06"} {
				require.Equal(t, 1, count("profile_event_"+month), month)
			}
			require.NoError(t, s.Commit(ctx, profile.Batch{Events: []profile.EventRow{{Event: profile.Event{ID: "2"}, Retracted: true, Known: true}}}))
			require.Equal(t, 2, count("profile_event_rest"), "a retracted event leaves its month")
			require.ErrorIs(t, event("2", march), profile.ErrConflict, "and keeps its ID")

			var plan strings.Builder
			require.NoError(t, sqlkit.Scan(ctx, db, func(r *sql.Rows) error {
				var line string
				err := r.Scan(&line)
				plan.WriteString(line + "\n")
				return err
			}, "EXPLAIN SELECT COUNT(*) FROM "+prefix+"profile_event WHERE occurred_at >= '2026-03-01Z' AND occurred_at < '2026-04-01Z'"))
			require.Contains(t, plan.String(), "profile_event_2026_03")
			for _, other := range []string{"2026_02", "2026_04", "rest"} {
				require.NotContains(t, plan.String(), other)
			}
			for _, name := range schema(t, db, profilesql.Postgres) {
				require.True(t, strings.HasPrefix(name, prefix), name)
			}
		})
	}
	lite := must(profilesql.New(SQLite(t, 1, "off"), profilesql.SQLite))
	require.True(t, errors.Is(lite.PartitionByMonth(context.Background(), march), errors.ErrUnsupported))
}
