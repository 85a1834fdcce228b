package journey

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	_ "modernc.org/sqlite"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/journeysql"
	"github.com/cxkit/cxkit/profile"
)

// flows is how many instances one operation takes through three steps.
const flows = 1000

// openSQLite opens an empty database; both sides use the same data source name,
// and one connection, as River's SQLite driver advises. What the side before left
// to be written to the disk is written first.
func openSQLite(tb testing.TB) *sql.DB {
	tb.Helper()
	syscall.Sync()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(tb.TempDir(), "bench.db")+
		"?_txlock=immediate&_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=busy_timeout(10000)")
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// stepArgs is a step of a flow as a job of River.
type stepArgs struct {
	Flow int `json:"flow"`
	Step int `json:"step"`
}

func (stepArgs) Kind() string { return "step" }

// stepWorker ends a step and begins the next in one transaction, so that no
// step is lost or done twice; ended hears of the third.
type stepWorker struct {
	river.WorkerDefaults[stepArgs]
	db     *sql.DB
	atomic bool // else the next step is inserted by itself, and River ends this one when it comes to it
	ended  chan<- struct{}
}

func (w *stepWorker) Work(ctx context.Context, job *river.Job[stepArgs]) error {
	if !w.atomic {
		if job.Args.Step == 3 {
			w.ended <- struct{}{}
			return nil
		}
		_, err := river.ClientFromContext[*sql.Tx](ctx).Insert(ctx, stepArgs{job.Args.Flow, job.Args.Step + 1}, nil)
		return err
	}
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if job.Args.Step < 3 {
		client := river.ClientFromContext[*sql.Tx](ctx)
		if _, err := client.InsertTx(ctx, tx, stepArgs{job.Args.Flow, job.Args.Step + 1}, nil); err != nil {
			return err
		}
	}
	if _, err := river.JobCompleteTx[*riversqlite.Driver](ctx, tx, job); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if job.Args.Step == 3 {
		w.ended <- struct{}{}
	}
	return nil
}

// BenchmarkDurableFlow takes instances through three durable steps after their
// start, on SQLite with synchronous=NORMAL: with River, one transaction a step;
// with the engine, one commit a step; and with the engine in batches.
func BenchmarkDurableFlow(b *testing.B) {
	ctx := context.Background()
	var peer float64
	for _, atomic := range []bool{true, false} {
		b.Run(map[bool]string{true: "river", false: "river-loose"}[atomic], func(b *testing.B) {
			db := openSQLite(b)
			driver := riversqlite.New(db)
			m, err := rivermigrate.New(driver, nil)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
				b.Fatal(err)
			}
			ended := make(chan struct{}, flows)
			workers := river.NewWorkers()
			river.AddWorker(workers, &stepWorker{db: db, atomic: atomic, ended: ended})
			client, err := river.NewClient(driver, &river.Config{
				Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Workers: workers,
				Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}},
				FetchCooldown: time.Millisecond, FetchPollInterval: time.Millisecond,
			})
			if err != nil {
				b.Fatal(err)
			}
			if err := client.Start(ctx); err != nil {
				b.Fatal(err)
			}
			defer func() { _ = client.Stop(ctx) }()
			n := 0
			for b.Loop() {
				many := make([]river.InsertManyParams, flows)
				for i := range many {
					many[i].Args = stepArgs{n, 1}
					n++
				}
				if _, err := client.InsertMany(ctx, many); err != nil {
					b.Fatal(err)
				}
				for range flows {
					<-ended
				}
			}
			peer = max(peer, perSecond(b))
		})
	}
	for _, mode := range []struct {
		name   string
		gather int
	}{{"commit-a-step", 1}, {"in-batches", 0}} {
		b.Run(mode.name, func(b *testing.B) {
			db := openSQLite(b)
			store, err := journeysql.New(db, journeysql.SQLite)
			if err != nil {
				b.Fatal(err)
			}
			if err := store.Migrate(ctx); err != nil {
				b.Fatal(err)
			}
			now := time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)
			e, err := journey.New(journey.Config{Store: store, Gather: mode.gather, Now: func() time.Time { return now }})
			if err != nil {
				b.Fatal(err)
			}
			if err := e.Deploy(ctx, threeSteps()); err != nil {
				b.Fatal(err)
			}
			n := 0
			for b.Loop() {
				inputs := make([]journey.Input, flows)
				for i := range inputs {
					inputs[i] = journey.Input{ID: fmt.Sprintf("in-%08d", n), Name: "order.paid", Customer: profile.ID(fmt.Sprintf("c%08d", n)), Time: now, Received: now}
					n++
				}
				if _, err := e.IngestBatch(ctx, inputs); err != nil {
					b.Fatal(err)
				}
				for range 3 {
					now = now.Add(time.Hour)
					p, err := e.RunDue(ctx, now)
					if err != nil || p.Timers != flows {
						b.Fatal(p, err)
					}
				}
			}
			b.ReportMetric(perSecond(b)/peer, "x-of-river")
		})
	}
}

// threeSteps is a journey of three steps, an hour apart.
func threeSteps() *journey.Builder {
	j := journey.Define("three-steps")
	j.Enter(journey.Event("order.paid")).To("first")
	j.State("first").After(time.Hour).To("second")
	j.State("second").After(time.Hour).To("third")
	j.State("third").After(time.Hour).End("done")
	return j
}

// perSecond is how many flows ended in a second.
func perSecond(b *testing.B) float64 {
	rate := float64(b.N) * flows / b.Elapsed().Seconds()
	b.ReportMetric(rate, "flows/s")
	return rate
}
