package sqlkit_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/sqlkit"
)

func TestListsQuoteWhatTheyHold(t *testing.T) {
	values := []string{`a"b`, `c\d`, "e,f}", "\u4f1a\u5458", "g\th"}
	require.Equal(t, "{\"a\\\"b\",\"c\\\\d\",\"e,f}\",\"\u4f1a\u5458\",\"g\th\"}", sqlkit.Postgres.List(values))
	require.Equal(t, "[\"a\\\"b\",\"c\\\\d\",\"e,f}\",\"\u4f1a\u5458\",\"g\\u0009h\"]", sqlkit.SQLite.List(values))
	require.Equal(t, "{}", sqlkit.Postgres.List(nil))
	require.Equal(t, "[]", sqlkit.SQLite.List(nil))
}

func TestTimesKeepTheMicrosecondInAnyZone(t *testing.T) {
	at := time.Date(2026, 3, 1, 7, 0, 0, 123456000, time.FixedZone("east", 8*3600))
	text := sqlkit.SQLite.Time(at)
	require.Equal(t, "2026-02-28T23:00:00.123456Z", text)
	for _, src := range []any{text, []byte("2026-02-28T23:00:00.123456Z"), at} {
		var got sqlkit.Time
		require.NoError(t, got.Scan(src))
		require.True(t, got.Equal(at))
		require.Equal(t, time.UTC, got.Location())
	}
	require.Nil(t, sqlkit.SQLite.Time(time.Time{}))
	require.Nil(t, sqlkit.Postgres.Time(time.Time{}))
	var got sqlkit.Time
	require.NoError(t, got.Scan(nil))
	require.True(t, got.IsZero())
	require.Error(t, got.Scan(7))
	require.Error(t, got.Scan("yesterday"))
}

func TestMigrationsAreNumberedWithoutGaps(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	ms, err := sqlkit.Migrations(fstest.MapFS{
		"sqlite/0002_more.sql": file("B"), "sqlite/0001_first.sql": file("A"), "postgres/0001_first.sql": file("C"),
	}, sqlkit.SQLite)
	require.NoError(t, err)
	require.Equal(t, []sqlkit.Migration{{Version: 1, Name: "first", SQL: "A"}, {Version: 2, Name: "more", SQL: "B"}}, ms)
	_, err = sqlkit.Migrations(fstest.MapFS{"sqlite/0002_more.sql": file("B")}, sqlkit.SQLite)
	require.ErrorContains(t, err, "migration 1 is missing")
	_, err = sqlkit.Migrations(fstest.MapFS{"sqlite/first.sql": file("B")}, sqlkit.SQLite)
	require.ErrorContains(t, err, "first.sql")
	_, err = sqlkit.Migrations(fstest.MapFS{}, sqlkit.Postgres)
	require.Error(t, err)
}

func TestScriptsAreSplitAtTheEndsOfLines(t *testing.T) {
	require.Equal(t, []string{"CREATE TABLE a (\n\tx TEXT -- why; because\n)", "DROP TABLE b"},
		sqlkit.Statements("-- about\nCREATE TABLE a (\n\tx TEXT -- why; because\n);\n\nDROP TABLE b;\n"))
	require.Equal(t, []string{"SELECT 1"}, sqlkit.Statements("SELECT 1"))
}

type state string

func (s state) Error() string    { return "state " + string(s) }
func (s state) SQLState() string { return string(s) }

type code int

func (c code) Error() string { return fmt.Sprint("code ", int(c)) }
func (c code) Code() int     { return int(c) }

func TestErrorsAreToldApartWithoutTheDriver(t *testing.T) {
	for _, err := range []error{state("40001"), state("40P01"), code(5), code(261), code(6), errors.New("database is locked")} {
		require.True(t, sqlkit.Retryable(fmt.Errorf("wrapped: %w", err)), err)
		require.False(t, sqlkit.IsUnique(err), err)
	}
	for _, err := range []error{state("23505"), code(2067), code(1555), errors.New("UNIQUE constraint failed: t.x")} {
		require.True(t, sqlkit.IsUnique(fmt.Errorf("wrapped: %w", err)), err)
		require.False(t, sqlkit.Retryable(err), err)
	}
	require.False(t, sqlkit.Retryable(nil))
	require.False(t, sqlkit.IsUnique(nil))
}

type unsent bool

func (u unsent) Error() string     { return "conn closed" }
func (u unsent) SafeToRetry() bool { return bool(u) }

func TestLostConnectionsAreToldApart(t *testing.T) {
	for _, err := range []error{driver.ErrBadConn, io.ErrUnexpectedEOF, io.EOF, net.ErrClosed, &net.OpError{Op: "dial", Err: io.EOF}, state("08006"), state("57P01"), unsent(true)} {
		require.True(t, sqlkit.Lost(fmt.Errorf("wrapped: %w", err)), err)
		require.False(t, sqlkit.Retryable(err), err)
	}
	require.False(t, sqlkit.Lost(nil))
	for _, err := range []error{context.Canceled, context.DeadlineExceeded, state("23505"), state("53100"), unsent(false), errors.New("no")} {
		require.False(t, sqlkit.Lost(err), err)
	}
}

func TestTablesOfTexts(t *testing.T) {
	rows := [][]string{{"a", `b"`}, {"c", ""}}
	require.Equal(t, "SELECT * FROM unnest((SELECT $3::text[]), (SELECT $4::text[]))", sqlkit.Postgres.Rows(3, 2))
	require.Equal(t, []any{`{"a","c"}`, `{"b\"",""}`}, sqlkit.Postgres.Table(rows))
	require.Equal(t, "SELECT value ->> 0, value ->> 1 FROM json_each($3)", sqlkit.SQLite.Rows(3, 2))
	require.Equal(t, []any{`[["a","b\""],["c",""]]`}, sqlkit.SQLite.Table(rows))
	require.Equal(t, "SELECT unnest((SELECT $1::text[]))", sqlkit.Postgres.Values(1))
	require.Equal(t, "SELECT value FROM json_each($1)", sqlkit.SQLite.Values(1))
}
