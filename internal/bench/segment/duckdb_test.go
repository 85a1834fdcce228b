// Package segment measures package segment beside a column store, DuckDB, on the
// same customers in one run.
//
//	GOWORK=off go test -run - -bench DuckDB ./segment
package segment

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"flag"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
	"github.com/duckdb/duckdb-go/v2"
)

var customers = flag.Int("customers", 10_000_000, "customers of the benchmark")

// customer is what both sides know of one.
type customer struct {
	half, tenth, hundredth, phone bool
	spend, visits                 int64
	city, tier                    string
}

var (
	cities = [...]string{"Shanghai", "Beijing", "Guangzhou", "Shenzhen", "Chengdu", "Hangzhou", "Wuhan", "Xi'an", "Suzhou", "Nanjing"}
	tiers  = [...]string{"basic", "basic", "basic", "silver", "silver", "gold", "gold", "platinum"}
)

// customerOf makes the i-th customer, always the same, by the finalizer of
// SplitMix64.
func customerOf(i int) customer {
	x := uint64(i+1) * 0x9e3779b97f4a7c15
	next := func(n uint64) uint64 {
		x += 0x9e3779b97f4a7c15
		z := x
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return (z ^ z>>31) % n
	}
	return customer{
		half: next(100) < 50, tenth: next(100) < 10, hundredth: next(100) < 1, phone: next(100) < 70,
		spend: int64(next(1_000_000)), visits: int64(next(200)),
		city: cities[next(uint64(len(cities)))], tier: tiers[next(uint64(len(tiers)))],
	}
}

func keyOf(i int) profile.ID { return profile.ID(fmt.Sprintf("customer-%08d", i)) }

// shop is a history of customers with traits and no events.
type shop struct{ n int }

func (s shop) Changes(_ context.Context, after uint64) iter.Seq2[profile.Change, error] {
	return func(yield func(profile.Change, error) bool) {
		for i := int(after); i < s.n; i++ {
			c := profile.Change{Seq: uint64(i) + 1, Kind: profile.Created, Profile: keyOf(i), RecordedAt: opening}
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (s shop) Get(_ context.Context, id profile.ID) (profile.Profile, error) {
	var i int
	for _, digit := range id[len("customer-"):] {
		i = i*10 + int(digit-'0')
	}
	c := customerOf(i)
	return profile.Profile{ID: id, Traits: []profile.Trait{
		{Name: "half", Value: profile.Flag(c.half)},
		{Name: "tenth", Value: profile.Flag(c.tenth)},
		{Name: "hundredth", Value: profile.Flag(c.hundredth)},
		{Name: "phone", Value: profile.Flag(c.phone)},
		{Name: "spend", Value: profile.Int(c.spend)},
		{Name: "visits", Value: profile.Int(c.visits)},
		{Name: "city", Value: profile.Text(c.city)},
		{Name: "tier", Value: profile.Text(c.tier)},
	}}, nil
}

func (s shop) Timeline(context.Context, profile.ID) iter.Seq2[profile.Event, error] {
	return func(func(profile.Event, error) bool) {}
}

func (s shop) Event(context.Context, string) (profile.Event, profile.ID, error) {
	return profile.Event{}, "", profile.ErrNotFound
}

var opening = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// question is a rule and what a data analyst would write for it.
type question struct {
	name string
	rule segment.Rule
	sql  string
	bar  float64 // how many times as fast as DuckDB
	keys bool    // the members' keys instead of their number
	scan bool    // not slower than a scan of a plain slice either
}

var (
	two   = segment.All(segment.Attr("half").True(), segment.Attr("tenth").True())
	three = segment.All(segment.Attr("half").True(), segment.Attr("tenth").True(), segment.Not(segment.Attr("hundredth").True()))
	spend = segment.Attr("spend").Between(profile.Int(250_000), profile.Int(750_000))
	eight = segment.All(
		segment.Attr("half").True(),
		segment.Attr("phone").True(),
		segment.Not(segment.Attr("hundredth").True()),
		segment.Any(segment.Attr("tenth").True(), segment.Attr("tier").Is("gold", "platinum")),
		segment.Attr("city").Is("Shanghai", "Beijing", "Guangzhou", "Shenzhen"),
		spend,
		segment.Attr("visits").AtLeast(profile.Int(50)),
	)
)

var questions = []question{
	{name: "two", rule: two, sql: "count(*) FROM p WHERE half AND tenth", bar: 100},
	{name: "three", rule: three, sql: "count(*) FROM p WHERE half AND tenth AND NOT hundredth", bar: 80},
	{name: "three with keys", rule: three, sql: "key FROM p WHERE half AND tenth AND NOT hundredth", bar: 40, keys: true},
	{name: "range", rule: spend, sql: "count(*) FROM p WHERE spend BETWEEN 250000 AND 750000", bar: 4, scan: true},
	{name: "eight", rule: eight, sql: "count(*) FROM p WHERE half AND phone AND NOT hundredth AND (tenth OR tier IN ('gold', 'platinum')) " +
		"AND city IN ('Shanghai', 'Beijing', 'Guangzhou', 'Shenzhen') AND spend BETWEEN 250000 AND 750000 AND visits >= 50", bar: 20},
}

// filled are both sides with the same customers.
type filled struct {
	engine *segment.Engine
	conn   *sql.Conn
	spends []int64
	took   [2]time.Duration
}

var fill = sync.OnceValues(func() (f filled, err error) {
	ctx := context.Background()
	var wait sync.WaitGroup
	var duckErr error
	wait.Go(func() {
		begin := time.Now()
		f.conn, duckErr = loadDuckDB(ctx, *customers)
		f.took[1] = time.Since(begin)
	})
	begin := time.Now()
	f.engine, err = segment.New(segment.Config{History: shop{*customers}})
	if err == nil {
		err = f.engine.CatchUp(ctx)
	}
	if err == nil { // brings every attribute in at once
		_, err = f.engine.Count(ctx, time.Time{}, segment.Definition{Rule: eight})
	}
	f.took[0] = time.Since(begin)
	for i := range *customers {
		f.spends = append(f.spends, customerOf(i).spend)
	}
	wait.Wait()
	if err == nil {
		err = duckErr
	}
	runtime.GC() // of what the filling left
	return f, err
})

func loadDuckDB(ctx context.Context, n int) (*sql.Conn, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	_, err = conn.ExecContext(ctx, `CREATE TABLE p (key VARCHAR, half BOOLEAN, tenth BOOLEAN, hundredth BOOLEAN, phone BOOLEAN,
		spend BIGINT, visits BIGINT, city VARCHAR, tier VARCHAR)`)
	if err != nil {
		return nil, err
	}
	err = conn.Raw(func(raw any) error {
		app, err := duckdb.NewAppenderFromConn(raw.(driver.Conn), "", "p")
		if err != nil {
			return err
		}
		for i := range n {
			c := customerOf(i)
			if err := app.AppendRow(string(keyOf(i)), c.half, c.tenth, c.hundredth, c.phone, c.spend, c.visits, c.city, c.tier); err != nil {
				return err
			}
		}
		return app.Close()
	})
	return conn, err
}

// BenchmarkDuckDB asks both sides the same, prepared and warm, in turns. The
// metrics are medians in milliseconds and how many times as fast segment is.
func BenchmarkDuckDB(b *testing.B) {
	f, err := fill()
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d customers; segment filled in %s, DuckDB in %s", *customers, f.took[0].Round(time.Second), f.took[1].Round(time.Second))
	ctx := b.Context()
	for _, q := range questions {
		b.Run(q.name, func(b *testing.B) {
			ours, err := f.engine.Prepare(ctx, segment.Definition{Rule: q.rule})
			if err != nil {
				b.Fatal(err)
			}
			theirs, err := f.conn.PrepareContext(ctx, "SELECT "+q.sql)
			if err != nil {
				b.Fatal(err)
			}
			defer theirs.Close()
			var mine, duck, plain []time.Duration
			for b.Loop() {
				var n, m, scanned int
				for range 5 {
					mine = append(mine, timed(func() { n, err = askSegment(ctx, ours, q.keys) }))
					if err != nil {
						b.Fatal(err)
					}
				}
				duck = append(duck, timed(func() { m, err = askDuckDB(ctx, theirs, q.keys) }))
				if err != nil {
					b.Fatal(err)
				}
				if q.scan {
					plain = append(plain, timed(func() { scanned = scan(f.spends, 250_000, 750_000) }))
				}
				if n != m || q.scan && n != scanned {
					b.Fatalf("segment finds %d, DuckDB %d, a scan %d", n, m, scanned)
				}
			}
			milli := func(of []time.Duration) float64 { return float64(median(of)) / 1e6 }
			ratio := milli(duck) / milli(mine)
			b.ReportMetric(milli(mine), "ms")
			b.ReportMetric(milli(duck), "duckdb-ms")
			b.ReportMetric(ratio, "x-of-duckdb")
			b.ReportMetric(0, "ns/op")
			verdict := "met"
			if ratio < q.bar {
				verdict = "MISSED"
			}
			line := fmt.Sprintf("%-16s segment %8.3f ms  DuckDB %8.3f ms  %6.1f times (wanted %3.0f): %s", q.name, milli(mine), milli(duck), ratio, q.bar, verdict)
			if q.scan {
				b.ReportMetric(milli(plain)/milli(mine), "x-of-scan")
				line += fmt.Sprintf("; plain scan %.3f ms", milli(plain))
			}
			b.Log(line)
		})
	}
}

func timed(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}

func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}

func askSegment(ctx context.Context, q *segment.Query, keys bool) (int, error) {
	if !keys {
		return q.Count(ctx, time.Time{})
	}
	a, err := q.Select(ctx, time.Time{})
	if err != nil {
		return 0, err
	}
	n, size := 0, 0
	for id := range a.Unordered() {
		n++
		size += len(id)
	}
	if size != n*len("customer-00000000") {
		return 0, fmt.Errorf("keys of %d bytes", size)
	}
	return n, nil
}

func askDuckDB(ctx context.Context, stmt *sql.Stmt, keys bool) (n int, err error) {
	if !keys {
		err = stmt.QueryRowContext(ctx).Scan(&n)
		return n, err
	}
	rows, err := stmt.QueryContext(ctx)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var key string
	for rows.Next() {
		if err := rows.Scan(&key); err != nil {
			return 0, err
		}
		n++
	}
	return n, rows.Err()
}

// scan counts without branches, as good Go code would.
func scan(values []int64, lo, hi int64) (n int) {
	for _, v := range values {
		if uint64(v-lo) <= uint64(hi-lo) {
			n++
		}
	}
	return n
}
