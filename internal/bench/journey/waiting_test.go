package journey

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/journeysql"
	"github.com/cxkit/cxkit/profile"
)

var start = time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)

// shop is an engine on SQLite with a number of instances waiting, a thousand
// due at each minute from a day after start on.
type shop struct {
	db     *sql.DB
	store  *journeysql.Store
	engine *journey.Engine
	now    time.Time
	n      int
}

func openShop(b *testing.B, waiting, gather int) *shop {
	ctx := context.Background()
	s := &shop{db: openSQLite(b), now: start}
	var err error
	if s.store, err = journeysql.New(s.db, journeysql.SQLite); err != nil {
		b.Fatal(err)
	}
	if err := s.store.Migrate(ctx); err != nil {
		b.Fatal(err)
	}
	s.engine, err = journey.New(journey.Config{Store: s.store, Gather: gather, Now: func() time.Time { return s.now }})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.engine.Deploy(ctx, threeSteps()); err != nil {
		b.Fatal(err)
	}
	s.fill(b, waiting)
	return s
}

// fill copies the rows of one instance as often as it takes, each with an ID and
// a customer of its own. A thousand have started in each minute before start.
func (s *shop) fill(b *testing.B, n int) {
	ctx := context.Background()
	if _, err := s.engine.Ingest(ctx, journey.Input{ID: "model", Name: "order.paid", Customer: "model", Time: start, Received: start}); err != nil {
		b.Fatal(err)
	}
	minute := func(k string, from time.Time) string { return fmt.Sprintf("(%d + (%s) / 1000 * 60)", from.Unix(), k) }
	at := func(seconds string) string {
		return "strftime('%Y-%m-%dT%H:%M:%S.000000Z', " + seconds + ", 'unixepoch')"
	}
	began, due := minute(fmt.Sprintf("k - %d", n), start), at(minute("k", start.Add(24*time.Hour)))
	id := "printf('%08x%08x%016x', " + began + ", (k * 2654435761) & 0xffffffff, k)"
	for table, change := range map[string]map[string]string{
		"journey_instance": {
			"id": id, "customer": "'w' || printf('%09d', k)", "wake_at": due, "due_at": due,
			"started_at": at(began), "entered_at": at(began), "burst_at": at(began),
		},
		"journey_entry":   {"customer": "'w' || printf('%09d', k)", "entered_at": at(began)},
		"journey_input":   {"id": "'w' || k", "customer": "'w' || printf('%09d', k)", "happened_at": at(began), "instances": "'[\"' || " + id + " || '\"]'"},
		"journey_history": {"n": "NULL", "instance": id, "customer": "'w' || printf('%09d', k)", "happened_at": at(began)},
	} {
		rows, err := s.db.Query("SELECT name FROM pragma_table_info('" + table + "')")
		if err != nil {
			b.Fatal(err)
		}
		var names, values []string
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				b.Fatal(err)
			}
			value := "t." + name
			if v, ok := change[name]; ok {
				value = v
			}
			names, values = append(names, name), append(values, value)
		}
		if err := rows.Close(); err != nil {
			b.Fatal(err)
		}
		_, err = s.db.Exec("WITH RECURSIVE c(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM c WHERE k + 1 < ?) INSERT INTO "+table+
			" ("+strings.Join(names, ", ")+") SELECT "+strings.Join(values, ", ")+" FROM c, (SELECT * FROM "+table+" LIMIT 1) t", n)
		if err != nil {
			b.Fatal(table, err)
		}
	}
	if _, err := s.db.Exec("DELETE FROM journey_instance WHERE customer = 'model'"); err != nil {
		b.Fatal(err)
	}
	if _, err := s.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		b.Fatal(err)
	}
}

// pass takes a thousand new instances through their three steps.
func (s *shop) pass(b *testing.B) {
	ctx := context.Background()
	inputs := make([]journey.Input, flows)
	for i := range inputs {
		inputs[i] = journey.Input{ID: fmt.Sprintf("in-%08d", s.n), Name: "order.paid", Customer: profile.ID(fmt.Sprintf("c%08d", s.n)), Time: s.now, Received: s.now}
		s.n++
	}
	if _, err := s.engine.IngestBatch(ctx, inputs); err != nil {
		b.Fatal(err)
	}
	for range 3 {
		p, err := s.engine.RunDue(ctx, s.now.Add(time.Hour))
		if err != nil || p.Timers != flows {
			b.Fatal(p, err)
		}
		s.now = s.now.Add(time.Hour)
	}
	s.now = s.now.Add(-3 * time.Hour) // before those that wait are due
}

// BenchmarkWaiting takes a thousand instances through three steps while others
// wait, a thousand and a million.
func BenchmarkWaiting(b *testing.B) {
	for _, gather := range []int{1, 0} {
		var few float64
		for _, waiting := range []int{1000, 1_000_000} {
			b.Run(fmt.Sprintf("gather-%d/waiting-%d", gather, waiting), func(b *testing.B) {
				s := openShop(b, waiting, gather)
				s.pass(b)
				for b.Loop() {
					s.pass(b)
				}
				us := b.Elapsed().Seconds() * 1e6 / float64(b.N) / flows
				b.ReportMetric(us, "µs/instance")
				if waiting == 1000 {
					few = us
				}
				b.ReportMetric(us/few, "x-of-a-thousand")
			})
		}
	}
}

// BenchmarkClaim claims the thousand that are due of a million that wait.
func BenchmarkClaim(b *testing.B) {
	ctx := context.Background()
	s := openShop(b, 1_000_000, 0)
	now := start.Add(24 * time.Hour)
	claim := func() {
		due, err := s.store.Claim(ctx, journey.Claim{Now: now, Until: now.Add(time.Minute), Token: "t", Limit: 1000})
		if err != nil || len(due) != 1000 {
			b.Fatal(len(due), err)
		}
		b.StopTimer()
		var done journey.Batch
		for i := range due {
			due[i].Instance.Wake = time.Time{}
			done.Instances = append(done.Instances, *due[i].Instance)
		}
		if err := s.store.Commit(ctx, &done); err != nil {
			b.Fatal(err)
		}
		now = now.Add(time.Minute)
		b.StartTimer()
	}
	claim()
	for b.Loop() {
		claim()
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N), "ms/claim")
}
