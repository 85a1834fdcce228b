package main

import (
	"container/heap"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/feedback/feedbacksql"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/journeysql"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltysql"
	"github.com/cxkit/cxkit/loyalty/program"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/profile/profilesql"
	"github.com/cxkit/cxkit/segment"
	"github.com/cxkit/cxkit/segment/segmentsql"
)

// deliveriesPerCommit is how many deliveries share a transaction.
const deliveriesPerCommit = 50

// commitsPerCheckpoint is how many transactions go by until the audiences are
// written whole, so that a restart has less to go through.
const commitsPerCheckpoint = 100

// storage keeps the loop in a database. There is one open transaction at any
// time: what the packages do because of some deliveries, the shop's own records
// and how far the feed was taken are committed together. Whoever is killed
// goes on from the last commit as if nothing had happened since.
//
// The packages are made once and see the transaction of the moment through the
// fields below.
type storage struct {
	db      *sql.DB
	tx      *sql.Tx
	noted   []record
	commits int
	written int64 // records so far, which keeps them in order

	customer struct{ profile.Store }
	audience struct{ segment.Store }
	journey  struct{ journey.Store }
	survey   struct{ feedback.Store }
	desk     struct{ care.Store }
	book     struct{ loyalty.Store }
	tier     struct{ program.Store }

	within func(*sql.Tx)
}

const shopTable = `CREATE TABLE IF NOT EXISTS shop_record (
	kind TEXT NOT NULL,
	id   TEXT NOT NULL,
	n    BIGINT NOT NULL,
	doc  TEXT NOT NULL,
	PRIMARY KEY (kind, id)
)`

// The records of the shop's own: its order table, and what is going on.
const (
	stateRecord       = "state"
	orderRecord       = "order"
	causeRecord       = "cause"
	waitingRecord     = "waiting"
	appointmentRecord = "appointment"
	reactionRecord    = "reaction"
)

// record is a row of shop_record; one without document is removed.
type record struct{ kind, id, doc string }

// openStorage opens a database of either engine and makes its tables.
func openStorage(ctx context.Context, sqliteFile, postgresURL string) (s *storage, err error) {
	driver, source, dialect := "sqlite", "file:"+sqliteFile+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)&_txlock=immediate", profilesql.SQLite
	if postgresURL != "" {
		driver, source, dialect = "pgx", postgresURL, profilesql.Postgres
	}
	s = &storage{}
	if s.db, err = sql.Open(driver, source); err != nil {
		return nil, err
	}
	s.db.SetMaxOpenConns(1)
	if err := s.tables(ctx, dialect); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

func (s *storage) tables(ctx context.Context, dialect profilesql.Dialect) error {
	customers, err := profilesql.New(s.db, dialect)
	if err != nil {
		return err
	}
	audiences, err := segmentsql.New(s.db, dialect)
	if err != nil {
		return err
	}
	journeys, err := journeysql.New(s.db, dialect)
	if err != nil {
		return err
	}
	surveys, err := feedbacksql.New(s.db, dialect)
	if err != nil {
		return err
	}
	points, err := loyaltysql.New(s.db, dialect)
	if err != nil {
		return err
	}
	for _, migrate := range []func(context.Context) error{
		customers.Migrate, audiences.Migrate, journeys.Migrate, surveys.Migrate, points.Migrate,
	} {
		if err := migrate(ctx); err != nil {
			return err
		}
	}
	if _, err := s.db.ExecContext(ctx, shopTable); err != nil {
		return err
	}
	s.within = func(tx *sql.Tx) {
		s.customer.Store, s.audience.Store = customers.WithTx(tx), audiences.WithTx(tx)
		s.journey.Store, s.survey.Store, s.desk.Store = journeys.WithTx(tx), surveys.WithTx(tx), surveys.Care().WithTx(tx)
		s.book.Store, s.tier.Store = points.WithTx(tx), points.WithTx(tx).Tiers()
	}
	return s.begin(ctx)
}

func (s *storage) begin(ctx context.Context) (err error) {
	if s.tx, err = s.db.BeginTx(ctx, nil); err != nil {
		return err
	}
	s.within(s.tx)
	return nil
}

// close leaves the database as the last commit left it.
func (s *storage) close() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.tx.Rollback(), s.db.Close())
}

// The stores of the packages; in memory each has its default.

func (s *storage) customers() profile.Store {
	if s == nil {
		return nil
	}
	return &s.customer
}

func (s *storage) audiences() segment.Store {
	if s == nil {
		return nil
	}
	return &s.audience
}

func (s *storage) journeys() journey.Store {
	if s == nil {
		return nil
	}
	return &s.journey
}

func (s *storage) surveys() feedback.Store {
	if s == nil {
		return nil
	}
	return &s.survey
}

func (s *storage) cases() care.Store {
	if s == nil {
		return nil
	}
	return &s.desk
}

func (s *storage) points() loyalty.Store {
	if s == nil {
		return loyalty.NewMemoryStore() // all clubs share it
	}
	return &s.book
}

func (s *storage) tiers() program.Store {
	if s == nil {
		return nil
	}
	return &s.tier
}

// state is what of the loop is neither in a package nor in a record of its own.
type state struct {
	Input      string    `json:"input"`
	Now        time.Time `json:"now"`
	Taken      int       `json:"taken"`
	Followed   uint64    `json:"followed"`
	Seen       uint64    `json:"seen"`
	Minted     int       `json:"minted"`
	Made       int       `json:"made"`
	Deliveries int       `json:"deliveries"`
	Cost       int64     `json:"cost"`
	Written    int64     `json:"written"`
}

// reaction is a message that reached the outside.
type reaction struct {
	Event   string    `json:"event"`
	Message string    `json:"message"`
	At      time.Time `json:"at"`
}

// reacted notes a message: the outside must hear of it again after a restart.
func (l *loop) reacted(r reaction) error {
	id := r.Event + "/" + r.Message
	if l.heard[id] {
		return nil // the outside reacts once
	}
	l.heard[id] = true
	return l.note(reactionRecord, id, r)
}

// note keeps a record with the next commit.
func (l *loop) note(kind, id string, what any) error {
	if l.keep == nil {
		return nil
	}
	doc, err := json.Marshal(what)
	l.keep.noted = append(l.keep.noted, record{kind, id, string(doc)})
	return err
}

// forget removes a record with the next commit.
func (l *loop) forget(kind, id string) {
	if l.keep != nil {
		l.keep.noted = append(l.keep.noted, record{kind, id, ""})
	}
}

// save commits what was done since the last time, and begins the next transaction.
func (l *loop) save(ctx context.Context) error {
	s := l.keep
	if s == nil {
		return nil
	}
	if s.commits++; s.commits%commitsPerCheckpoint == 0 {
		if err := l.audiences.Checkpoint(ctx); err != nil {
			return err
		}
	}
	if err := l.note(stateRecord, "", state{
		l.input, l.now, l.taken, l.followed, l.seen, l.minted, l.scheduled.made, l.count.deliveries, l.count.cost, s.written + int64(len(s.noted)) + 1,
	}); err != nil {
		return err
	}
	for _, r := range s.noted {
		s.written++
		var err error
		if r.doc == "" {
			_, err = s.tx.ExecContext(ctx, "DELETE FROM shop_record WHERE kind = $1 AND id = $2", r.kind, r.id)
		} else {
			_, err = s.tx.ExecContext(ctx, "INSERT INTO shop_record (kind, id, n, doc) VALUES ($1, $2, $3, $4) "+
				"ON CONFLICT (kind, id) DO UPDATE SET doc = excluded.doc", r.kind, r.id, s.written, r.doc)
		}
		if err != nil {
			return err
		}
	}
	s.noted = s.noted[:0]
	if err := s.tx.Commit(); err != nil {
		return err
	}
	return s.begin(ctx)
}

// restore takes up what an earlier run committed; false if there was none.
func (l *loop) restore(ctx context.Context) (found bool, err error) {
	if l.keep == nil {
		return false, nil
	}
	rows, err := l.keep.tx.QueryContext(ctx, "SELECT kind, id, doc FROM shop_record ORDER BY n")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r record
		if err := rows.Scan(&r.kind, &r.id, &r.doc); err != nil {
			return false, err
		}
		if err := l.recall(r); err != nil {
			return false, fmt.Errorf("shop_record %s %s: %w", r.kind, r.id, err)
		}
		found = found || r.kind == stateRecord
	}
	return found, rows.Err()
}

// recall takes up one record.
func (l *loop) recall(r record) error {
	read := func(v any) error { return json.Unmarshal([]byte(r.doc), v) }
	switch r.kind {
	case stateRecord:
		var s state
		if err := read(&s); err != nil {
			return err
		}
		if s.Input != l.input {
			return fmt.Errorf("the database holds a run over %s", s.Input)
		}
		l.now, l.taken, l.followed, l.seen, l.minted, l.scheduled.made = s.Now, s.Taken, s.Followed, s.Seen, s.Minted, s.Made
		l.count.deliveries, l.count.cost, l.keep.written = s.Deliveries, s.Cost, s.Written
	case orderRecord:
		var fact commerce.Event
		if err := read(&fact); err != nil {
			return err
		}
		l.orders[fact.Order] = append(l.orders[fact.Order], fact)
	case causeRecord:
		var event string
		if err := read(&event); err != nil {
			return err
		}
		l.causes[r.id] = event
	case waitingRecord:
		var events []profile.Event
		if err := read(&events); err != nil {
			return err
		}
		l.early[r.id] = events
	case appointmentRecord:
		var a appointment
		if err := read(&a); err != nil {
			return err
		}
		heap.Push(&l.scheduled, a)
	case reactionRecord:
		var x reaction
		if err := read(&x); err != nil {
			return err
		}
		l.heard[r.id] = true
		l.world.React(x.Event, x.Message, x.At)
	}
	return nil
}
