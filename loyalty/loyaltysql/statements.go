package loyaltysql

import (
	"strings"

	"github.com/cxkit/cxkit/internal/sqlkit"
)

// statements are the texts of all statements in one dialect.
type statements struct {
	checkAccounts, checkKeys               string
	insertAccounts, updateAccounts         *sqlkit.Insert
	insertTransactions, insertEntries      *sqlkit.Insert
	insertChanges, upsertLots, upsertHolds *sqlkit.Insert
	insertPins, upsertStandings            *sqlkit.Insert
	deletePins                             string
	insertBinding, updateBinding, dropBind string
	lockAccounts, contents, current        string
	holds, pins, standings                 string
	lotRow, byKeys, followers, byAccount   string
	entries, changes, opened               string
	due, dueAfter, list                    string
	bindProfile, bindAccount, bindBoth     string
}

func columns(spec string) []sqlkit.Column {
	var out []sqlkit.Column
	for _, c := range strings.Fields(spec) {
		name, short, _ := strings.Cut(c, ":")
		kind := map[string]string{"": "text", "i": "bigint", "t": "timestamptz", "b": "bytea"}[short]
		out = append(out, sqlkit.Column{Name: name, Type: kind})
	}
	return out
}

const (
	accountColumns = "program account kind seq:i head:b opened_at:t recorded_at:t due_at:t merged_into open_holds:i standings:i"
	lotColumns     = "program account lot unit opened_key opened_n:i earned_at:t usable_from:t expires_at:t " +
		"first_usable_from:t first_expires_at:t policy policy_n:i policy_date:t policy_clock unit_cost:i order_ref line " +
		"basis:i rule origin original:i remaining:i held:i redeemed:i expired:i clawed:i transferred:i adjusted:i " +
		"basis_returned:i returned:i"
	accountList = "account, kind, seq, head, opened_at, recorded_at, due_at, merged_into, open_holds, standings"
	lotList     = "account, lot, unit, opened_key, earned_at, usable_from, expires_at, policy, policy_n, policy_date, " +
		"policy_clock, unit_cost, order_ref, line, basis, rule, origin, original, remaining, held, redeemed, expired, " +
		"clawed, transferred, adjusted, basis_returned, returned"
	transactionList = "account, seq, key, leg, kind, of_key, effective_at, recorded_at, order_ref, reason, actor, unit, " +
		"amount, until_at, forgiven, activity, fingerprint, hash"
	bindingList = "profile, account, from_at, until_at, reason, actor, version"
)

// qualified puts an alias before every column of a list.
func qualified(alias, list string) string {
	return alias + "." + strings.ReplaceAll(list, ", ", ", "+alias+".")
}

func newStatements(d sqlkit.Dialect) *statements {
	upsertAccount := `ON CONFLICT (program, account) DO UPDATE SET kind = excluded.kind, seq = excluded.seq, head = excluded.head,
		recorded_at = excluded.recorded_at, due_at = excluded.due_at, merged_into = excluded.merged_into,
		open_holds = excluded.open_holds, standings = excluded.standings`
	return &statements{
		checkAccounts: `SELECT a.account, a.seq, a.head FROM loyalty_account a WHERE a.program = $1 AND ` + d.Any("a.account", 2) +
			` ORDER BY a.account` + d.ForUpdate("a"),
		checkKeys:      `SELECT key FROM loyalty_transaction WHERE program = $1 AND leg = 0 AND ` + d.Any("key", 2),
		insertAccounts: sqlkit.NewInsert("loyalty_account", columns(accountColumns), ""),
		updateAccounts: sqlkit.NewInsert("loyalty_account", columns(accountColumns), upsertAccount),
		insertTransactions: sqlkit.NewInsert("loyalty_transaction", columns("program account seq:i key leg:i kind of_key effective_at:t "+
			"recorded_at:t order_ref reason actor unit amount:i until_at:t forgiven:i activity:i fingerprint:b hash:b"), ""),
		insertEntries: sqlkit.NewInsert("loyalty_entry", columns("program key n:i book account unit lot amount:i"), ""),
		insertChanges: sqlkit.NewInsert("loyalty_change", columns("program key n:i account lot held:i basis:i returned:i usable_from:t expires_at:t"), ""),
		upsertLots: sqlkit.NewInsert("loyalty_lot", columns(lotColumns), `ON CONFLICT (program, account, lot) DO UPDATE SET
			usable_from = excluded.usable_from, expires_at = excluded.expires_at, original = excluded.original,
			remaining = excluded.remaining, held = excluded.held, redeemed = excluded.redeemed, expired = excluded.expired,
			clawed = excluded.clawed, transferred = excluded.transferred, adjusted = excluded.adjusted,
			basis_returned = excluded.basis_returned, returned = excluded.returned`),
		upsertHolds: sqlkit.NewInsert("loyalty_hold", columns("program account key unit amount:i captured:i released:i until_at:t is_open:i"),
			`ON CONFLICT (program, account, key) DO UPDATE SET captured = excluded.captured, released = excluded.released, is_open = excluded.is_open`),
		insertPins: sqlkit.NewInsert("loyalty_pin", columns("program account hold lot amount:i"), ""),
		deletePins: `DELETE FROM loyalty_pin WHERE program = $1 AND account = $2 AND hold = $3`,
		upsertStandings: sqlkit.NewInsert("loyalty_standing", columns("program account unit debt:i activity_at:t"),
			`ON CONFLICT (program, account, unit) DO UPDATE SET debt = excluded.debt, activity_at = excluded.activity_at`),
		insertBinding: `INSERT INTO loyalty_binding (program, profile, account, from_at, until_at, reason, actor, version)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		updateBinding: `UPDATE loyalty_binding SET until_at = $1, reason = $2, actor = $3, version = $4
			WHERE program = $5 AND profile = $6 AND account = $7 AND from_at = $8 AND version = $9`,
		dropBind: `DELETE FROM loyalty_binding WHERE program = $1 AND profile = $2 AND account = $3 AND from_at = $4 AND version = $5`,

		lockAccounts: `SELECT a.account FROM loyalty_account a WHERE a.program = $1 AND ` + d.Any("a.account", 2) +
			` ORDER BY a.account` + d.ForUpdate("a"),
		contents: `SELECT ` + qualified("a", accountList) + `, ` + qualified("l", lotList) + ` FROM loyalty_account a
			LEFT JOIN loyalty_lot l ON l.program = a.program AND l.account = a.account AND l.remaining <> 0
			WHERE a.program = $1 AND ` + d.Any("a.account", 2),
		current: `SELECT ` + qualified("a", accountList) + `, ` + qualified("l", lotList) + ` FROM loyalty_account a
			LEFT JOIN loyalty_lot l ON l.program = a.program AND l.account = a.account AND l.remaining <> 0 AND a.seq <> $1
			WHERE a.program = $2 AND a.account = $3`,
		holds: `SELECT account, key, unit, amount, captured, released, until_at FROM loyalty_hold
			WHERE program = $1 AND is_open = 1 AND ` + d.Any("account", 2) + ` ORDER BY account, key`,
		pins: `SELECT p.account, p.hold, p.lot, p.amount FROM loyalty_pin p
			JOIN loyalty_hold h ON h.program = p.program AND h.account = p.account AND h.key = p.hold AND h.is_open = 1
			WHERE p.program = $1 AND ` + d.Any("p.account", 2) + ` ORDER BY p.account, p.hold, p.lot`,
		standings: `SELECT account, unit, debt, activity_at FROM loyalty_standing WHERE program = $1 AND ` + d.Any("account", 2) + ` ORDER BY account, unit`,
		lotRow:    `SELECT ` + lotList + ` FROM loyalty_lot WHERE program = $1 AND account = $2 AND ` + d.Any("lot", 3),
		byKeys:    `SELECT ` + transactionList + ` FROM loyalty_transaction WHERE program = $1 AND ` + d.Any("key", 2) + ` ORDER BY key, leg`,
		followers: `SELECT key FROM loyalty_transaction WHERE program = $1 AND leg = 0 AND of_key = $2 ORDER BY recorded_at, account, seq`,
		byAccount: `SELECT key FROM loyalty_transaction WHERE program = $1 AND account = $2 AND seq > $3 ORDER BY seq LIMIT $4`,
		entries:   `SELECT key, n, book, account, unit, lot, amount FROM loyalty_entry WHERE program = $1 AND ` + d.Any("key", 2) + ` ORDER BY key, n`,
		changes: `SELECT key, account, lot, held, basis, returned, usable_from, expires_at FROM loyalty_change
			WHERE program = $1 AND ` + d.Any("key", 2) + ` ORDER BY key, n`,
		opened: `SELECT opened_key, account, lot, unit, earned_at, first_usable_from, first_expires_at, policy, policy_n, policy_date,
			policy_clock, unit_cost, order_ref, line, basis, rule, origin FROM loyalty_lot
			WHERE program = $1 AND ` + d.Any("opened_key", 2) + ` ORDER BY opened_key, opened_n`,
		due: `SELECT ` + accountList + ` FROM loyalty_account WHERE program = $1 AND due_at <= $2 ORDER BY due_at, account LIMIT $3`,
		dueAfter: `SELECT ` + accountList + ` FROM loyalty_account WHERE program = $1 AND due_at <= $2
			AND (due_at > $3 OR (due_at = $4 AND account > $5)) AND due_at >= $6 ORDER BY due_at, account LIMIT $7`,
		list:        `SELECT ` + accountList + ` FROM loyalty_account WHERE program = $1 AND account > $2 ORDER BY account LIMIT $3`,
		bindProfile: `SELECT ` + bindingList + ` FROM loyalty_binding WHERE program = $1 AND profile = $2 ORDER BY profile, account, from_at`,
		bindAccount: `SELECT ` + bindingList + ` FROM loyalty_binding WHERE program = $1 AND account = $2 ORDER BY profile, account, from_at`,
		bindBoth:    `SELECT ` + bindingList + ` FROM loyalty_binding WHERE program = $1 AND profile = $2 AND account = $3 ORDER BY profile, account, from_at`,
	}
}
