package profilesql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/internal/sqlkit"
)

// partitioned makes profile_event a table of partitions of which there is one,
// profile_event_rest, with all rows. An ID is unique over all partitions because
// it has a row of profile_event_id.
var partitioned = []string{
	`ALTER TABLE profile_event RENAME TO profile_event_rest`,
	`ALTER INDEX profile_event_timeline RENAME TO profile_event_rest_timeline`,
	`CREATE TABLE profile_event (LIKE profile_event_rest) PARTITION BY RANGE (occurred_at)`,
	`ALTER TABLE profile_event ATTACH PARTITION profile_event_rest DEFAULT`,
	`CREATE INDEX profile_event_timeline ON profile_event (evidence, occurred_at, id)`,
	`CREATE INDEX profile_event_key ON profile_event (id)`,
	`CREATE TABLE profile_event_id (id TEXT COLLATE "C" PRIMARY KEY NOT NULL)`,
	`INSERT INTO profile_event_id (id) SELECT id FROM profile_event_rest`,
	`CREATE FUNCTION profile_event_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		DELETE FROM profile_event_id WHERE id = OLD.id;
		RETURN OLD;
	END IF;
	INSERT INTO profile_event_id (id) VALUES (NEW.id);
	RETURN NEW;
END $$`,
	`CREATE TRIGGER once BEFORE INSERT OR DELETE ON profile_event FOR EACH ROW EXECUTE FUNCTION profile_event_once()`,
}

// ownOfMonths are the names that partitioning adds.
var ownOfMonths = []string{"profile_event_rest", "profile_event_rest_timeline", "profile_event_key", "profile_event_id", "profile_event_once"}

// maxMonths bounds how many partitions one call makes.
const maxMonths = 600

// PartitionByMonth keeps the timeline, profile_event, in one partition for each
// month (UTC) through that of a time: profile_event_2026_03 and so on, from that of the
// oldest event on. What has no month yet, and retracted events, which have no
// time, are in profile_event_rest. Call it once a month, with a time in the next: events
// that came for other months meanwhile are moved.
//
// A query over a month then reads that month alone, and months are vacuumed,
// dumped and moved to other disks one by one. A month is not dropped: what
// retention takes away, [profile.Directory.Retain] does, so that what is derived
// stays right. A look-up by ID asks each month, and an event is one small row more.
//
// The first call waits for other transactions and lets none in until it has
// moved the rows; any number of processes may call it at once. There are no
// partitions on SQLite, and none in this way on engines other than PostgreSQL that
// speak its language: [errors.ErrUnsupported] there, and what those say here.
func (s *Store) PartitionByMonth(ctx context.Context, through time.Time) error {
	if s.d != Postgres {
		return fmt.Errorf("profilesql: partitions by month: %w", errors.ErrUnsupported)
	}
	last := monthOf(through)
	return s.write(ctx, func(ex sqlkit.Executor) error {
		var one int64 // who waited for the row sees what the one before has done
		if err := ex.QueryRowContext(ctx, "SELECT id FROM profile_feed WHERE id = 1 FOR UPDATE").Scan(&one); err != nil {
			return err
		}
		var kind string
		err := ex.QueryRowContext(ctx, "SELECT relkind::text FROM pg_catalog.pg_class WHERE oid = 'profile_event'::regclass").Scan(&kind)
		if err != nil {
			return err
		}
		if kind != "p" {
			if err := execAll(ctx, ex, partitioned); err != nil {
				return err
			}
		}
		var oldest sqlkit.Time
		err = ex.QueryRowContext(ctx, "SELECT min(occurred_at) FROM profile_event_rest WHERE occurred_at < $1", last.AddDate(0, 1, 0)).Scan(&oldest)
		if err != nil {
			return err
		}
		month := last
		if !oldest.IsZero() {
			month = monthOf(oldest.Time)
		}
		for n := 0; !month.After(last); month = month.AddDate(0, 1, 0) {
			if n++; n > maxMonths {
				return fmt.Errorf("more than %d months", maxMonths)
			}
			if err := addMonth(ctx, ex, month); err != nil {
				return err
			}
		}
		return nil
	})
}

func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

func addMonth(ctx context.Context, ex sqlkit.Executor, month time.Time) error {
	const bound = "2006-01-02 15:04:05Z"
	next := month.AddDate(0, 1, 0)
	name := "profile_event_" + month.Format("2006_01")
	var there bool
	if err := ex.QueryRowContext(ctx, "SELECT to_regclass('"+name+"') IS NOT NULL").Scan(&there); err != nil || there {
		return err
	}
	within := "occurred_at >= '" + month.Format(bound) + "' AND occurred_at < '" + next.Format(bound) + "'"
	return execAll(ctx, ex, []string{
		"CREATE TABLE " + name + " (LIKE profile_event_rest)",
		"WITH gone AS (DELETE FROM profile_event_rest WHERE " + within + " RETURNING *) INSERT INTO " + name + " SELECT * FROM gone",
		"ALTER TABLE profile_event ATTACH PARTITION " + name + " FOR VALUES FROM ('" + month.Format(bound) + "') TO ('" + next.Format(bound) + "')",
		"INSERT INTO profile_event_id (id) SELECT id FROM " + name,
	})
}

func execAll(ctx context.Context, ex sqlkit.Executor, texts []string) error {
	for _, text := range texts {
		if _, err := ex.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}
