// Package loyalty is the ledger of a loyalty program: what members have
// earned, hold, owe and have spent, kept the way an accountant keeps books.
//
// The model:
//
//   - An account is a membership or a pool, named by an opaque key. The binding
//     of a profile to a membership is explicit, dated and revocable ([Ledger.Bind]).
//   - A [Command] has an idempotency key and becomes one [Transaction]: entries
//     that sum to zero per unit, between the account's book and the program's
//     books (issuer, redeemed, expired, adjusted) or the account's debt.
//   - What is earned lies in lots, each with its terms: pending until, usable
//     from, expiry, unit cost, source order line, rule. Spending takes the lot that
//     expires first. A [Hold] pins lots; a [Return] takes back what an order
//     line had earned, from the recorded award.
//   - Time does its work by itself: vesting, expiry and the time-out of holds hold at
//     their instant in every read. [Ledger.Sweep] only records them.
//   - Every read may ask for two times: as of when, and as known when ([AsOf]).
//   - Transactions are chained by SHA-256 per account; [Ledger.Verify] finds an
//     edit, a deletion, a truncation, and with an [Anchor] the loss of a whole account.
//   - Concurrent commands share commits (group commit), without a goroutine.
//
// Amounts are int64 in the unit's smallest part. Times are kept in UTC at the
// microsecond. A [Ledger] serves one program; ledgers of several brands share a [Store].
package loyalty
