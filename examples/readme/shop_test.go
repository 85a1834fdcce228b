package readme

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltysql"
)

func TestOrderAndPointsAreBothOrNeither(t *testing.T) {
	t.Chdir(t.TempDir())
	db := must(sql.Open("sqlite", "file:shop.db?_txlock=immediate&_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)"))
	shop := must(NewShop(ctx, db, loyaltysql.SQLite))
	defer db.Close()

	holds := func(orders int, points int64) {
		t.Helper()
		var n int
		require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM orders").Scan(&n))
		require.Equal(t, orders, n)
		require.Equal(t, points, must(shop.ledger.Balance(ctx, "card-7", loyalty.Points, loyalty.AsOf{})).Available())
	}
	require.NoError(t, shop.Pay(ctx, "A1", "card-7", 599_00))
	holds(1, 599)
	require.ErrorIs(t, shop.Pay(ctx, "A2", "card-7", 0), loyalty.ErrInvalid) // the order row goes, too
	require.Error(t, shop.Pay(ctx, "A1", "card-7", 599_00))                  // there already
	holds(1, 599)
}
