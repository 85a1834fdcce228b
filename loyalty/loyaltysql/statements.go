package loyaltysql

import (
	"strings"

	"github.com/cxkit/cxkit/internal/sqlkit"
)

// statements are the texts of all statements in one dialect.
type statements struct {
	checkAccounts, checkKeys               string
	insertAccounts, updateAccounts         *sqlkit.Statement
	insertTransactions, insertEntries      *sqlkit.Statement
	insertChanges, upsertHolds             *sqlkit.Statement
	openLots, upsertLots                   *sqlkit.Statement
	insertPins, upsertStandings            *sqlkit.Statement
	deletePins                             string
	insertBinding, updateBinding, dropBind string
	lockAccounts, contents, current        string
	holds, pins, standings                 string
	lotRow, byKeys, followers, byAccount   string
	entries, changes, opened               string
	due, dueAfter, list                    string
	bindProfile, bindAccount, bindBoth     string
}

const (
	accountColumns = "program account kind seq:bigint head:bytea opened_at:timestamptz recorded_at:timestamptz due_at:timestamptz merged_into open_holds:bigint standings:bigint"
	// A lot of which nothing has moved yet: what its row leaves out is zero, and
	// its first terms are the present ones.
	newLotColumns = "program account lot unit opened_key opened_n:bigint earned_at:timestamptz usable_from:timestamptz expires_at:timestamptz " +
		"policy policy_n:bigint policy_date:timestamptz policy_clock unit_cost:bigint order_ref line basis:bigint rule origin " +
		"original:bigint remaining:bigint"
	lotColumns = newLotColumns + " first_usable_from:timestamptz first_expires_at:timestamptz held:bigint redeemed:bigint expired:bigint " +
		"clawed:bigint transferred:bigint adjusted:bigint basis_returned:bigint returned:bigint moved_at:timestamptz"
	accountList = "account, kind, seq, head, opened_at, recorded_at, due_at, merged_into, open_holds, standings"
	lotList     = "account, lot, unit, opened_key, earned_at, usable_from, expires_at, policy, policy_n, policy_date, " +
		"policy_clock, unit_cost, order_ref, line, basis, rule, origin, original, remaining, held, redeemed, expired, " +
		"clawed, transferred, adjusted, basis_returned, returned, moved_at"
	transactionList = "account, seq, key, leg, kind, of_key, effective_at, recorded_at, order_ref, reason, actor, unit, " +
		"amount, until_at, forgiven, activity, fingerprint, hash"
	bindingList = "profile, account, from_at, until_at, reason, actor, version"
)

// qualified puts an alias before every column of a list.
func qualified(alias, list string) string {
	return alias + "." + strings.ReplaceAll(list, ", ", ", "+alias+".")
}

func newStatements(d sqlkit.Dialect) *statements {
	return &statements{
		checkAccounts: `SELECT a.account, a.seq, a.head FROM loyalty_account a WHERE a.program = $1 AND ` + d.Any("a.account", 2) +
			` ORDER BY a.account` + d.ForUpdate("a"),
		checkKeys:      `SELECT key FROM loyalty_transaction WHERE program = $1 AND leg = 0 AND ` + d.Any("key", 2),
		insertAccounts: sqlkit.Insert("loyalty_account", sqlkit.Columns(accountColumns), ""),
		updateAccounts: sqlkit.Update("loyalty_account",
			sqlkit.Columns("kind seq:bigint head:bytea recorded_at:timestamptz due_at:timestamptz merged_into open_holds:bigint standings:bigint"),
			sqlkit.Columns("program account"), sqlkit.Columns("seq:bigint head:bytea")),
		insertTransactions: sqlkit.Insert("loyalty_transaction", sqlkit.Columns("program account seq:bigint key leg:bigint kind of_key effective_at:timestamptz "+
			"recorded_at:timestamptz order_ref reason actor unit amount:bigint until_at:timestamptz forgiven:bigint activity:bigint fingerprint:bytea hash:bytea"), ""),
		insertEntries: sqlkit.Insert("loyalty_entry", sqlkit.Columns("program key n:bigint book account unit lot amount:bigint"), ""),
		insertChanges: sqlkit.Insert("loyalty_change", sqlkit.Columns("program key n:bigint account lot held:bigint basis:bigint returned:bigint usable_from:timestamptz expires_at:timestamptz"), ""),
		openLots:      sqlkit.Insert("loyalty_lot", sqlkit.Columns(newLotColumns), ""),
		upsertLots: sqlkit.Insert("loyalty_lot", sqlkit.Columns(lotColumns), `ON CONFLICT (program, account, lot) DO UPDATE SET
			first_usable_from = COALESCE(loyalty_lot.first_usable_from, loyalty_lot.usable_from),
			first_expires_at = COALESCE(loyalty_lot.first_expires_at, loyalty_lot.expires_at),
			usable_from = excluded.usable_from, expires_at = excluded.expires_at, original = excluded.original,
			remaining = excluded.remaining, held = excluded.held, redeemed = excluded.redeemed, expired = excluded.expired,
			clawed = excluded.clawed, transferred = excluded.transferred, adjusted = excluded.adjusted,
			basis_returned = excluded.basis_returned, returned = excluded.returned, moved_at = excluded.moved_at`),
		upsertHolds: sqlkit.Insert("loyalty_hold", sqlkit.Columns("program account key unit amount:bigint captured:bigint released:bigint until_at:timestamptz is_open:bigint"),
			`ON CONFLICT (program, account, key) DO UPDATE SET captured = excluded.captured, released = excluded.released, is_open = excluded.is_open`),
		insertPins: sqlkit.Insert("loyalty_pin", sqlkit.Columns("program account hold lot amount:bigint"), ""),
		deletePins: `DELETE FROM loyalty_pin WHERE program = $1 AND account = $2 AND hold = $3`,
		upsertStandings: sqlkit.Insert("loyalty_standing", sqlkit.Columns("program account unit debt:bigint activity_at:timestamptz debt_at:timestamptz"),
			`ON CONFLICT (program, account, unit) DO UPDATE SET debt = excluded.debt, activity_at = excluded.activity_at, debt_at = excluded.debt_at`),
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
		standings: `SELECT account, unit, debt, activity_at, debt_at FROM loyalty_standing WHERE program = $1 AND ` + d.Any("account", 2) + ` ORDER BY account, unit`,
		lotRow:    `SELECT ` + lotList + ` FROM loyalty_lot WHERE program = $1 AND account = $2 AND ` + d.Any("lot", 3),
		byKeys:    `SELECT ` + transactionList + ` FROM loyalty_transaction WHERE program = $1 AND ` + d.Any("key", 2) + ` ORDER BY key, leg`,
		followers: `SELECT key FROM loyalty_transaction WHERE program = $1 AND leg = 0 AND of_key = $2 ORDER BY recorded_at, account, seq`,
		byAccount: `SELECT key FROM loyalty_transaction WHERE program = $1 AND account = $2 AND seq > $3 ORDER BY seq LIMIT $4`,
		entries:   `SELECT key, n, book, account, unit, lot, amount FROM loyalty_entry WHERE program = $1 AND ` + d.Any("key", 2) + ` ORDER BY key, n`,
		changes: `SELECT key, n, account, lot, held, basis, returned, usable_from, expires_at FROM loyalty_change
			WHERE program = $1 AND ` + d.Any("key", 2) + ` ORDER BY key, n`,
		opened: `SELECT opened_key, opened_n, account, lot, unit, earned_at, COALESCE(first_usable_from, usable_from),
			COALESCE(first_expires_at, expires_at), policy, policy_n, policy_date,
			policy_clock, unit_cost, order_ref, line, basis, rule, origin FROM loyalty_lot
			WHERE program = $1 AND ` + d.Any("account", 2) + ` AND ` + d.Any("lot", 3) + ` AND ` + d.Any("opened_key", 4) + ` ORDER BY opened_key, opened_n`,
		due: `SELECT ` + accountList + ` FROM loyalty_account WHERE program = $1 AND due_at <= $2 ORDER BY due_at, account LIMIT $3`,
		dueAfter: `SELECT ` + accountList + ` FROM loyalty_account WHERE program = $1 AND due_at <= $2
			AND (due_at > $3 OR (due_at = $4 AND account > $5)) AND due_at >= $6 ORDER BY due_at, account LIMIT $7`,
		list:        `SELECT ` + accountList + ` FROM loyalty_account WHERE program = $1 AND account > $2 ORDER BY account LIMIT $3`,
		bindProfile: `SELECT ` + bindingList + ` FROM loyalty_binding WHERE program = $1 AND profile = $2 ORDER BY profile, account, from_at`,
		bindAccount: `SELECT ` + bindingList + ` FROM loyalty_binding WHERE program = $1 AND account = $2 ORDER BY profile, account, from_at`,
		bindBoth:    `SELECT ` + bindingList + ` FROM loyalty_binding WHERE program = $1 AND profile = $2 AND account = $3 ORDER BY profile, account, from_at`,
	}
}
